//! The paths of attestations.

use axum::routing::get;

use super::{DIGEST, KEY, LIST, LOOKUP, Operation, Parameter, Route, answer, query, read};
use crate::http::{attestations, listing, problem, reply, submit};

const KIND: Parameter = query(
    "kind",
    "Kind",
    "Which entries of the log; attestations when absent.",
);

pub(super) const ROUTES: &[Route] = &[
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
                    answer(201, reply::RECEIPT_MEDIA_TYPE, Some("Receipt"), "Logged now."),
                    answer(
                        200,
                        reply::RECEIPT_MEDIA_TYPE,
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
                reply::RECEIPT_MEDIA_TYPE,
                Some("Receipt"),
                "The receipt.",
            )],
            LOOKUP,
        )],
    },
];
