//! The table as JSON; the schema stands in the module above.

use attest::digest::Sha256;
use attest::statement::{Session, SuiteRef, Tool};
use serde::Serialize;

use super::{ProofRow, Row, proofs, rows};
use crate::imported::Imported;
use crate::{Check, LogPlace, Shown};

/// `format` of the JSON table.
pub const JSON_FORMAT: &str = "urn:hallmark:report:table:v1";

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    attestations: Vec<Attestation<'a>>,
    rows: Vec<Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    proofs: Vec<ProofRow>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    imported: &'a [Imported],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attestation<'a> {
    digest: Sha256,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<Sha256>,
    tool: &'a Tool,
    suite: &'a SuiteRef,
    measurement_started_at: &'a str,
    measurement_finished_at: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    sessions: &'a [Session],
    checks: &'a [Check],
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a LogPlace>,
}

/// All records and the attestations they come from.
pub fn json(shown: &[Shown<'_>]) -> String {
    json_with_imported(shown, &[])
}

/// The same, and figures that other tools measured under `imported`.
pub fn json_with_imported(shown: &[Shown<'_>], imported: &[Imported]) -> String {
    let document = Document {
        format: JSON_FORMAT,
        attestations: shown.iter().map(attestation).collect(),
        rows: rows(shown),
        proofs: proofs(shown),
        imported,
    };
    let text =
        serde_json::to_string_pretty(&document).expect("string keys and plain values have a JSON form");
    text + "\n"
}

fn attestation<'a>(one: &'a Shown<'_>) -> Attestation<'a> {
    let measured = &one.statement.predicate.measured;
    Attestation {
        digest: one.digest,
        key_id: one.key_id,
        tool: &measured.tool,
        suite: &measured.suite,
        measurement_started_at: &measured.measurement_started_at,
        measurement_finished_at: &measured.measurement_finished_at,
        sessions: &measured.sessions,
        checks: &one.checks,
        log: one.log.as_ref(),
    }
}
