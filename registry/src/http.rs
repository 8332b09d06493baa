//! The HTTP side: what a request passes through before and after its handler.

mod attempts;
mod attestations;
mod bodies;
mod listing;
mod log_files;
mod openapi;
mod probes;
mod problem;
mod reply;
mod routes;
mod server;
mod submit;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use attest::checkpoint::LogTrust;
use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Extensions, HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::config::Limits;
use crate::diary;
use crate::log::{Published, Queue};
use crate::metrics::Metrics;
use crate::rate::{Limiter, subscriber};
use crate::sessions::Sessions;
use crate::store::{Head, Store};

pub(crate) use attempts::{Outlines, kept, outlines, verdict_digest};
pub(crate) use attestations::{Attestation, find};
pub(crate) use listing::{Listed, Parameters, page, time};
pub(crate) use openapi::document as interface;
pub(crate) use problem::Problem;
pub(crate) use reply::{Keep, body};
pub(crate) use server::{Served, serve};

/// Everything a handler may use.
pub(crate) struct App {
    pub(crate) origin: String,
    pub(crate) trust: LogTrust,
    pub(crate) trusted_root: String,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) published: Arc<Published>,
    pub(crate) queue: Queue,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log_requests: bool,
    pub(crate) submissions: Option<Limiter<IpAddr>>,
    pub(crate) reads: Option<Limiter<IpAddr>>,
    pub(crate) sessions: Arc<Sessions>,
}

pub(crate) type Shared = Arc<App>;

/// Who sent a request: the other end of its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl App {
    pub(crate) fn limiter(rate: Option<crate::config::Rate>) -> Option<Limiter<IpAddr>> {
        rate.map(Limiter::new)
    }

    pub(crate) fn head(&self) -> Arc<Head> {
        self.published.head()
    }
}

/// Runs blocking work, such as a database read, off the threads that serve connections.
pub(crate) async fn blocking<T: Send + 'static>(
    app: &Shared,
    work: impl FnOnce(&App) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let app = Arc::clone(app);
    match tokio::task::spawn_blocking(move || work(&app)).await {
        Ok(done) => done,
        Err(error) => {
            diary::event("handler_failed", &[("error", &error.to_string())]);
            Err(Problem::new(problem::INTERNAL, "the request ended unexpectedly"))
        }
    }
}

pub(crate) fn not_found(detail: &str) -> Problem {
    Problem::new(problem::NOT_FOUND, detail)
}

pub(crate) fn router(app: Shared) -> Router {
    let mut router = Router::new();
    for route in routes::all() {
        router = router.route(route.path, (route.handlers)());
    }
    router
        .fallback(|| async {
            Problem::new(problem::NOT_FOUND, "no such path; /api/v1/openapi.json lists all")
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                problem::METHOD_NOT_ALLOWED,
                "see /api/v1/openapi.json for the methods of this path",
            )
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&app), around))
        .with_state(app)
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Request id, rate limit, protective headers, metrics and the diary.
async fn around(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    request.headers_mut().remove(REQUEST_ID);
    let method = request.method().clone();
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_owned(),
        None => "other".to_owned(),
    };
    let mut response = match limit(&app, &request, &route) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    protect(&mut response, &id);
    let (status, took) = (response.status().as_u16(), started.elapsed());
    app.metrics.answered(&route, status, took);
    if app.log_requests {
        let fields = [
            ("id", Value::from(id)),
            ("method", method.as_str().into()),
            ("route", route.into()),
            ("status", status.into()),
            ("micros", (took.as_micros() as u64).into()),
        ];
        diary::record("request", fields.map(|(key, value)| (key.to_owned(), value)));
    }
    response
}

/// The caller's id when it is short and plain, else a fresh one.
fn request_id(request: &Request) -> String {
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match given {
        Some(id)
            if (1..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') =>
        {
            id.to_owned()
        }
        _ => {
            let mut bytes = [0; 8];
            // Without randomness ids collide; nothing rests on them.
            let _ = getrandom::fill(&mut bytes);
            hex::encode(bytes)
        }
    }
}

fn limit(app: &App, request: &Request, route: &str) -> Result<(), Problem> {
    match (route, request.method()) {
        ("/healthz" | "/readyz" | "/metrics", _) => Ok(()),
        // Timed to its last byte, so nothing is waited for before it was read; its handler asks then.
        (attempts::COMMITMENT, &Method::POST) => Ok(()),
        (_, &Method::POST) => allowed(app, &app.submissions, request.extensions()),
        _ => allowed(app, &app.reads, request.extensions()),
    }
}

/// Whether this peer may ask now.
fn allowed(app: &App, limiter: &Option<Limiter<IpAddr>>, extensions: &Extensions) -> Result<(), Problem> {
    let Some(limiter) = limiter else { return Ok(()) };
    let peer = match extensions.get::<Peer>() {
        Some(Peer(address)) => address.ip(),
        None => IpAddr::from([0, 0, 0, 0]),
    };
    limiter
        .take(subscriber(peer), 1.0, Instant::now())
        .map_err(|wait| {
            app.metrics.rate_limited.add(1);
            let seconds = wait.as_secs() + 1;
            Problem::new(
                problem::RATE_LIMITED,
                format!("this address may ask again in {seconds} s"),
            )
            .retry_after(seconds)
        })
}

/// Pages take scripts, styles and images from this server alone, and talk to it alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

fn protect(response: &mut Response<Body>, id: &str) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}
