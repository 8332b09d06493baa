//! The paths of proofs.

use axum::routing::{get, post};

use super::{Answer, HTML, Operation, Parameter, Route, answer, query, read};
use crate::http::problem::{self, Kind};
use crate::http::{attempts, reply};
use crate::pages;

const ID: Parameter = Parameter {
    name: "id",
    place: "path",
    schema: "Digest",
    about: "SHA-256 of the attempt's signed bytes.",
};

const TASK: Parameter = Parameter {
    name: "task",
    place: "path",
    schema: "Index",
    about: "Number of the task, from 0.",
};

const LIST: [Parameter; 3] = [
    query("key", "Digest", "Key id of the provider."),
    query("limit", "Limit", "Most attempts in one answer; 50 when absent."),
    query("cursor", "Cursor", "`next` of the answer before."),
];

const LOOKUP: &[&Kind] = &[
    problem::BAD_DIGEST,
    problem::NOT_FOUND,
    problem::RATE_LIMITED,
    problem::STORAGE,
];

/// What is there once the attempt is far enough.
const LATER: &[&Kind] = &[
    problem::BAD_DIGEST,
    problem::NOT_FOUND,
    problem::WRONG_STATE,
    problem::RATE_LIMITED,
    problem::INTERNAL,
    problem::STORAGE,
];

const STEP: &[&Kind] = &[
    problem::BAD_DIGEST,
    problem::NO_TOKEN,
    problem::WRONG_TOKEN,
    problem::NOT_FOUND,
    problem::BODY_TIMEOUT,
    problem::WRONG_STATE,
    problem::TOO_LATE,
    problem::BODY_TOO_LARGE,
    problem::RATE_LIMITED,
    problem::INTERNAL,
    problem::STORAGE,
    problem::NOT_RECORDED,
    problem::QUEUE_FULL,
    problem::LOG_STOPPED,
];

const RECEIPT: Answer = answer(200, reply::RECEIPT_MEDIA_TYPE, Some("Receipt"), "The receipt.");
const VERDICT: Answer = answer(
    200,
    reply::RECEIPT_MEDIA_TYPE,
    Some("Receipt"),
    "Receipt of the verdict, signed with the log's key.",
);

