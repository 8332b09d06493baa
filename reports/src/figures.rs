//! What a record's samples say, recomputed.

use attest::spec::{Dims, Dtype, Spec};
use attest::statement::{Count, Record, Status, Timing, Work};
use attest::stats::{self, StatsError};
use serde::Serialize;

/// A median with the 95 % interval around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Interval {
    pub median: Count,
    pub low: Count,
    pub high: Count,
}

/// Time and rate of one launch, recomputed from the samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    pub samples: u64,
    pub launches_per_sample: u64,
    /// Time of one launch in picoseconds.
    pub time_ps: Interval,
    /// Absent when the workload counts neither operations nor bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Option<Throughput>,
    /// Energy of one launch in microjoules, where the device has a counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_microjoules: Option<u64>,
    /// Energy of one operation or byte, whichever the throughput counts, in femtojoules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_femtojoules_per_unit: Option<Count>,
}

/// Work per second; `low` belongs to the upper end of the time's interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Throughput {
    pub unit: Unit,
    #[serde(flatten)]
    pub per_second: Interval,
}

/// What a workload's speed is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Unit {
    #[serde(rename = "FLOP/s")]
    Flop,
    /// Integer arithmetic.
    #[serde(rename = "OP/s")]
    Op,
    #[serde(rename = "B/s")]
    Byte,
    /// Thousandths of tokens: slow machines make few of them a second.
    #[serde(rename = "mtoken/s")]
    Token,
}

impl Unit {
    /// The unit as shown: one prefix for each, so that a column compares by eye.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Flop => "GFLOP/s",
            Self::Op => "TOP/s",
            Self::Byte => "GB/s",
            Self::Token => "tokens/s",
        }
    }

    /// What energy is counted by, as shown.
    pub fn shown_energy(self) -> &'static str {
        match self {
            Self::Flop => "mJ/GFLOP",
            Self::Op => "J/TOP",
            Self::Byte => "mJ/GB",
            Self::Token => "J/token",
        }
    }

    /// Femtojoules for one unit in the form of [`shown_energy`](Self::shown_energy).
    pub fn scaled_energy(self, femtojoules: Count) -> f64 {
        let prefix = match self {
            Self::Flop | Self::Op | Self::Byte => 1e3,
            Self::Token => 1e12,
        };
        femtojoules.0 as f64 / prefix
    }

    /// `per_second` in the unit as shown.
    pub fn scaled(self, per_second: Count) -> f64 {
        let prefix = match self {
            Self::Flop | Self::Byte => 1e9,
            Self::Op => 1e12,
            Self::Token => 1e3,
        };
        per_second.0 as f64 / prefix
    }
}

/// Why a record has no figures.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFigures {
    #[error("the device cannot run this case")]
    Unsupported,
    /// The speed of a wrong answer is no speed.
    #[error("the measurement was refused")]
    Failed,
    #[error("the record holds no samples")]
    NoTiming,
    #[error(transparent)]
    Samples(#[from] StatsError),
}

/// Operations per byte from which a case is counted in operations: below, memory sets its pace on any device worth
/// naming (a 2-core CPU reaches 8 at about 80 GFLOP/s over 10 GB/s; softmax and RMSNorm stay under 2).
const COMPUTE_INTENSITY: u64 = 8;

/// Recomputes the figures of `record`; `specs` are those of its statement.
pub(crate) fn figures(record: &Record, specs: &[Spec]) -> Result<Figures, NoFigures> {
    match record.status {
        Status::Unsupported => return Err(NoFigures::Unsupported),
        Status::Failed => return Err(NoFigures::Failed),
        Status::Complete | Status::Partial => {}
    }
    let timing = record.timing.as_ref().ok_or(NoFigures::NoTiming)?;
    let summary = stats::summarize(&timing.samples_ns, timing.launches_per_sample)?;
    let time_ps = Interval {
        median: Count(summary.median_ps),
        low: Count(summary.low_ps),
        high: Count(summary.high_ps),
    };
    let rated = rated(spec_of(record, specs), &record.case.dims, timing.work);
    Ok(Figures {
        samples: summary.samples,
        launches_per_sample: timing.launches_per_sample,
        time_ps,
        throughput: rated.map(|(unit, amount)| throughput(unit, amount, time_ps)),
        energy_microjoules: energy(timing),
        energy_femtojoules_per_unit: rated.and_then(|(_, amount)| energy_of_one(timing, amount)),
    })
}

/// The specification a record refers to. A verified statement holds exactly one of each id.
pub(crate) fn spec_of<'a>(record: &Record, specs: &'a [Spec]) -> Option<&'a Spec> {
    specs.iter().find(|spec| spec.id == record.workload)
}

/// Group of a workload; empty for one that has no specification here.
pub(crate) fn group_of<'a>(workload: &str, specs: &'a [Spec]) -> &'a str {
    let spec = specs.iter().find(|spec| spec.id == workload);
    spec.map_or("", |spec| &spec.group)
}

