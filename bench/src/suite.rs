//! Suites: versioned lists of cases with the sampling rule. A suite is chosen by size over the catalogue, so a new
//! workload joins it by being catalogued.

use std::time::Duration;

use attest::digest::Sha256;
use attest::spec::{Case, Size, Spec};
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
    /// Sampling time of one record.
    pub budget: Duration,
    /// Least warm-up on a device with a clock of its own; a CPU settles in half of it.
    pub warm_up: Duration,
}

pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "smoke",
        version: 1,
        about: "the small case of every workload; under a minute on two cores",
        sizes: &[Size::Small],
        budget: Duration::from_millis(700),
        warm_up: Duration::from_millis(200),
    },
    Suite {
        name: "standard",
        version: 1,
        about: "the standard cases; minutes on a GPU",
        sizes: &[Size::Standard],
        budget: Duration::from_secs(5),
        warm_up: Duration::from_millis(400),
    },
    Suite {
        name: "full",
        version: 1,
        about: "every case of every workload",
        sizes: &[Size::Small, Size::Standard, Size::Large],
        budget: Duration::from_secs(10),
        warm_up: Duration::from_millis(400),
    },
];

/// With ten samples the 95 % interval runs from the second to the ninth: one outlier on either side cannot set it.
const MIN_SAMPLES: usize = 10;

/// Half width of the interval at which sampling ends early: 1 %.
const HALF_WIDTH_PPM: u64 = 10_000;

/// What the suite's digest covers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    name: &'a str,
    version: u64,
    cases: Vec<(&'a str, &'a str)>,
    min_samples: usize,
    half_width_ppm: u64,
    budget_ms: u64,
    warm_up_ms: u64,
}

impl Suite {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        SUITES.iter().find(|suite| suite.name == name)
    }

    /// Cases of the suite in the catalogue's order.
    pub(crate) fn cases(&self) -> Vec<(&'static Workload, &'static Case)> {
        kernels::catalogue::WORKLOADS
            .iter()
            .flat_map(|&workload| workload.spec.cases.iter().map(move |case| (workload, case)))
            .filter(|(_, case)| self.sizes.contains(&case.size))
            .collect()
    }

    pub(crate) fn rule(&self) -> StopRule {
        StopRule {
            min_samples: MIN_SAMPLES,
            half_width_ppm: HALF_WIDTH_PPM,
            budget: self.budget,
        }
    }

    /// SHA-256 of the suite's RFC 8785 bytes.
    pub(crate) fn digest(&self) -> Sha256 {
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
            budget_ms: self.budget.as_millis() as u64,
            warm_up_ms: self.warm_up.as_millis() as u64,
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
            assert!(Suite::find(suite.name).is_some_and(|found| found.digest() == suite.digest()));
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
}