/// A step of the session's holder.
const fn step(
    id: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    body: Option<&'static str>,
    answers: &'static [Answer],
    problems: &'static [&'static Kind],
) -> Operation {
    Operation {
        method: "post",
        id,
        summary,
        parameters,
        token: true,
        body,
        answers,
        problems,
    }
}

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/api/v1/attempts",
        handlers: || get(attempts::list).post(attempts::open),
        operations: &[
            Operation {
                method: "post",
                id: "openAttempt",
                summary: "Opens a proof: a signed request for work on the registry's clock. Answers when the attempt is logged. The same request again, while the attempt has not ended, gives the same attempt.",
                parameters: &[],
                token: false,
                body: Some("Submission"),
                answers: &[
                    answer(
                        201,
                        reply::RECEIPT_MEDIA_TYPE,
                        Some("Receipt"),
                        "Receipt of the attempt, signed with the log's key; its name in `Location`, the session's token in `Hallmark-Session`.",
                    ),
                    answer(
                        200,
                        reply::RECEIPT_MEDIA_TYPE,
                        Some("Receipt"),
                        "This request opened this attempt before.",
                    ),
                ],
                problems: &[
                    problem::BAD_BODY,
                    problem::BAD_KEY,
                    problem::BAD_ENVELOPE,
                    problem::BODY_TIMEOUT,
                    problem::WRONG_STATE,
                    problem::BODY_TOO_LARGE,
                    problem::WRONG_MEDIA_TYPE,
                    problem::BAD_SIGNATURE,
                    problem::BAD_STATEMENT,
                    problem::STALE_REQUEST,
                    problem::CHECK_TOO_DEAR,
                    problem::RATE_LIMITED,
                    problem::TOO_MANY_ATTEMPTS,
                    problem::INTERNAL,
                    problem::STORAGE,
                    problem::QUEUE_FULL,
                    problem::NOT_RECORDED,
                    problem::LOG_STOPPED,
                ],
            },
            read(
                "listAttempts",
                "Attempts, newest first: those that failed or were given up too.",
                &LIST,
                &[answer(200, "application/json", Some("Attempts"), "One page.")],
                &[problem::BAD_QUERY, problem::RATE_LIMITED, problem::STORAGE],
            ),
        ],
    },
    Route {
        path: "/api/v1/attempts/{id}",
        handlers: || get(attempts::show),
        operations: &[read(
            "readAttempt",
            "One attempt: what was asked, how far it is, and what became of it.",
            &[ID],
            &[answer(200, "application/json", Some("Attempt"), "The attempt.")],
            LOOKUP,
        )],
    },
    Route {
        path: "/api/v1/attempts/{id}/start",
        handlers: || post(attempts::start),
        operations: &[step(
            "startAttempt",
            "Gives the nonce, once. The clock starts when this answer leaves.",
            &[ID],
            None,
            &[answer(200, "application/json", Some("Started"), "The nonce.")],
            STEP,
        )],
    },
    Route {
        path: attempts::COMMITMENT,
        handlers: || post(attempts::commit),
        operations: &[step(
            "commitTask",
            "Takes the Merkle root over one task's final states, once. The clock stops when the last byte of this body is read. Any other body that the session's holder sends here ends the attempt with a verdict; one that does not come whole is none. Never send it again: without an answer, read the attempt.",
            &[ID, TASK],
            Some("SignedRoot"),
            &[answer(
                200,
                "application/json",
                Some("Committed"),
                "The time that counts.",
            )],
            &[
                problem::BAD_BODY,
                problem::BAD_DIGEST,
                problem::NO_TOKEN,
                problem::WRONG_TOKEN,
                problem::NOT_FOUND,
                problem::BODY_TIMEOUT,
                problem::WRONG_STATE,
                problem::TOO_LATE,
                problem::BODY_TOO_LARGE,
                problem::WRONG_MEDIA_TYPE,
                problem::WRONG_ROOT,
                problem::RATE_LIMITED,
                problem::INTERNAL,
                problem::STORAGE,
                problem::QUEUE_FULL,
                problem::NOT_RECORDED,
                problem::LOG_STOPPED,
            ],
        )],
    },
    Route {
        path: "/api/v1/attempts/{id}/samples",
        handlers: || get(attempts::samples),
        operations: &[Operation {
            method: "get",
            id: "readSamples",
            summary: "The sampling secret and the lanes to open, once every task is committed.",
            parameters: &[ID],
            token: true,
            body: None,
            answers: &[answer(200, "application/json", Some("Samples"), "The lanes.")],
            problems: &[
                problem::BAD_DIGEST,
                problem::NO_TOKEN,
                problem::WRONG_TOKEN,
                problem::NOT_FOUND,
                problem::WRONG_STATE,
                problem::RATE_LIMITED,
                problem::STORAGE,
            ],
        }],
    },
    Route {
        path: "/api/v1/attempts/{id}/openings",
        handlers: || post(attempts::openings),
        operations: &[step(
            "openLanes",
            "Takes the sampled lanes and answers when they are recomputed. Repeated after the verdict, it gives the same receipt.",
            &[ID],
            Some("Openings"),
            &[VERDICT],
            &[
                problem::BAD_BODY,
                problem::BAD_DIGEST,
                problem::NO_TOKEN,
                problem::WRONG_TOKEN,
                problem::NOT_FOUND,
                problem::BODY_TIMEOUT,
                problem::WRONG_STATE,
                problem::TOO_LATE,
                problem::BODY_TOO_LARGE,
                problem::WRONG_MEDIA_TYPE,
                problem::RATE_LIMITED,
                problem::INTERNAL,
                problem::BEING_CHECKED,
                problem::CHECKS_FULL,
                problem::STORAGE,
                problem::QUEUE_FULL,
                problem::NOT_RECORDED,
                problem::LOG_STOPPED,
            ],
        )],
    },
    Route {
        path: "/api/v1/attempts/{id}/abort",
        handlers: || post(attempts::abort),
        operations: &[step(
            "abortAttempt",
            "Gives the attempt up. It stays in the log, with a verdict that says so.",
            &[ID],
            None,
            &[VERDICT],
            STEP,
        )],
    },
    Route {
        path: "/api/v1/attempts/{id}/receipt",
        handlers: || get(attempts::receipt_of),
        operations: &[read(
            "readAttemptReceipt",
            "Receipt of the attempt.",
            &[ID],
            &[RECEIPT],
            LATER,
        )],
    },
    Route {
        path: "/api/v1/attempts/{id}/verdict",
        handlers: || get(attempts::verdict),
        operations: &[read(
            "readVerdict",
            "Receipt of the verdict, once there is one.",
            &[ID],
            &[RECEIPT],
            LATER,
        )],
    },
    Route {
        path: "/api/v1/attempts/{id}/transcript",
        handlers: || get(attempts::transcript),
        operations: &[read(
            "readTranscript",
            "Everything that was said, once there is a verdict: anybody can recompute it from this, offline.",
            &[ID],
            &[answer(
                200,
                "application/json",
                Some("Transcript"),
                "The transcript.",
            )],
            LATER,
        )],
    },
    Route {
        path: "/attempts",
        handlers: || get(pages::attempts),
        operations: &[read(
            "pageAttempts",
            "The newest attempts, for people. Takes the list's parameters.",
            &LIST,
            &[answer(200, HTML, None, "A page.")],
            &[problem::BAD_QUERY, problem::RATE_LIMITED, problem::STORAGE],
        )],
    },
    Route {
        path: "/attempts/{id}",
        handlers: || get(pages::attempt),
        operations: &[read(
            "pageAttempt",
            "One attempt with each step's time and its verdict, for people.",
            &[ID],
            &[answer(200, HTML, None, "A page.")],
            LOOKUP,
        )],
    },
];
