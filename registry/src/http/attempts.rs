//! `/api/v1/attempts`: one call for each step of a proof, and what anybody may read of it.

use std::time::Instant;

use attest::digest::Sha256;
use attest::proof::MAX_OPENINGS_BYTES;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::listing::{DEFAULT_LIMIT, MAX_LIMIT, Parameters, time};
use super::problem::{self, Problem};
use super::reply::{self, Keep};
use super::submit::RECEIPT_MEDIA_TYPE;
use super::{App, Shared, allowed, blocking, bodies};
use crate::sessions::{self, MAX_COMMITMENT_BYTES, Opened, SessionError, Submitted};
use crate::store::sessions::{Kept, Outline, SessionQuery};

/// Timed to its last byte.
pub(super) const COMMITMENT: &str = "/api/v1/attempts/{id}/commitments/{task}";

/// Carries the session's token with the attempt.
const TOKEN: HeaderName = HeaderName::from_static("hallmark-session");

/// A page of attempts, and where the next one begins.
pub(crate) struct Outlines {
    pub(crate) attempts: Vec<Outline>,
    pub(crate) next: Option<u64>,
}

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
    let answer = json!({"nonce": started.nonce, "startedAt": started.started_at});
    let response = step(&answer);
    started.clock.start();
    Ok(response)
}

/// The clock is read when the body has been, before anything else is done.
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
    task: usize,
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

pub(super) async fn show(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let kept = kept(app, &id)?;
        Ok(reply::json(&headers, Keep::Seconds(0), &document(&kept.outline)?))
    })
    .await
}

pub(super) async fn receipt_of(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let bytes = app.sessions.receipt(&kept(app, &id)?)?;
        Ok(reply::body(&headers, RECEIPT_MEDIA_TYPE, Keep::Seconds(0), bytes))
    })
    .await
}

pub(super) async fn verdict(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let bytes = app.sessions.verdict_receipt(&kept(app, &id)?)?;
        Ok(reply::body(&headers, RECEIPT_MEDIA_TYPE, Keep::Seconds(0), bytes))
    })
    .await
}

pub(super) async fn transcript(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let bytes = app.sessions.transcript(&kept(app, &id)?)?;
        Ok(reply::body(&headers, "application/json", Keep::Seconds(0), bytes))
    })
    .await
}

pub(super) async fn list(
    State(app): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let parameters = Parameters::read(query.as_deref(), &["key", "limit", "cursor"])?;
        let listed = outlines(app, &parameters)?;
        let head = app.head();
        let attempts = listed
            .attempts
            .iter()
            .map(document)
            .collect::<Result<Vec<_>, _>>()?;
        let document = json!({
            "tree": {"origin": app.origin, "size": head.size, "rootHash": head.root},
            "attempts": attempts,
            "next": listed.next.map(|below| below.to_string()),
        });
        Ok(reply::json(&headers, Keep::Seconds(0), &document))
    })
    .await
}

/// The session of this id.
pub(crate) fn kept(app: &App, id: &str) -> Result<Kept, Problem> {
    Ok(app.sessions.kept(&digest(id)?)?)
}

/// Attempts of `key`, newest first, from `cursor` on.
pub(crate) fn outlines(app: &App, parameters: &Parameters) -> Result<Outlines, Problem> {
    let limit = parameters.number("limit", 1..=u64::from(MAX_LIMIT))?;
    let limit = limit.map_or(DEFAULT_LIMIT, |limit| limit as u32);
    let below = parameters.number("cursor", 0..=u64::MAX)?;
    let mut attempts = app.sessions.outlines(&SessionQuery {
        below: below.unwrap_or(u64::MAX),
        limit: limit + 1,
        key_id: parameters.digest("key")?,
    })?;
    let more = attempts.len() > limit as usize;
    attempts.truncate(limit as usize);
    let next = attempts.last().map(|last| last.number).filter(|_| more);
    Ok(Outlines { attempts, next })
}

