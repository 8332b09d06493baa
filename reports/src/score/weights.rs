//! What each case weighs in a score.

use std::collections::BTreeMap;

use attest::spec::Spec;
use serde::Serialize;

/// Weights by workload id (`gemm.f16.v1`) or by group (`matrix`); an id stands over its group, and what is not named
/// weighs 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Weights(BTreeMap<String, f64>);

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum WeightError {
    #[error("the weight of {name:?} is {weight}, not a number from 0 to {MAX_WEIGHT}")]
    OutOfRange { name: String, weight: f64 },
    #[error("{name:?} is neither a workload nor a group of the suite, which has {known}")]
    Unknown { name: String, known: String },
}

/// Keeps sums of weights far from where a double loses digits.
const MAX_WEIGHT: f64 = 1e6;

impl Weights {
    /// Weights for a suite of these specifications. A name that none of them has is a mistake.
    pub fn new(named: BTreeMap<String, f64>, specs: &[Spec]) -> Result<Self, WeightError> {
        for (name, &weight) in &named {
            if !(0.0..=MAX_WEIGHT).contains(&weight) {
                return Err(WeightError::OutOfRange {
                    name: name.clone(),
                    weight,
                });
            }
            if !specs.iter().any(|spec| spec.id == *name || spec.group == *name) {
                let mut known: Vec<&str> = specs
                    .iter()
                    .flat_map(|spec| [spec.group.as_str(), spec.id.as_str()])
                    .collect();
                known.sort_unstable();
                known.dedup();
                return Err(WeightError::Unknown {
                    name: name.clone(),
                    known: known.join(", "),
                });
            }
        }
        Ok(Self(named))
    }

    pub(super) fn of(&self, workload: &str, group: &str) -> f64 {
        let named = self.0.get(workload).or_else(|| self.0.get(group));
        named.copied().unwrap_or(1.0)
    }

    /// Names and weights, in the order of names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, weight)| (name.as_str(), *weight))
    }
}
