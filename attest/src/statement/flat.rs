//! The predicate as it stands in JSON, all members on one level.
//!
//! serde reads a flattened struct through a copy of the whole document in memory; reading the members where they stand takes
//! a third of the time.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::{
    Attempt, Code, Device, EvidenceNote, Freshness, Measured, ProofRef, Record, Session, SuiteRef, Tool,
};
use crate::spec::Spec;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    tool: Tool,
    suite: SuiteRef,
    code: Vec<Code>,
    measurement_started_at: String,
    measurement_finished_at: String,
    #[serde(default)]
    sessions: Vec<Session>,
    devices: Vec<Device>,
    environment: BTreeMap<String, String>,
    specs: Vec<Spec>,
    records: Vec<Record>,
    evidence: Vec<EvidenceNote>,
    freshness: Option<Freshness>,
    attempt: Option<Attempt>,
    #[serde(default)]
    proofs: Vec<ProofRef>,
    #[serde(rename = "_sd", default)]
    sd: Vec<String>,
    #[serde(rename = "_sd_alg")]
    sd_alg: Option<String>,
}

impl<'de> Deserialize<'de> for super::Predicate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Predicate::deserialize(deserializer).map(Self::from)
    }
}

impl From<Predicate> for super::Predicate {
    fn from(flat: Predicate) -> Self {
        Self {
            measured: Measured {
                tool: flat.tool,
                suite: flat.suite,
                code: flat.code,
                measurement_started_at: flat.measurement_started_at,
                measurement_finished_at: flat.measurement_finished_at,
                sessions: flat.sessions,
                devices: flat.devices,
                environment: flat.environment,
                specs: flat.specs,
                records: flat.records,
                evidence: flat.evidence,
            },
            freshness: flat.freshness,
            attempt: flat.attempt,
            proofs: flat.proofs,
            sd: flat.sd,
            sd_alg: flat.sd_alg,
        }
    }
}
