//! Every path the registry answers, as one table. The router and the API description are both made from it.

mod attempts;

use axum::routing::{MethodRouter, get};

use super::problem::{self, Kind};
use super::{Shared, attestations, listing, log_files, probes, submit};
use crate::pages;

/// One path, its methods and their description.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) handlers: fn() -> MethodRouter<Shared>,
    pub(crate) operations: &'static [Operation],
}

pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) parameters: &'static [Parameter],
    /// Whether it takes the session's token.
    pub(crate) token: bool,
    /// Name of the request body's schema.
    pub(crate) body: Option<&'static str>,
    pub(crate) answers: &'static [Answer],
    pub(crate) problems: &'static [&'static Kind],
}

#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// `path` or `query`.
    pub(crate) place: &'static str,
    pub(crate) schema: &'static str,
    pub(crate) about: &'static str,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) media_type: &'static str,
    /// Name of a schema; none for bytes and pages.
    pub(crate) schema: Option<&'static str>,
    pub(crate) about: &'static str,
}

const DIGEST: Parameter = Parameter {
    name: "digest",
    place: "path",
    schema: "Digest",
    about: "SHA-256 of the envelope's pre-authentication encoding.",
};

const KEY: Parameter = Parameter {
    name: "key",
    place: "query",
    schema: "Digest",
    about: "Key id: SHA-256 of the signer's SubjectPublicKeyInfo. Several keys may sign one statement; without it, the first logged.",
};

const fn query(name: &'static str, schema: &'static str, about: &'static str) -> Parameter {
    Parameter {
        name,
        place: "query",
        schema,
        about,
    }
}

const KIND: Parameter = query(
    "kind",
    "Kind",
    "Which entries of the log; attestations when absent.",
);

const LIST: [Parameter; 6] = [
    query("device", "Text", "Exact name of a device."),
    query("workload", "Text", "Workload id, such as gemm.f32.v1."),
    query("key", "Digest", "Key id of the signer."),
    query(
        "evidence",
        "Text",
        "Least support of any part: claimed, challenged, timed or rooted.",
    ),
    query("limit", "Limit", "Most entries in one answer; 50 when absent."),
    query("cursor", "Cursor", "`next` of the answer before."),
];

const fn answer(
    status: u16,
    media_type: &'static str,
    schema: Option<&'static str>,
    about: &'static str,
) -> Answer {
    Answer {
        status,
        media_type,
        schema,
        about,
    }
}

/// A read, which may answer 304 and may be refused for its rate or for lack of storage.
const fn read(
    id: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    answers: &'static [Answer],
    problems: &'static [&'static Kind],
) -> Operation {
    Operation {
        method: "get",
        id,
        summary,
        parameters,
        token: false,
        body: None,
        answers,
        problems,
    }
}

const HTML: &str = "text/html; charset=utf-8";
const LOOKUP: &[&Kind] = &[
    problem::BAD_DIGEST,
    problem::BAD_QUERY,
    problem::NOT_FOUND,
    problem::RATE_LIMITED,
    problem::STORAGE,
];
const PLAIN: &[&Kind] = &[problem::RATE_LIMITED];

/// Every route.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(attempts::ROUTES)
}

const ROUTES: &[Route] = &[
    Route {
        path: "/api/v1/attestations",
        handlers: || get(listing::list).post(submit::submit),
        operations: &[
            Operation {
                method: "post",
                id: "submitAttestation",
                summary: "Logs a signed statement. Answers when it is durable and in a published checkpoint; repeating it is safe and gives the same receipt.",
                parameters: &[],
                token: false,
                body: Some("Submission"),
                answers: &[
                    answer(201, submit::RECEIPT_MEDIA_TYPE, Some("Receipt"), "Logged now."),
                    answer(
                        200,
                        submit::RECEIPT_MEDIA_TYPE,
                        Some("Receipt"),
                        "The same key had this statement logged before.",
                    ),
                ],
                problems: &[
                    problem::BAD_BODY,
                    problem::BAD_KEY,
                    problem::BAD_ENVELOPE,
                    problem::BODY_TIMEOUT,
                    problem::BODY_TOO_LARGE,
                    problem::WRONG_MEDIA_TYPE,
                    problem::BAD_SIGNATURE,
                    problem::BAD_STATEMENT,
                    problem::RATE_LIMITED,
                    problem::INTERNAL,
                    problem::QUEUE_FULL,
                    problem::NOT_RECORDED,
                    problem::LOG_STOPPED,
                ],
            },
            read(
                "listAttestations",
                "Attestations, newest first, by device, workload and key; `kind` asks for the log's other entries. The index behind it is rebuildable from the log and not part of it; `tree` says what it covers.",
                &[LIST[0], LIST[1], LIST[2], LIST[3], LIST[4], KIND],
                &[answer(200, "application/json", Some("List"), "One page.")],
                &[problem::BAD_QUERY, problem::RATE_LIMITED, problem::STORAGE],
            ),
        ],
    },
    Route {
        path: "/api/v1/attestations/{digest}",
        handlers: || get(attestations::show),
        operations: &[read(
            "readAttestation",
            "One attestation: its place in the log and the statement as it was signed.",
            &[DIGEST, KEY],
            &[answer(
                200,
                "application/json",
                Some("Attestation"),
                "The attestation.",
            )],
            LOOKUP,
        )],
    },
    Route {
        path: "/api/v1/attestations/{digest}/envelope",
        handlers: || get(attestations::envelope),
        operations: &[read(
            "readEnvelope",
            "The DSSE envelope.",
            &[DIGEST, KEY],
            &[answer(
                200,
                attest::dsse::ENVELOPE_MEDIA_TYPE,
                Some("Envelope"),
                "The envelope.",
            )],
            LOOKUP,
        )],
    },
    Route {
        path: "/api/v1/attestations/{digest}/receipt",
        handlers: || get(attestations::receipt_of),
        operations: &[read(
            "readReceipt",
            "The receipt the entry was acknowledged with: a Sigstore bundle that verifies offline.",
            &[DIGEST, KEY],
            &[answer(
                200,
                submit::RECEIPT_MEDIA_TYPE,
                Some("Receipt"),
                "The receipt.",
            )],
            LOOKUP,
        )],
    },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_parameter_is_described_and_every_operation_named_once() {
        let mut ids = Vec::new();
        for route in all() {
            for operation in route.operations {
                ids.push(operation.id);
                let named: Vec<_> = operation
                    .parameters
                    .iter()
                    .filter(|p| p.place == "path")
                    .map(|p| p.name)
                    .collect();
                let wanted: Vec<_> = route
                    .path
                    .split('/')
                    .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                    .map(|name| name.trim_start_matches('*'))
                    .collect();
                assert_eq!(named, wanted, "{}", route.path);
            }
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
