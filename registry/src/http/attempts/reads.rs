//! What anybody may read of attempts.

use attest::digest::Sha256;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::digest;
use crate::http::listing::{DEFAULT_LIMIT, MAX_LIMIT, Parameters, time};
use crate::http::problem::Problem;
use crate::http::reply::{self, Keep};
use crate::http::{App, Shared, blocking};
use crate::sessions::{self, SessionError};
use crate::store::sessions::{Kept, Outline, SessionQuery};

/// A page of attempts, and where the next one begins.
pub(crate) struct Outlines {
    pub(crate) attempts: Vec<Outline>,
    pub(crate) next: Option<u64>,
}

pub(in crate::http) async fn show(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let kept = kept(app, &id)?;
        let mut shown = document(&kept.outline)?;
        shown["commitments"] = commitments(&kept)?;
        Ok(reply::json(&headers, Keep::Seconds(0), &shown))
    })
    .await
}

pub(in crate::http) async fn receipt_of(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let bytes = app.sessions.receipt(&kept(app, &id)?)?;
        Ok(reply::body(
            &headers,
            reply::RECEIPT_MEDIA_TYPE,
            Keep::Seconds(0),
            bytes,
        ))
    })
    .await
}

pub(in crate::http) async fn verdict(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let bytes = app.sessions.verdict_receipt(&kept(app, &id)?)?;
        Ok(reply::body(
            &headers,
            reply::RECEIPT_MEDIA_TYPE,
            Keep::Seconds(0),
            bytes,
        ))
    })
    .await
}

pub(in crate::http) async fn transcript(
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

pub(in crate::http) async fn list(
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

/// For each task its root and time, once it came: what a provider asks for whose answer was lost.
fn commitments(kept: &Kept) -> Result<Value, SessionError> {
    let session = sessions::exchange(kept)?;
    let commitments = session.commitments.iter().map(|commitment| {
        let commitment = commitment.as_ref()?;
        Some(json!({"root": commitment.signed.root, "elapsedNs": commitment.elapsed_ns}))
    });
    Ok(commitments.collect())
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
        .map(|payload| attest::dsse::signed_digest(payload))
}