/// What is public of an attempt.
fn document(outline: &Outline) -> Result<Value, SessionError> {
    let attempt = sessions::attempt(outline)?.predicate;
    let verdict = sessions::verdict(outline)?;
    let times = &outline.times;
    let id = outline.id;
    Ok(json!({
        "id": id,
        "keyId": outline.key_id,
        "state": outline.state.name(),
        "request": attempt.request,
        "openedAt": attempt.opened_at,
        "times": {
            "asked": time(times.asked),
            "opened": times.opened.map(time),
            "started": times.started.map(time),
            "committed": times.committed.map(time),
            "judged": times.judged.map(time),
        },
        "limits": attempt.limits,
        "devices": attempt.devices,
        "tasks": attempt.tasks,
        "logIndex": outline.attempt_index,
        "verdict": verdict.map(|verdict| json!({
            "digest": verdict_digest(outline),
            "logIndex": outline.verdict_index,
            "outcome": verdict.predicate.outcome,
            "reason": verdict.predicate.reason,
            "tasks": verdict.predicate.tasks,
        })),
        "links": {
            "receipt": format!("/api/v1/attempts/{id}/receipt"),
            "verdict": format!("/api/v1/attempts/{id}/verdict"),
            "transcript": format!("/api/v1/attempts/{id}/transcript"),
            "page": format!("/attempts/{id}"),
        },
    }))
}

/// SHA-256 of the verdict's signed bytes.
pub(crate) fn verdict_digest(outline: &Outline) -> Option<Sha256> {
    outline
        .verdict
        .as_ref()
        .map(|payload| sessions::signed_digest(payload))
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

fn receipt(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = (status, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(RECEIPT_MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        let text = error.to_string();
        let plain = |kind| Self::new(kind, text.clone());
        match error {
            SessionError::Submission(error) => error.into(),
            SessionError::Store(error) => error.into(),
            SessionError::Queue(error) => error.into(),
            SessionError::Log(error) => error.into(),
            SessionError::Receipt(error) => error.into(),
            SessionError::Request(_) => plain(problem::BAD_STATEMENT),
            SessionError::Stale(_) => plain(problem::STALE_REQUEST),
            SessionError::Dear { .. } => plain(problem::CHECK_TOO_DEAR),
            SessionError::TooMany { wait, .. } => {
                plain(problem::RATE_LIMITED).retry_after(wait.as_secs() + 1)
            }
            SessionError::KeyFull { .. } | SessionError::Full { .. } => {
                plain(problem::TOO_MANY_ATTEMPTS).retry_after(30)
            }
            SessionError::NoSuch(_) | SessionError::NoTask { .. } => plain(problem::NOT_FOUND),
            SessionError::NoToken => plain(problem::NO_TOKEN),
            SessionError::OtherToken => plain(problem::WRONG_TOKEN),
            SessionError::State { .. }
            | SessionError::Checking { .. }
            | SessionError::Twice { .. }
            | SessionError::Moved => plain(problem::WRONG_STATE),
            SessionError::Late { .. } => plain(problem::TOO_LATE),
            SessionError::Body(_) => plain(problem::BAD_BODY),
            SessionError::RootSignature => plain(problem::BAD_SIGNATURE),
            SessionError::BeingChecked => plain(problem::BEING_CHECKED).retry_after(1),
            SessionError::ChecksFull(_) => plain(problem::CHECKS_FULL).retry_after(2),
            SessionError::Stopping => plain(problem::NOT_RECORDED).retry_after(2),
            SessionError::Random(_)
            | SessionError::Damaged(_)
            | SessionError::Thread(_)
            | SessionError::Jcs(_) => {
                crate::diary::event("session_failed", &[("error", &text)]);
                Self::new(
                    problem::INTERNAL,
                    "this step failed; the registry's diary names the cause",
                )
            }
        }
    }
}
