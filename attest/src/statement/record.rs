//! Everything measured about one case on one device.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Count;
use crate::digest::Sha256;
use crate::spec::{Cache, Dims, Size};
use crate::stats::Summary;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// `gemm.f32.v1`
    pub workload: String,
    pub spec_digest: Sha256,
    pub case: CaseRef,
    pub path: PathClass,
    /// What ran it, where that was a vendor's library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<Library>,
    /// Index into the statement's devices.
    pub device: u32,
    pub status: Status,
    /// Why the case did not run or is not whole; present unless [`Status::Complete`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seed of every input stream.
    pub seed: Sha256,
    /// How far the figures of this record are supported.
    pub evidence: Evidence,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// The state of the device before, during and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Conditions>,
    /// Reasons why this record compares with no other; empty for a sound one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<Caveat>,
}

impl Record {
    /// What held the device's clock without being a fault, each name once.
    pub fn limits(&self) -> BTreeSet<&str> {
        let named = self.conditions.iter().filter_map(|at| at.limits.as_ref());
        named.flatten().map(String::as_str).collect()
    }

    /// The caveats that the record's own figures and conditions call for. A statement lacking one is refused.
    pub fn required_caveats(&self) -> impl Iterator<Item = Caveat> {
        let any = |found: fn(&Conditions) -> bool| self.conditions.iter().any(found);
        let sampled = self.timing.as_ref().and_then(Timing::throttled_samples);
        let throttled = any(|at| at.throttle.as_ref().is_some_and(|reasons| !reasons.is_empty()))
            || sampled.is_some_and(|samples| samples > 0);
        let shared = any(|at| at.other_processes.is_some_and(|count| count > 0));
        let noisy = self
            .timing
            .as_ref()
            .is_some_and(|timing| timing.summary.is_noisy());
        [
            throttled.then_some(Caveat::Throttled),
            shared.then_some(Caveat::Shared),
            noisy.then_some(Caveat::Noisy),
            (self.status == Status::Partial).then_some(Caveat::Partial),
        ]
        .into_iter()
        .flatten()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaseRef {
    pub name: String,
    pub size: Size,
    pub dims: Dims,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PathClass {
    /// The same algorithm and order on every API.
    Portable,
    /// Hallmark's best kernel for this device.
    Tuned,
    /// The vendor's library.
    Vendor,
}

impl PathClass {
    pub const ALL: [Self; 3] = [Self::Portable, Self::Tuned, Self::Vendor];

    /// The word of the schema.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Tuned => "tuned",
            Self::Vendor => "vendor",
        }
    }
}

/// A vendor's library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Library {
    /// `cuBLASLt`
    pub name: String,
    /// `12.8.4`
    pub version: String,
    /// Which of its algorithms ran, in its own terms.
    pub algorithm: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    Complete,
    /// Interrupted; samples taken so far are kept.
    Partial,
    /// The device cannot run the case.
    Unsupported,
    /// The run was refused: wrong output, clocks that disagree, a driver error.
    Failed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// Signed by the provider only.
    #[default]
    Claimed,
    /// The seed was the registry's and outputs were checked.
    Challenged,
    /// The registry's own clock bounds it.
    Timed,
    /// A hardware quote backs it.
    Rooted,
}

/// Samples of one case and how they were taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timing {
    pub cache: Cache,
    /// Copies of the inputs that launches rotate over; 1 when hot.
    pub input_sets: u32,
    pub work: Work,
    pub launches_per_sample: u64,
    /// One entry per sample, in the order taken: time of all its launches by the device's clock.
    pub samples_ns: Vec<u64>,
    pub summary: Summary,
    pub timer: Timer,
    /// The host's clock over the same samples.
    pub witness: Witness,
    pub warmup: Warmup,
    pub stop: Stop,
    /// Absent for [`Mode::Burst`].
    #[serde(default, skip_serializing_if = "Mode::is_burst")]
    pub mode: Mode,
    /// Whether the system reported a throttle, sample after sample; absent where it does not tell. Equal neighbours stand
    /// in one stretch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Vec<Stretch>>,
    /// Energy of all sampled launches, where a counter exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_millijoules: Option<u64>,
}