/// What a launch does, in the unit its speed is counted in: tokens where the specification counts them.
fn rated(spec: Option<&Spec>, dims: &Dims, work: Work) -> Option<(Unit, Count)> {
    if let Some(tokens) = spec.and_then(|spec| spec.tokens.as_ref()?.eval(dims).ok()) {
        return Some((Unit::Token, Count(tokens.saturating_mul(1000))));
    }
    let unit = deserved(spec, work)?;
    let amount = if unit == Unit::Byte { work.bytes } else { work.flop };
    Some((unit, amount))
}

/// The unit a workload deserves, the same for all its cases.
fn deserved(spec: Option<&Spec>, work: Work) -> Option<Unit> {
    let costs = |spec: &Spec| {
        let cost = |case: &attest::spec::Case| {
            let flop = spec.flop.eval(&case.dims).ok()?;
            Some((flop, spec.bytes.eval(&case.dims).ok()?))
        };
        spec.cases.iter().filter_map(cost).collect::<Vec<_>>()
    };
    let mut costs = spec.map(costs).unwrap_or_default();
    costs.push((work.flop.0, work.bytes.0));
    let computes = |&(flop, bytes): &(u64, u64)| flop > 0 && flop >= bytes.saturating_mul(COMPUTE_INTENSITY);
    let integer = spec.is_some_and(|spec| spec.inputs.first().is_some_and(|input| is_integer(input.dtype)));
    if costs.iter().any(computes) && work.flop.0 > 0 {
        Some(if integer { Unit::Op } else { Unit::Flop })
    } else {
        (work.bytes.0 > 0).then_some(Unit::Byte)
    }
}

pub(crate) fn is_integer(dtype: Dtype) -> bool {
    match dtype {
        Dtype::I8 | Dtype::I32 | Dtype::Q4 => true,
        Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::Fp8E4m3 => false,
    }
}

fn throughput(unit: Unit, amount: Count, time_ps: Interval) -> Throughput {
    let over = |time| rate(amount, time);
    let per_second = Interval {
        median: over(time_ps.median),
        low: over(time_ps.high),
        high: over(time_ps.low),
    };
    Throughput { unit, per_second }
}

/// `amount` per second when it takes `time_ps`.
pub(crate) fn rate(amount: Count, time_ps: Count) -> Count {
    let per_second = u128::from(amount.0) * 1_000_000_000_000 / u128::from(time_ps.0.max(1));
    Count(u64::try_from(per_second).unwrap_or(u64::MAX))
}

fn energy(timing: &Timing) -> Option<u64> {
    let total = u128::from(timing.energy_millijoules?) * 1_000;
    u64::try_from(total / launches(timing).max(1)).ok()
}

/// Femtojoules for one of the `amount` that each launch does.
fn energy_of_one(timing: &Timing, amount: Count) -> Option<Count> {
    let total = u128::from(timing.energy_millijoules?) * 1_000_000_000_000;
    let done = launches(timing).checked_mul(u128::from(amount.0))?;
    u64::try_from(total.checked_div(done)?).ok().map(Count)
}

fn launches(timing: &Timing) -> u128 {
    (timing.samples_ns.len() as u128) * u128::from(timing.launches_per_sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_rounded_down_and_never_overflows() {
        assert_eq!(rate(Count(2), Count(1_000_000_000_000)), Count(2));
        assert_eq!(rate(Count(1), Count(3)), Count(333_333_333_333));
        assert_eq!(rate(Count(u64::MAX), Count(0)), Count(u64::MAX));
    }

    #[test]
    fn a_workload_that_counts_tokens_is_rated_in_thousandths_of_them() {
        let text = r#"{"id":"a.v1","title":"","group":"","class":"exact","cache":"hot","cases":[],"inputs":[],"outputs":[],
            "flop":"0","bytes":"0","tokens":"2*batch"}"#;
        let spec: Spec = serde_json::from_str(text).expect("a specification");
        let work = Work {
            flop: Count(1 << 40),
            bytes: Count(1),
        };
        let dims: Dims = [("batch".to_owned(), 7)].into();
        assert_eq!(
            rated(Some(&spec), &dims, work),
            Some((Unit::Token, Count(14_000)))
        );
        let second = Interval {
            median: Count(1_000_000_000_000),
            low: Count(1_000_000_000_000),
            high: Count(1_000_000_000_000),
        };
        let rate = throughput(Unit::Token, Count(14_000), second);
        assert_eq!(rate.unit.scaled(rate.per_second.median), 14.0);
        assert_eq!(rated(None, &dims, work), Some((Unit::Flop, Count(1 << 40))));
    }

    #[test]
    fn a_case_is_counted_in_bytes_unless_it_computes() {
        let work = |flop, bytes| Work {
            flop: Count(flop),
            bytes: Count(bytes),
        };
        assert_eq!(deserved(None, work(0, 8)), Some(Unit::Byte));
        assert_eq!(deserved(None, work(63, 8)), Some(Unit::Byte));
        assert_eq!(deserved(None, work(64, 8)), Some(Unit::Flop));
        assert_eq!(deserved(None, work(5, 0)), Some(Unit::Flop));
        assert_eq!(deserved(None, work(0, 0)), None);
    }
}
