//! The pages of attestations and of the log, for people.

use axum::routing::get;

use super::{DIGEST, HTML, KEY, LIST, LOOKUP, Parameter, Route, answer, query, read};
use crate::http::problem;
use crate::pages;

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/",
        handlers: || get(pages::newest),
        operations: &[read(
            "pageNewest",
            "The newest attestations, for people. Takes the list's parameters.",
            &LIST,
            &[answer(200, HTML, None, "A page.")],
            &[problem::BAD_QUERY, problem::RATE_LIMITED, problem::STORAGE],
        )],
    },
    Route {
        path: "/attestations/{digest}",
        handlers: || get(pages::attestation),
        operations: &[read(
            "pageAttestation",
            "One attestation with its checks, for people.",
            &[DIGEST, KEY],
            &[answer(200, HTML, None, "A page.")],
            LOOKUP,
        )],
    },
    Route {
        path: "/devices/{name}",
        handlers: || get(pages::device),
        operations: &[read(
            "pageDevice",
            "One device model with all its results, for people.",
            &[
                Parameter {
                    name: "name",
                    place: "path",
                    schema: "Text",
                    about: "Exact name of a device.",
                },
                query("limit", "Limit", "Most attestations on one page; 50 when absent."),
                query("cursor", "Cursor", "Where the page before ended."),
            ],
            &[answer(200, HTML, None, "A page.")],
            &[
                problem::BAD_QUERY,
                problem::NOT_FOUND,
                problem::RATE_LIMITED,
                problem::STORAGE,
            ],
        )],
    },
    Route {
        path: "/log",
        handlers: || get(pages::log),
        operations: &[read(
            "pageLog",
            "The checkpoint and the tree, for people.",
            &[],
            &[answer(200, HTML, None, "A page.")],
            &[problem::RATE_LIMITED, problem::STORAGE],
        )],
    },
    Route {
        path: "/assets/{file}",
        handlers: || get(pages::asset),
        operations: &[read(
            "readAsset",
            "Style and script of the pages.",
            &[Parameter {
                name: "file",
                place: "path",
                schema: "Text",
                about: "hallmark.css, report.css or verify.js.",
            }],
            &[answer(200, "text/css; charset=utf-8", None, "The file.")],
            &[problem::NOT_FOUND, problem::RATE_LIMITED],
        )],
    },
];
