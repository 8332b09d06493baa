//! A statement with what its reader found out about it.

use attest::digest::Sha256;
use attest::evidence::Assessment;
use attest::statement::Statement;
use serde::Serialize;

/// What a table or page is drawn from.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    pub statement: &'a Statement,
    /// SHA-256 over the envelope's PAE: the attestation's public id.
    pub digest: Sha256,
    /// SHA-256 over the signer's SPKI; absent for a run that nobody has signed.
    pub key_id: Option<Sha256>,
    /// What was verified, in the order it was done.
    pub checks: Vec<Check>,
    /// What supports each figure, where verdicts were looked for.
    pub assessment: Option<Assessment>,
    /// Where the log holds it; absent for a statement that was never submitted.
    pub log: Option<LogPlace>,
}

/// One thing a verifier looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was checked: `signature`, `statistics recomputed`.
    pub name: String,
    pub verdict: Verdict,
    /// The values seen, or why the check was not made.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Passed,
    Failed,
    /// Not made; never to be read as passed.
    NotChecked,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotChecked => "not checked",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogPlace {
    /// The log's name, first line of its checkpoints.
    pub origin: String,
    /// Leaf index, from 0.
    pub index: u64,
    /// Leaves under the checkpoint that the inclusion proof leads to.
    pub tree_size: u64,
}
