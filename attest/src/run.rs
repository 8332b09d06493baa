//! The run file: what `hallmark run` writes and `hallmark sign` reads. It stays with the provider.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::statement::Measured;

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
}
