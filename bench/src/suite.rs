//! Suites: versioned lists of cases with the sampling rule. A suite is chosen by size over the catalogue, so a new
//! workload joins it by being catalogued.

use std::time::Duration;

use attest::digest::Sha256;
use attest::spec::{Case, Size, Spec};
use attest::statement::Mode;
use attest::stats::MAX_SAMPLES;
use kernels::workload::Workload;
use serde::Serialize;

use crate::measure::StopRule;

/// A named selection of cases and how each is sampled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suite {
    pub name: &'static str,
    pub version: u64,
    pub about: &'static str,
    /// Sizes it takes from each workload.
    sizes: &'static [Size],
    /// Time of all cases on one device, shared among them.
    pub total: Duration,
    /// Most sampling time of one record.
    pub budget: Duration,
    /// Least warm-up on a device with a clock of its own.
    pub warm_up: Duration,
}

/// A case of a suite.
pub(crate) type Member = (&'static Workload, &'static Case);

pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "smoke",
        version: 2,
        about: "the small case of every workload; half a minute a device",
        sizes: &[Size::Small],
        total: Duration::from_secs(30),
        budget: Duration::from_millis(700),
        warm_up: Duration::from_millis(200),
    },
    Suite {
        name: "standard",
        version: 2,
        about: "the standard cases; at most 8 minutes on a GPU",
        sizes: &[Size::Standard],
        total: Duration::from_secs(8 * 60),
        budget: Duration::from_secs(5),
        warm_up: Duration::from_millis(400),
    },
    Suite {
        name: "full",
        version: 2,
        about: "every case of every workload; up to an hour on a GPU",
        sizes: &[Size::Small, Size::Standard, Size::Large],
        total: Duration::from_secs(60 * 60),
        budget: Duration::from_secs(10),
        warm_up: Duration::from_millis(400),
    },
];

/// With ten samples the 95 % interval runs from the second to the ninth: one outlier on either side cannot set it.
const MIN_SAMPLES: usize = 10;

/// Half width of the interval at which sampling ends early: 1 %.
const HALF_WIDTH_PPM: u64 = 10_000;

/// What all samples of a statement may take of its 1 MiB. The rest holds specifications and the other fields of up to 300
/// records, about 1.2 KB each.
const SAMPLES_BYTES: usize = 600 << 10;

/// A sample in JSON: nine digits of nanoseconds and a comma.
const SAMPLE_BYTES: usize = 10;

/// What the suite's digest covers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    name: &'a str,
    version: u64,
    cases: Vec<(&'a str, &'a str)>,
    min_samples: usize,
    half_width_ppm: u64,
    total_ms: u64,
    budget_ms: u64,
    warm_up_ms: u64,
    #[serde(skip_serializing_if = "is_burst")]
    mode: Mode,
}

fn is_burst(mode: &Mode) -> bool {
    *mode == Mode::Burst
}

impl Suite {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        SUITES.iter().find(|suite| suite.name == name)
    }

    /// Cases of the suite in the catalogue's order.
    pub(crate) fn cases(&self) -> Vec<Member> {
        kernels::catalogue::WORKLOADS
            .iter()
            .flat_map(|&workload| workload.spec.cases.iter().map(move |case| (workload, case)))
            .filter(|(_, case)| self.sizes.contains(&case.size))
            .collect()
    }

    /// How each of a run's `records` is sampled.
    pub(crate) fn rule(&self, mode: Mode, records: usize) -> StopRule {
        let room = SAMPLES_BYTES / SAMPLE_BYTES / records.max(1);
        StopRule {
            mode,
            min_samples: MIN_SAMPLES,
            max_samples: room.clamp(MIN_SAMPLES, MAX_SAMPLES),
            half_width_ppm: HALF_WIDTH_PPM,
            least: Duration::ZERO,
            budget: self.budget,
        }
    }

    /// SHA-256 of the suite's RFC 8785 bytes.
    pub(crate) fn digest(&self, mode: Mode) -> Sha256 {
        let written = Written {
            name: self.name,
            version: self.version,
            cases: self
                .cases()
                .iter()
                .map(|(workload, case)| (&*workload.spec.id, &*case.name))
                .collect(),
            min_samples: MIN_SAMPLES,
            half_width_ppm: HALF_WIDTH_PPM,
            total_ms: self.total.as_millis() as u64,
            budget_ms: self.budget.as_millis() as u64,
            warm_up_ms: self.warm_up.as_millis() as u64,
            mode,
        };
        Sha256::of(&attest::jcs::to_vec(&written).expect("a suite holds only strings and small integers"))
    }
}

/// Digest of a catalogued specification.
pub(crate) fn spec_digest(spec: &Spec) -> Sha256 {
    spec.digest()
        .expect("specifications hold only strings and small integers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_runs_every_workload_it_can() {
        for suite in SUITES {
            let found = Suite::find(suite.name).expect("it is listed");
            assert_eq!(found.digest(Mode::Burst), suite.digest(Mode::Burst));
            assert_ne!(found.digest(Mode::Burst), suite.digest(Mode::Sustained));
        }
        let smoke: Vec<&str> = SUITES[0]
            .cases()
            .iter()
            .map(|(workload, _)| &*workload.spec.id)
            .collect();
        for workload in kernels::catalogue::WORKLOADS {
            assert!(
                smoke.contains(&&*workload.spec.id),
                "{} has no small case",
                workload.spec.id
            );
        }
    }

    #[test]
    fn a_statement_has_room_for_every_sample() {
        let rule = |records| SUITES[2].rule(Mode::Burst, records).max_samples;
        assert_eq!(rule(38), MAX_SAMPLES);
        for records in [120, 240, 300] {
            assert!(
                records * rule(records) * SAMPLE_BYTES <= SAMPLES_BYTES,
                "{records}"
            );
            assert!(rule(records) >= 200, "{records}");
        }
    }
}
