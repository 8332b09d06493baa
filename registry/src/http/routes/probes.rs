//! What monitors and programs ask.

use axum::routing::get;

use super::{PLAIN, Route, answer, read};
use crate::http::{probes, problem};

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/api/v1/openapi.json",
        handlers: || get(probes::openapi),
        operations: &[read(
            "readApi",
            "This description.",
            &[],
            &[answer(200, "application/json", None, "OpenAPI 3.1.")],
            PLAIN,
        )],
    },
    Route {
        path: "/healthz",
        handlers: || get(probes::healthz),
        operations: &[read(
            "health",
            "The process answers.",
            &[],
            &[answer(200, "text/plain; charset=utf-8", None, "ok")],
            &[],
        )],
    },
    Route {
        path: "/readyz",
        handlers: || get(probes::readyz),
        operations: &[read(
            "readiness",
            "The database answers and the log accepts.",
            &[],
            &[answer(200, "text/plain; charset=utf-8", None, "ready")],
            &[problem::STORAGE, problem::LOG_STOPPED],
        )],
    },
    Route {
        path: "/metrics",
        handlers: || get(probes::metrics),
        operations: &[read(
            "metrics",
            "Counters in Prometheus' text format.",
            &[],
            &[answer(
                200,
                "text/plain; version=0.0.4; charset=utf-8",
                None,
                "Metrics.",
            )],
            &[],
        )],
    },
];
