//! The log's files, as any static host could serve them.

use axum::routing::get;

use super::{PLAIN, Parameter, Route, answer, read};
use crate::http::{log_files, problem};

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/checkpoint",
        handlers: || get(log_files::checkpoint),
        operations: &[read(
            "readCheckpoint",
            "The newest checkpoint, signed with ECDSA P-256 and Ed25519 (C2SP tlog-checkpoint).",
            &[],
            &[answer(200, "text/plain; charset=utf-8", None, "A signed note.")],
            PLAIN,
        )],
    },
    Route {
        path: "/tile/{*tile}",
        handlers: || get(log_files::tile),
        operations: &[read(
            "readTile",
            "A tile `<L>/<N>[.p/<W>]` or a bundle of leaves `entries/<N>[.p/<W>]` (C2SP tlog-tiles).",
            &[Parameter {
                name: "tile",
                place: "path",
                schema: "Text",
                about: "Level and number as tlog-tiles writes them; holds slashes.",
            }],
            &[answer(
                200,
                "application/octet-stream",
                None,
                "Hashes or leaves; these bytes never change.",
            )],
            &[problem::NOT_FOUND, problem::RATE_LIMITED, problem::STORAGE],
        )],
    },
    Route {
        path: "/trusted_root.json",
        handlers: || get(log_files::trusted_root),
        operations: &[read(
            "readTrustedRoot",
            "The log's public keys for Sigstore verifiers. Fetch it once, over a channel you trust.",
            &[],
            &[answer(200, "application/json", None, "A Sigstore trusted root.")],
            PLAIN,
        )],
    },
];
