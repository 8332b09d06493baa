//! `POST /api/v1/attestations`: verified before the queue, answered after publication.

use std::sync::Arc;

use attest::receipt;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::oneshot;

use super::problem::{self, Problem};
use super::{Shared, attestations, blocking, bodies, reply};
use crate::log::{Job, Outcome, QueueError, Unlogged};
use crate::receipts;
use crate::store::Accepted;
use crate::submission::{self, SubmissionError};

/// Seconds after which a client whose entry was not confirmed should submit it again.
const RETRY_AFTER: u64 = 2;

pub(super) async fn submit(State(app): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    match try_submit(&app, &headers, body).await {
        Ok(response) => response,
        Err(problem) => {
            app.metrics.submitted(problem.kind.slug);
            problem.into_response()
        }
    }
}

async fn try_submit(app: &Shared, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    bodies::check_media_type(headers)?;
    let body = bodies::read(body, headers, app.limits.body_bytes, &app.limits).await?;
    let accepted = blocking(app, move |app| {
        let now = jiff::Timestamp::now();
        Ok(Arc::new(submission::accept(&body, now, app.store.as_ref())?))
    })
    .await?;
    let (reply, answer) = oneshot::channel();
    let job = Job {
        accepted: Arc::clone(&accepted),
        reply,
    };
    app.queue.push(job)?;
    let outcome = answer.await.map_err(|_| {
        Problem::new(
            problem::NOT_RECORDED,
            "the registry is stopping; submit again later",
        )
    })??;
    match outcome {
        Outcome::Logged { index, note, path } => {
            let receipt = receipt::build(&accepted.envelope, &accepted.key, index, &note, &path, &app.trust)
                .map_err(|error| attestations::broken_receipt(&error))?;
            app.metrics.submitted("logged");
            Ok(with_receipt(StatusCode::CREATED, &accepted, receipt))
        }
        Outcome::Known(place) => {
            let receipt = blocking(app, move |app| {
                Ok(receipts::receipt(app.store.as_ref(), &app.trust, place)?)
            })
            .await?;
            app.metrics.submitted("known");
            Ok(with_receipt(StatusCode::OK, &accepted, receipt))
        }
    }
}

fn with_receipt(status: StatusCode, accepted: &Accepted, receipt: Vec<u8>) -> Response {
    let location = format!("/api/v1/attestations/{}?key={}", accepted.digest, accepted.key_id);
    let location = HeaderValue::from_str(&location).expect("hexadecimal digits");
    let mut response = reply::receipt(status, receipt);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Full(waiting) => {
                let detail = format!("{waiting} submissions are waiting already; nothing was recorded");
                Self::new(problem::QUEUE_FULL, detail).retry_after(RETRY_AFTER)
            }
            QueueError::Closed => Self::new(
                problem::NOT_RECORDED,
                "the registry is stopping; nothing was recorded",
            )
            .retry_after(RETRY_AFTER),
        }
    }
}

impl From<Unlogged> for Problem {
    fn from(unlogged: Unlogged) -> Self {
        match unlogged {
            // The cause names files of the server, so it stays in the diary.
            Unlogged::Storage(_) => Self::new(
                problem::NOT_RECORDED,
                "the entry may or may not be in the log; submit it again: that never logs it twice",
            )
            .retry_after(RETRY_AFTER),
            Unlogged::Halted(_) => Self::new(
                problem::LOG_STOPPED,
                "the log found itself inconsistent and accepts nothing until its operator has looked",
            )
            .retry_after(300),
        }
    }
}

impl From<SubmissionError> for Problem {
    fn from(error: SubmissionError) -> Self {
        let kind = match error {
            SubmissionError::Store(error) => return error.into(),
            SubmissionError::Body(_) => problem::BAD_BODY,
            SubmissionError::KeyText(_) | SubmissionError::Key(_) => problem::BAD_KEY,
            SubmissionError::Envelope(_) => problem::BAD_ENVELOPE,
            SubmissionError::Signature => problem::BAD_SIGNATURE,
            SubmissionError::Statement(_)
            | SubmissionError::TooManyDevices { .. }
            | SubmissionError::LongName { .. } => problem::BAD_STATEMENT,
        };
        Self::new(kind, error.to_string())
    }
}
