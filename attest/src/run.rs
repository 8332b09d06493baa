//! The run file: what `hallmark run` writes and `hallmark sign` reads. It stays with the provider.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::statement::{Measured, Mode, PathClass};

pub const RUN_FORMAT: &str = "urn:hallmark:run:v1";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub format: String,
    #[serde(flatten)]
    pub measured: Measured,
    /// UUID of each device in order; only their salted identity is signed and logged.
    pub device_uuids: Vec<String>,
    /// Facts that are signed as digests and shown to whom the provider chooses: host name, serials, location.
    pub private: BTreeMap<String, String>,
    /// What was asked for, so that a run that was cut short can be resumed; absent in files of other makers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// The command that began a run. Its devices are those of the run file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Name of the suite, also where the statement says `custom`.
    pub suite: String,
    /// Only workloads whose id starts with one of these; empty for all.
    pub only: Vec<String>,
    /// No workload whose id starts with one of these.
    pub skip: Vec<String>,
    /// Only these paths; absent for the portable one and what else each device has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathClass>,
    pub mode: Mode,
    pub seed: Sha256,
    /// Sampling time of each record, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_ms: Option<u64>,
    /// Time of the whole run, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_budget_ms: Option<u64>,
}
