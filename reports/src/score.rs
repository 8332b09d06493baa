//! One number for a device, against a named reference.
//!
//! The ratio of a case is the reference's median time over this one's: 2 is twice as fast. The score is the weighted
//! geometric mean of the ratios of all cases of a suite, `exp(sum(w * ln r) / sum(w))`: the reference scores 1, twice the speed
//! in every case scores 2, and which record is the reference changes no order (Fleming and Wallace, How not to lie with
//! statistics, 1986). Weights are the reader's and stand beside the score.
//!
//! There is a score only for two complete runs of one suite digest whose records all compare by the rules of
//! [`compare`](crate::compare). Only records of one path class count; a case of weight 0 is left out, and so is one that
//! neither device can run.

mod render;
mod weights;

use attest::digest::Sha256;
use attest::statement::{CaseRef, PathClass, Status, SuiteRef};
use serde::Serialize;

pub use render::{JSON_FORMAT, json, text};
pub use weights::{WeightError, Weights};

use crate::Shown;
use crate::compare::{Comparison, DevicePair, Obstacle, Outcome, Pair};
use crate::figures::group_of;
use crate::table::DeviceRef;

/// Scores of all device pairs against one reference.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// Digest of the reference.
    pub reference: Sha256,
    /// Digest of what is scored.
    pub scored: Sha256,
    pub suite: SuiteRef,
    /// The path of all its records.
    pub path: PathClass,
    /// What a case weighs that has its own weight; all others weigh 1.
    pub weights: Weights,
    pub devices: Vec<DeviceScore>,
}

/// Score of one device against one of the reference's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceScore {
    pub device: DeviceRef,
    pub reference: DeviceRef,
    pub score: f64,
    pub cases: Vec<Scored>,
    /// Cases that neither device can run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub neither: Vec<String>,
}

/// One case of a score.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scored {
    pub workload: String,
    pub case: CaseRef,
    pub weight: f64,
    /// Time of the reference over time of the device, with the 95 % interval of [`compare`](crate::compare).
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
}

