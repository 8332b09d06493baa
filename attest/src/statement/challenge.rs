//! What ties a run to the registry's clock: the attempt whose nonce its seed follows from, and what was proven.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::proof::{Proven, Work, seeds};

/// The attempt a run was made under. Its inputs' seed follows from these and the signer's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub log_index: u64,
    /// SHA-256 of the attempt's signed bytes.
    pub digest: Sha256,
    pub nonce: Sha256,
}

impl Attempt {
    /// Seed of the inputs of a run under this attempt by the key `key_id`.
    pub fn seed(&self, key_id: &Sha256) -> Sha256 {
        seeds::run(&seeds::session(&self.nonce, key_id, &self.digest))
    }
}

/// A proof as its verdict has it: what was shown for one device of the statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProofRef {
    /// SHA-256 of the verdict's signed bytes.
    pub verdict: Sha256,
    pub log_index: u64,
    /// Index into the statement's devices.
    pub device: u32,
    #[serde(flatten)]
    pub work: Work,
    pub proven: Proven,
}