impl Timing {
    /// Samples at whose end the system reported a throttle; `None` where it does not tell.
    pub fn throttled_samples(&self) -> Option<u64> {
        let stretches = self.throttle.as_ref()?.iter();
        let throttled = stretches.filter(|stretch| stretch.throttled);
        Some(
            throttled
                .map(|stretch| stretch.samples)
                .fold(0, u64::saturating_add),
        )
    }
}

/// How long a record is sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Until the median is known or the budget ends: what the device does at its best, as short work finds it.
    #[default]
    Burst,
    /// [`Mode::SUSTAINED_NS`] at least, nothing left out and never ended early: what is left once the device is warm.
    Sustained,
}

impl Mode {
    /// Least time of a sustained record by the host's clock.
    pub const SUSTAINED_NS: u64 = 60_000_000_000;

    fn is_burst(&self) -> bool {
        *self == Self::Burst
    }
}

/// Samples in a row that were all throttled or all not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stretch {
    pub samples: u64,
    pub throttled: bool,
}

/// Cost of one launch by the specification's formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    pub flop: Count,
    pub bytes: Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timer {
    pub source: TimerSource,
    /// Resolution in picoseconds.
    pub tick_ps: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TimerSource {
    CudaEvent,
    VulkanTimestamp,
    /// The host's monotonic clock: the only clock a CPU has.
    Monotonic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Witness {
    /// Sum of the samples by the device's clock.
    pub device_ns: u64,
    /// The same span by the host's clock, submission and wait included.
    pub host_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Warmup {
    pub launches: u64,
    pub elapsed_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Stop {
    /// The 95 % interval of the median is within 1 % of it.
    Converged,
    /// The time budget ended first.
    Budget,
    /// As many samples as a record holds.
    Full,
    Interrupted,
}

/// How right the outputs of the timed launches were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "class")]
pub enum Quality {
    Exact {
        /// SHA-256 over the outputs in the specification's order.
        output_sha256: Sha256,
        /// Elements compared with the reference.
        checked: u64,
        elements: u64,
    },
    Float {
        output_sha256: Sha256,
        checked: u64,
        elements: u64,
        /// Root of the sum of squared errors over that of squared reference values, in parts per billion.
        relative_rms_ppb: u64,
        /// Largest error divided by what the tolerance allows at that element, in parts per billion; above 10^9 the
        /// record has failed.
        worst_of_allowed_ppb: u64,
    },
}

/// The device at one moment. A field is absent where the system does not tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conditions {
    pub moment: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_mhz: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_clock_mhz: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_milliwatts: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<i64>,
    /// Faults that slow the device: heat, a failing supply, another card's clock. Empty when the system says there is none;
    /// one is a [`Caveat::Throttled`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Vec<String>>,
    /// What holds the clock without being a fault: the card's power limit, which is where a card under full load belongs,
    /// and clocks somebody set. Empty when the system says there is nothing; calls for no caveat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecc: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mig: Option<bool>,
    /// Other processes computing on the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_processes: Option<u64>,
    /// Share of processor time taken by others, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_ppm: Option<u64>,
}

impl Conditions {
    /// Of a system that tells nothing.
    pub fn untold(moment: Moment) -> Self {
        Self {
            moment,
            clock_mhz: None,
            memory_clock_mhz: None,
            power_milliwatts: None,
            temperature_celsius: None,
            throttle: None,
            limits: None,
            ecc: None,
            mig: None,
            other_processes: None,
            steal_ppm: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    Before,
    During,
    After,
}

/// Why a record compares with no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Caveat {
    Throttled,
    /// Another process computed on the device.
    Shared,
    /// The interval of the median is wider than 5 %.
    Noisy,
    /// Interrupted.
    Partial,
}
