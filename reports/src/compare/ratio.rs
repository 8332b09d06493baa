//! The ratio of two medians and its interval.

use attest::statement::Record;
use serde::Serialize;

use super::{Obstacle, Outcome, Side};
use crate::NoFigures;

/// How far from equal the whole interval must lie, in percent of time, before one side is called faster. Processes of
/// one build on one quiet machine differ by up to this much from each other, which no interval inside a run can show.
pub const MARGIN_PERCENT: u64 = 3;

/// Time of B over time of A in parts per million, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ratio {
    pub time_ppm: u64,
    pub low_ppm: u64,
    pub high_ppm: u64,
}

/// Median of one side with its 97.5 % interval, in picoseconds of one launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    median: u64,
    low: u64,
    high: u64,
}

/// Why a side has no interval.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoBounds {
    #[error(transparent)]
    Figures(#[from] NoFigures),
    #[error("{got} samples give no 97.5 % interval of the median; at least {MIN_SAMPLES} are needed")]
    TooFew { got: usize },
}

/// With six samples even min..max covers the median only 96.9 % of the time.
const MIN_SAMPLES: usize = 7;

impl NoBounds {
    pub(super) fn on(self, side: Side) -> Obstacle {
        Obstacle::NoInterval {
            side,
            reason: self.to_string(),
        }
    }
}

/// The median of a record's samples and the interval that holds it with probability 97.5 %.
pub(super) fn bounds(record: &Record) -> Result<Bounds, NoBounds> {
    let figures = crate::figures::figures(record, &[])?;
    let timing = record.timing.as_ref().ok_or(NoFigures::NoTiming)?;
    let mut sorted = timing.samples_ns.clone();
    sorted.sort_unstable();
    let rank = rank(sorted.len()).ok_or(NoBounds::TooFew { got: sorted.len() })?;
    let per_launch = |ns: u64| ns * 1_000 / timing.launches_per_sample;
    Ok(Bounds {
        median: figures.time_ps.median.0,
        low: per_launch(sorted[rank]),
        high: per_launch(sorted[sorted.len() - 1 - rank]),
    })
}

/// Largest rank r, from 0, with P(Binomial(count, 1/2) <= r) <= 1.25 % (David and Nagaraja, Order Statistics, 7.1).
fn rank(count: usize) -> Option<usize> {
    let mut probability = 0.5f64.powi(count as i32);
    let mut cumulative = probability;
    let mut rank = None;
    for next in 0..count {
        if cumulative > 0.0125 {
            break;
        }
        rank = Some(next);
        probability *= (count - next) as f64 / (next + 1) as f64;
        cumulative += probability;
    }
    rank
}

/// Integer arithmetic on both sides of the comparison, so that swapping A and B swaps the verdict exactly.
pub(super) fn verdict(a: Bounds, b: Bounds) -> Outcome {
    let beyond = |longer: u64, shorter: u64| {
        u128::from(longer) * 100 > u128::from(shorter) * u128::from(100 + MARGIN_PERCENT)
    };
    let ratio = Ratio {
        time_ppm: ppm(b.median, a.median, false),
        low_ppm: ppm(b.low, a.high, false),
        high_ppm: ppm(b.high, a.low, true),
    };
    if beyond(a.low, b.high) {
        Outcome::Faster { ratio }
    } else if beyond(b.low, a.high) {
        Outcome::Slower { ratio }
    } else {
        Outcome::Indistinguishable { ratio }
    }
}

fn ppm(time: u64, base: u64, up: bool) -> u64 {
    let (scaled, base) = (u128::from(time) * 1_000_000, u128::from(base.max(1)));
    let quotient = if up { scaled.div_ceil(base) } else { scaled / base };
    u64::try_from(quotient).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_leave_at_most_one_and_a_quarter_percent_outside_each_end() {
        // P(X <= r) by hand: n 7 r 0: 1/128; n 9 r 1: 10/512, too much; n 10 r 1: 11/1024; n 13 r 2: 92/8192.
        for (count, expected) in [
            (6, None),
            (7, Some(0)),
            (9, Some(0)),
            (10, Some(1)),
            (13, Some(2)),
            (100, Some(38)),
        ] {
            assert_eq!(rank(count), expected, "{count} samples");
        }
    }

    #[test]
    fn three_percent_is_not_yet_a_difference() {
        let side = |time| Bounds {
            median: time,
            low: time,
            high: time,
        };
        let is_slower = |time| matches!(verdict(side(100_000), side(time)), Outcome::Slower { .. });
        assert!(!is_slower(103_000));
        assert!(is_slower(103_001));
    }

    #[test]
    fn zero_and_huge_times_give_bounded_ratios() {
        let zero = Bounds {
            median: 0,
            low: 0,
            high: 0,
        };
        let huge = Bounds {
            median: u64::MAX,
            low: u64::MAX,
            high: u64::MAX,
        };
        assert!(matches!(verdict(zero, huge), Outcome::Slower { ratio } if ratio.time_ppm == u64::MAX));
        assert!(matches!(verdict(huge, zero), Outcome::Faster { ratio } if ratio.high_ppm == 0));
        assert!(matches!(verdict(zero, zero), Outcome::Indistinguishable { .. }));
    }
}
