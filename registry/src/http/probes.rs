//! For whoever runs the registry.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};

use super::problem::{self, Problem};
use super::reply::{self, Keep};
use super::{Shared, blocking, openapi};
use crate::log::Condition;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The database answers and the log accepts.
pub(super) async fn readyz(State(app): State<Shared>) -> Result<&'static str, Problem> {
    blocking(&app, |app| {
        match app.published.condition() {
            Condition::Ready => {}
            Condition::Stalled(_) => {
                let detail = "storage fails; the log retries by itself. The diary on stderr names the cause";
                return Err(Problem::new(problem::STORAGE, detail).retry_after(5));
            }
            Condition::Halted(_) => {
                let detail = "the log has stopped. The diary on stderr names the cause; run `hallmark fsck`";
                return Err(Problem::new(problem::LOG_STOPPED, detail));
            }
        }
        app.store.head()?;
        Ok("ready\n")
    })
    .await
}

pub(super) async fn metrics(State(app): State<Shared>) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        app.metrics.render(),
    )
        .into_response()
}

pub(super) async fn openapi(headers: HeaderMap) -> Response {
    reply::json(&headers, Keep::Seconds(300), &openapi::document())
}
