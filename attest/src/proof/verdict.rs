//! The end: what the registry signs and logs of an attempt, whatever became of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Work;
use super::stated::{ProtocolError, Terms, time};
use crate::digest::Sha256;
use crate::statement::{Count, Device, Evidence};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Every opened lane is right, every commitment came in time.
    Proven,
    /// A root came early, twice or wrong, or an opened lane is wrong or not under its root.
    Wrong,
    /// A step came after its limit, or never.
    Late,
    /// Given up by the provider or the registry.
    Aborted,
}

/// What became of an attempt. Subject 0 is `attempt` with the attempt's digest, subject i+1 `device/<i>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// SHA-256 of the attempt's signed bytes.
    pub attempt: Sha256,
    pub attempt_index: u64,
    pub key_id: Sha256,
    pub outcome: Outcome,
    /// Why nothing is proven; present unless [`Outcome::Proven`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Absent when the attempt ended before it was given out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Sha256>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    pub decided_at: String,
    pub devices: Vec<Device>,
    pub tasks: Vec<TaskVerdict>,
    /// SHA-256 of the session's RFC 8785 bytes ([`super::Session`]): binds the transcript.
    pub session: Sha256,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskVerdict {
    /// Index into the devices.
    pub device: u32,
    #[serde(flatten)]
    pub work: Work,
    /// Present when every task of the attempt was right and in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<Proven>,
}

/// What one task shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proven {
    pub evidence: Evidence,
    /// Operations or random reads: [`Work::units`].
    pub units: Count,
    /// From the nonce's leaving to the commitment's last byte, by the registry's monotonic clock.
    pub elapsed_ns: u64,
    /// Units a second, rounded down: a lower bound.
    pub rate: Count,
    /// Bytes that had to be resident: [`Work::resident_bytes`].
    pub resident_bytes: Count,
    pub lanes_opened: u64,
    /// Probability that a tenth of wrong lanes stays unseen, in parts per billion, rounded up.
    pub missed_ppb: u64,
}

impl Proven {
    /// What `work` shows when it took `elapsed_ns`.
    pub fn of(work: &Work, elapsed_ns: u64) -> Self {
        let units = work.units();
        let rate = u128::from(units) * 1_000_000_000 / u128::from(elapsed_ns.max(1));
        Self {
            evidence: Evidence::Timed,
            units: Count(units),
            elapsed_ns,
            rate: Count(u64::try_from(rate).unwrap_or(u64::MAX)),
            resident_bytes: Count(work.resident_bytes()),
            lanes_opened: work.opened(),
            missed_ppb: missed_ppb(work.opened(), work.lanes()),
        }
    }
}

/// Probability that `opened` of `lanes` lanes, drawn without repetition, are all right while a tenth of all (rounded up)
/// is wrong: at most (1-f)^k with f the share that is wrong. In parts per billion, rounded up.
pub fn missed_ppb(opened: u64, lanes: u64) -> u64 {
    const SCALE: u128 = 1_000_000_000_000_000_000;
    let wrong = lanes.div_ceil(10);
    let right = u128::from(lanes - wrong);
    let mut missed = SCALE;
    for drawn in 0..u128::from(opened) {
        let left = u128::from(lanes) - drawn;
        missed = (missed * right.saturating_sub(drawn)).div_ceil(left);
    }
    missed.div_ceil(SCALE / 1_000_000_000) as u64
}

impl Terms for Verdict {
    const TYPE: &'static str = "urn:hallmark:attestation:verdict:v1";

    fn check(&self) -> Result<(), ProtocolError> {
        time("decidedAt", &self.decided_at)?;
        if let Some(started) = &self.started_at {
            time("startedAt", started)?;
        }
        let proven = self.outcome == Outcome::Proven;
        let told = self.reason.is_none() == proven && (!proven || self.nonce.is_some());
        if !told {
            return Err(ProtocolError::Inconsistent { what: "the outcome" });
        }
        for (index, task) in self.tasks.iter().enumerate() {
            task.work
                .check()
                .map_err(|error| ProtocolError::Work { task: index, error })?;
            if task.device as usize >= self.devices.len() {
                return Err(ProtocolError::NoSuchDevice {
                    task: index,
                    device: task.device,
                    devices: self.devices.len(),
                });
            }
            let recounted = task
                .proven
                .as_ref()
                .map(|found| Proven::of(&task.work, found.elapsed_ns));
            if task.proven.is_some() != proven || task.proven != recounted {
                return Err(ProtocolError::Inconsistent {
                    what: "what a task proves",
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_six_lanes_miss_a_tenth_once_in_a_thousand() {
        let large = missed_ppb(66, 1 << 26);
        assert!((900_000..1_000_000).contains(&large), "{large}");
        // Fewer lanes than are opened: nothing is missed.
        assert_eq!(missed_ppb(5, 5), 0);
        assert!(missed_ppb(66, 70) < large);
    }

    #[test]
    fn the_rate_is_a_lower_bound() {
        let work = Work::Vram {
            entries: 16,
            lanes: 10,
            steps: 10,
            rounds: 16,
        };
        assert_eq!(Proven::of(&work, 3).rate, Count(33_333_333_333));
        assert_eq!(Proven::of(&work, 0).rate, Count(100_000_000_000));
    }
}
