//! What sampling gave.

use std::time::Duration;

use attest::statement::{Mode, Stop};

use super::throttle::Watch;
use super::{Refusal, StopRule};

/// Samples of one case by both clocks.
pub(super) struct Sampled {
    pub samples_ns: Vec<u64>,
    pub host_ns: u64,
    pub throttle: Watch,
    pub stop: Stop,
}

impl Default for Sampled {
    fn default() -> Self {
        Self {
            samples_ns: Vec::new(),
            host_ns: 0,
            throttle: Watch::default(),
            stop: Stop::Budget,
        }
    }
}

impl Sampled {
    /// A minute that was not filled is no sustained record.
    pub(super) fn stopped(self, stop: Stop, rule: &StopRule) -> Result<Self, Refusal> {
        let lasted = Duration::from_nanos(self.host_ns);
        if rule.mode == Mode::Sustained && lasted < rule.budget() {
            return Err(Refusal::Failed(format!(
                "{} samples lasted only {lasted:.1?} of {:?}: the device ran more than twice as fast as after its warm-up",
                self.samples_ns.len(),
                rule.budget()
            )));
        }
        Ok(Self { stop, ..self })
    }
}
