//! Every path the registry answers, as one table. The router and the API description are both made from it.

mod attempts;
mod attestations;
mod log;
mod pages;
mod probes;

use axum::routing::MethodRouter;

use super::Shared;
use super::problem::{self, Kind};

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
    let tables = [
        attestations::ROUTES,
        attempts::ROUTES,
        log::ROUTES,
        probes::ROUTES,
        pages::ROUTES,
    ];
    tables.into_iter().flatten()
}

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