/// Why there is no score.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum NoScore {
    #[error("{side} is of suite {name:?}, which is not a whole suite")]
    Custom { side: &'static str, name: String },
    #[error("{side} is not complete: records are missing, were cut short or refused")]
    Incomplete { side: &'static str },
    #[error("the suites differ: the reference is of {reference}, the run of {run}")]
    Suite { reference: String, run: String },
    #[error("the two have no device to set beside each other")]
    NoDevices,
    #[error("{}", lines(.0))]
    NotComparable(Vec<String>),
    #[error("no device has records of the {} path", path.as_str())]
    NoPath { path: PathClass },
    #[error("every case has weight 0")]
    NoWeight,
}

fn lines(reasons: &[String]) -> String {
    let cases = match reasons.len() {
        1 => "1 case does".to_owned(),
        count => format!("{count} cases do"),
    };
    format!("{cases} not compare:\n  {}", reasons.join("\n  "))
}

/// Scores the records of one path class of `run` against those of `reference`. `comparison` is of the two in that order: A is
/// the reference.
pub fn score(
    reference: &Shown<'_>,
    run: &Shown<'_>,
    comparison: &Comparison,
    path: PathClass,
    weights: &Weights,
) -> Result<Score, NoScore> {
    let suites = [reference, run].map(|shown| &shown.statement.predicate.measured.suite);
    for (suite, side) in suites.into_iter().zip(["the reference", "the run"]) {
        if suite.name == "custom" {
            let name = suite.name.clone();
            return Err(NoScore::Custom { side, name });
        }
        if !suite.complete {
            return Err(NoScore::Incomplete { side });
        }
    }
    if suites[0].digest != suites[1].digest {
        let [reference, run] = suites.map(|suite| {
            let digest = crate::table::short(&suite.digest);
            format!("{} {} ({digest})", suite.name, suite.version)
        });
        return Err(NoScore::Suite { reference, run });
    }
    let specs = &reference.statement.predicate.measured.specs;
    let weight = |workload: &str| weights.of(workload, group_of(workload, specs));
    let mut reasons = Vec::new();
    let mut devices = Vec::new();
    if comparison.devices.is_empty() {
        return Err(NoScore::NoDevices);
    }
    let has_path = |pair: &&DevicePair| pair.records.iter().any(|record| is_on(record, path));
    for pair in comparison.devices.iter().filter(has_path) {
        match of_devices(pair, path, &weight) {
            Ok(scored) => devices.push(scored),
            Err(Fault::NotComparable(found)) => reasons.extend(found),
            Err(Fault::NoWeight) => return Err(NoScore::NoWeight),
        }
    }
    if !reasons.is_empty() {
        return Err(NoScore::NotComparable(reasons));
    }
    if devices.is_empty() {
        return Err(NoScore::NoPath { path });
    }
    Ok(Score {
        reference: reference.digest,
        scored: run.digest,
        suite: suites[1].clone(),
        path,
        weights: weights.clone(),
        devices,
    })
}

enum Fault {
    NotComparable(Vec<String>),
    NoWeight,
}

fn of_devices(
    pair: &DevicePair,
    path: PathClass,
    weight: &dyn Fn(&str) -> f64,
) -> Result<DeviceScore, Fault> {
    let (mut cases, mut reasons, mut neither) = (Vec::new(), Vec::new(), Vec::new());
    for record in { pair.records.iter() }.filter(|record| is_on(record, path)) {
        let weight = weight(&record.workload);
        if weight == 0.0 {
            continue;
        }
        if unsupported_by_both(&record.outcome) {
            neither.push(record.workload.clone());
            continue;
        }
        match scored(record, weight) {
            Ok(scored) => cases.push(scored),
            Err(reason) => reasons.push(format!("{} {reason}", pair.b.id)),
        }
    }
    if !reasons.is_empty() {
        return Err(Fault::NotComparable(reasons));
    }
    let score = geometric_mean(&cases).ok_or(Fault::NoWeight)?;
    Ok(DeviceScore {
        device: pair.b.clone(),
        reference: pair.a.clone(),
        score,
        cases,
        neither,
    })
}

fn is_on(pair: &Pair, path: PathClass) -> bool {
    pair.a.iter().chain(&pair.b).any(|half| half.path == path)
}

fn unsupported_by_both(outcome: &Outcome) -> bool {
    let Outcome::NotComparable { reasons } = outcome else {
        return false;
    };
    let unsupported = |reason: &Obstacle| {
        matches!(
            reason,
            Obstacle::Status {
                status: Status::Unsupported,
                ..
            }
        )
    };
    reasons.len() == 2 && reasons.iter().all(unsupported)
}

fn scored(pair: &Pair, weight: f64) -> Result<Scored, String> {
    let case = |half: &crate::compare::Half| half.case.clone();
    let name = pair.a.as_ref().or(pair.b.as_ref()).map(case);
    let named = |reason: &str| {
        let name = name.as_ref().map_or("", |case| &case.name);
        format!("{} {name}: {reason}", pair.workload)
    };
    let ratio = match &pair.outcome {
        Outcome::Faster { ratio } | Outcome::Slower { ratio } | Outcome::Indistinguishable { ratio } => ratio,
        Outcome::NotComparable { reasons } => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            return Err(named(&reasons.join("; ")));
        }
    };
    let time = |half: &Option<crate::compare::Half>| {
        let figures = half.as_ref()?.figures.as_ref()?;
        let median = figures.time_ps.median.0;
        (median > 0).then_some(median as f64)
    };
    let (Some(reference), Some(own), Some(case)) = (time(&pair.a), time(&pair.b), name.clone()) else {
        return Err(named("a median of no time has no ratio"));
    };
    let inverse = |ppm: u64| 1e6 / ppm.max(1) as f64;
    Ok(Scored {
        workload: pair.workload.clone(),
        case,
        weight,
        ratio: reference / own,
        low: inverse(ratio.high_ppm),
        high: inverse(ratio.low_ppm),
    })
}

/// `None` when nothing has weight.
fn geometric_mean(cases: &[Scored]) -> Option<f64> {
    let weight: f64 = cases.iter().map(|case| case.weight).sum();
    let logarithms: f64 = cases.iter().map(|case| case.weight * case.ratio.ln()).sum();
    (weight > 0.0).then(|| (logarithms / weight).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(ratio: f64, weight: f64) -> Scored {
        Scored {
            workload: "w".to_owned(),
            case: CaseRef {
                name: "c".to_owned(),
                size: attest::spec::Size::Small,
                dims: [].into(),
            },
            weight,
            ratio,
            low: ratio,
            high: ratio,
        }
    }

    #[test]
    fn twice_and_half_cancel_and_weights_count() {
        let close = |cases: &[Scored], want: f64| {
            let got = geometric_mean(cases).expect("a weight");
            assert!((got - want).abs() < 1e-12, "{got} is not {want}");
        };
        close(&[case(2.0, 1.0), case(0.5, 1.0)], 1.0);
        close(&[case(8.0, 1.0), case(1.0, 2.0)], 2.0);
        close(&[case(3.0, 0.25)], 3.0);
        assert_eq!(geometric_mean(&[]), None);
    }
}
