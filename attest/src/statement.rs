//! The signed document: an in-toto Statement v1 with Hallmark's predicate.
//!
//! Everything measured is an integer whose unit stands in its name: nanoseconds, picoseconds, bytes, millijoules, parts
//! per billion. Counts that may exceed 2^53-1 are [`Count`]s. The members are those of the types below, in lowerCamelCase;
//! `hallmark schema statement` prints them as a JSON Schema. A statement is written in canonical form ([`crate::jcs`]), read in
//! any, and has at most [`MAX_STATEMENT_BYTES`].
//!
//! # What a reader recomputes
//!
//! [`Statement::read`] accepts a statement only when all of this holds, and a signer is held to the same:
//!
//! * **Subjects.** `subject[0]` names the run file by SHA-256; `subject[i+1]` is `device/<i>` with the [`identity`] of device i.
//! * **Devices.** Ids are `<api>:<number>` and unique. A CPU is of kind `cpu`; a Vulkan driver that runs on the processor is
//!   `software` and never `gpu`.
//! * **Specifications.** They are embedded. A record names one by its digest, recomputed from the embedded text, whose id is
//!   the record's workload and which has the record's case, name, size and dimensions.
//! * **Work.** FLOP and bytes are those of the specification's formulas for the case.
//! * **Samples.** At least 6 and at most 512, each at least 1,000 ticks of its clock. The summary is that of [`crate::stats`],
//!   figure by figure. A record that stopped as `converged` has an interval within 1 % of its median, one that stopped as
//!   `full` has all the samples a record holds.
//! * **Modes.** A complete sustained record was sampled for 60 s at least by the host's clock and did not stop as
//!   `converged`. The stretches of its throttle cover its samples.
//! * **Sessions.** None, or at least two: in order, from the measurement's start to its end, with all its records.
//! * **Clocks.** `witness.deviceNs` is the sum of the samples. Once either clock counted a second, `hostNs` and `deviceNs` differ by
//!   at most 2 % of `hostNs`. CUDA events time CUDA devices only, Vulkan timestamps Vulkan devices only.
//! * **Quality.** Of the specification's class; at least one element compared; `elements` those of the case's outputs. A
//!   complete record has no error beyond the tolerance. Exact outputs of one case and seed are equal across the statement.
//! * **Caveats.** A record that was throttled, shared or cut short, or whose interval is wider than 5 %, says so
//!   ([`Record::required_caveats`]). A power limit or set clocks ([`Conditions::limits`]) are no throttling.
//! * **Status.** Complete records have samples and quality and no reason; all others give their reason; an unsupported one has
//!   neither samples nor quality. A complete suite has records, none of them partial. No case stands twice for one
//!   path, device and cache. Only a record of the vendor path names a library.
//! * **Proofs.** Each names a device of the statement, counts what its work gives, and stands once for a device and workload.
//! * **Evidence.** Only `claimed`: nothing else can be shown by a signature alone. What the registry's verdicts add is found by
//!   [`crate::evidence`].
//! * **Text.** Shown text is not empty and holds no control characters but tab and newline.

mod challenge;
mod check;
mod count;
mod device;
mod flat;
mod read;
mod record;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use challenge::{Attempt, ProofRef};
pub use check::RecordError;
pub use count::{Count, MAX_SAFE_INTEGER};
pub use device::{Api, Device, DeviceKind, Driver, identity};
pub use read::{StatementError, VerifiedStatement};
pub use record::{
    CaseRef, Caveat, Conditions, Evidence, Library, Mode, Moment, PathClass, Quality, Record, Status, Stop,
    Stretch, Timer, TimerSource, Timing, Warmup, Witness, Work,
};

use crate::digest::Sha256;
use crate::spec::Spec;

pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
pub const PREDICATE_TYPE: &str = "urn:hallmark:attestation:compute-performance:v1";

/// Largest statement in bytes that is written or read.
pub const MAX_STATEMENT_BYTES: usize = 1 << 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// First the run file, then `device/<i>` for each device.
    pub subject: Vec<Subject>,
    pub predicate_type: String,
    pub predicate: Predicate,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    pub name: String,
    pub digest: DigestSet,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DigestSet {
    pub sha256: Sha256,
}

/// What a signer says of one run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    #[serde(flatten)]
    pub measured: Measured,
    /// A checkpoint seen before signing: the statement was not signed before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// The attempt this run belongs to, when the run was challenged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// What was proven on the registry's clock, by verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<ProofRef>,
    /// Digests of withheld private facts (RFC 9901), sorted.
    #[serde(rename = "_sd", default, skip_serializing_if = "Vec::is_empty")]
    pub sd: Vec<String>,
    #[serde(rename = "_sd_alg", default, skip_serializing_if = "Option::is_none")]
    pub sd_alg: Option<String>,
}

/// What one run found; the public part of a run file, and the body of the predicate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub tool: Tool,
    pub suite: SuiteRef,
    /// Device code that ran, byte for byte.
    pub code: Vec<Code>,
    /// RFC 3339 with Z, by the provider's clock.
    pub measurement_started_at: String,
    pub measurement_finished_at: String,
    /// The sittings of a run that was interrupted and resumed, in order; absent for a run made in one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<Session>,
    pub devices: Vec<Device>,
    /// Facts about the host that anyone may read: operating system, kernel, processor, memory.
    pub environment: BTreeMap<String, String>,
    /// The specifications the records refer to by digest.
    pub specs: Vec<Spec>,
    pub records: Vec<Record>,
    /// How far the parts of this document are supported.
    pub evidence: Vec<EvidenceNote>,
}

/// One sitting of a resumed run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// RFC 3339 with Z, by the provider's clock.
    pub started_at: String,
    /// When its last record was written.
    pub finished_at: String,
    /// Records of the statement that it measured.
    pub records: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    pub name: String,
    pub version: String,
    /// SHA-256 of the program file.
    pub digest: DigestSet,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuiteRef {
    /// `smoke`, `standard`, `full`, or `custom` when workloads were picked by hand.
    pub name: String,
    pub version: u64,
    /// SHA-256 of the suite's RFC 8785 bytes: its cases and sampling rule.
    pub digest: Sha256,
    /// False when the run was interrupted or any record of the suite is missing.
    pub complete: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Code {
    /// Path inside the source tree: `kernels/src/gemm_f32/gemm_f32.spv`.
    pub path: String,
    pub sha256: Sha256,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Freshness {
    pub origin: String,
    pub tree_size: u64,
    pub root_hash: Sha256,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceNote {
    /// The part spoken of: `records`, `devices`, `environment`.
    pub field: String,
    pub level: Evidence,
}
