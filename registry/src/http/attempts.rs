//! `/api/v1/attempts`: one call for each step of a proof, and what anybody may read of it.

mod problems;
mod reads;

use std::time::Instant;

use attest::digest::Sha256;
use attest::proof::{MAX_COMMITMENT_BYTES, MAX_OPENINGS_BYTES};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::problem::{self, Problem};
use super::reply::receipt;
use super::{Shared, allowed, blocking, bodies};
use crate::sessions::{Opened, SessionError, Submitted};

pub(crate) use reads::{Outlines, kept, outlines, verdict_digest};
pub(super) use reads::{list, receipt_of, show, transcript, verdict};

/// Timed to its last byte.
pub(super) const COMMITMENT: &str = "/api/v1/attempts/{id}/commitments/{task}";

/// Carries the session's token with the attempt.
const TOKEN: HeaderName = HeaderName::from_static("hallmark-session");

pub(super) async fn open(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    bodies::check_media_type(&headers)?;
    let body = bodies::read(body, &headers, app.limits.body_bytes, &app.limits).await?;
    let opened = blocking(&app, move |app| Ok(app.sessions.open(&body)?)).await?;
    Ok(with_token(opened))
}

fn with_token(opened: Opened) -> Response {
    let status = if opened.new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = receipt(status, opened.receipt);
    let ascii = |text: String| HeaderValue::from_str(&text).expect("hexadecimal digits");
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, ascii(format!("/api/v1/attempts/{}", opened.id)));
    headers.insert(TOKEN, ascii(opened.token.to_string()));
    response
}

pub(super) async fn start(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    bodies::read_nothing(body, &headers, &app.limits).await?;
    let (id, token) = (digest(&id)?, bearer(&headers));
    let started = blocking(&app, move |app| Ok(app.sessions.begin(&id, token.as_deref())?)).await?;
    let mut response = step(&json!({"nonce": started.nonce, "startedAt": started.started_at}));
    // Started by whoever hands the answer to its connection.
    response.extensions_mut().insert(started.clock);
    Ok(response)
}

/// The clock is read when the body has been, before anything else is done. A body that is not read whole, or refused for
/// its head, is no root: it ends nothing.
pub(super) async fn commit(
    State(app): State<Shared>,
    Path((id, task)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (body, read) = bodies::read_timed(body, &head.headers, MAX_COMMITMENT_BYTES, &app.limits).await?;
    allowed(&app, &app.submissions, &head.extensions)?;
    bodies::check_media_type(&head.headers)?;
    let (id, token) = (digest(&id)?, bearer(&head.headers));
    let task = task
        .parse()
        .map_err(|_| Problem::new(problem::NOT_FOUND, "a task is named by its number"))?;
    let elapsed_ns = committed(&app, id, token, task, body, read).await?;
    Ok(step(&json!({"elapsedNs": elapsed_ns})))
}

async fn committed(
    app: &Shared,
    id: Sha256,
    token: Option<String>,
    task: u32,
    body: axum::body::Bytes,
    read: Instant,
) -> Result<u64, Problem> {
    blocking(app, move |app| {
        let sessions = &app.sessions;
        Ok(sessions.commit(&id, token.as_deref(), task, &body, read)?)
    })
    .await
}

pub(super) async fn samples(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, token) = (digest(&id)?, bearer(&headers));
    let (secret, tasks) = blocking(&app, move |app| {
        Ok(app.sessions.samples(&id, token.as_deref())?)
    })
    .await?;
    Ok(step(&json!({"secret": secret, "tasks": tasks})))
}

/// Answers when the openings are judged.
pub(super) async fn openings(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    bodies::check_media_type(&headers)?;
    let body = bodies::read(body, &headers, MAX_OPENINGS_BYTES, &app.limits).await?;
    let (id, token) = (digest(&id)?, bearer(&headers));
    let submitted = blocking(&app, move |app| {
        Ok(app.sessions.submit(&id, token.as_deref(), &body)?)
    })
    .await?;
    let verdict = match submitted {
        Submitted::Judged(verdict) => verdict,
        Submitted::Queued(answer) => answer.await.map_err(|_| SessionError::Stopping)??,
    };
    Ok(receipt(StatusCode::OK, verdict))
}

pub(super) async fn abort(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    bodies::read_nothing(body, &headers, &app.limits).await?;
    let (id, token) = (digest(&id)?, bearer(&headers));
    let verdict = blocking(&app, move |app| Ok(app.sessions.abort(&id, token.as_deref())?)).await?;
    Ok(receipt(StatusCode::OK, verdict))
}

fn digest(id: &str) -> Result<Sha256, Problem> {
    Sha256::from_hex(id).map_err(|error| Problem::new(problem::BAD_DIGEST, error.to_string()))
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?;
    value.to_str().ok().map(ToOwned::to_owned)
}

/// An answer to a step, which nobody keeps.
fn step(value: &Value) -> Response {
    let mut response = value.to_string().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
