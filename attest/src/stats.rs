//! Statistics of samples, in integers, recomputed by whoever verifies.
//!
//! A sample is the time of a batch of launches in nanoseconds. Everything here is per launch, in picoseconds.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Median of one case's launches with its distribution-free 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Samples the figures rest on.
    pub samples: u64,
    pub median_ps: u64,
    /// Lower end of the 95 % interval of the median.
    pub low_ps: u64,
    /// Upper end of the 95 % interval of the median.
    pub high_ps: u64,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatsError {
    #[error("{got} samples give no 95 % interval of the median; at least {MIN_SAMPLES} are needed")]
    TooFewSamples { got: usize },
    #[error("{got} samples are more than the {MAX_SAMPLES} a record may hold")]
    TooManySamples { got: usize },
    #[error("a sample of zero launches has no time per launch")]
    NoLaunches,
    #[error("sample {index} is zero or larger than a day")]
    SampleOutOfRange { index: usize },
}

/// With five samples even min..max covers the median only 93.75 % of the time.
pub const MIN_SAMPLES: usize = 6;

/// Keeps a record of eight workloads with three cases on four devices well under the 1 MiB of a statement.
pub const MAX_SAMPLES: usize = 512;

const DAY_NS: u64 = 86_400_000_000_000;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            samples,
            median_ps,
            low_ps,
            high_ps,
        } = self;
        write!(f, "{median_ps} ps [{low_ps}, {high_ps}] over {samples} samples")
    }
}

impl Summary {
    /// Whether the interval of the median is wider than 5 % of it, end to end.
    pub fn is_noisy(&self) -> bool {
        u128::from(self.high_ps.saturating_sub(self.low_ps)) * 20 > u128::from(self.median_ps)
    }

    /// Half width of the interval relative to the median, in parts per million.
    pub fn half_width_ppm(&self) -> u64 {
        let half = self.high_ps.saturating_sub(self.low_ps).div_ceil(2);
        u64::try_from(u128::from(half) * 1_000_000 / u128::from(self.median_ps.max(1))).unwrap_or(u64::MAX)
    }
}

/// Summarizes `samples_ns`, in any order, each the time of `launches` launches.
pub fn summarize(samples_ns: &[u64], launches: u64) -> Result<Summary, StatsError> {
    let count = samples_ns.len();
    if count < MIN_SAMPLES {
        return Err(StatsError::TooFewSamples { got: count });
    }
    if count > MAX_SAMPLES {
        return Err(StatsError::TooManySamples { got: count });
    }
    if launches == 0 {
        return Err(StatsError::NoLaunches);
    }
    if let Some(index) = samples_ns.iter().position(|&ns| ns == 0 || ns > DAY_NS) {
        return Err(StatsError::SampleOutOfRange { index });
    }
    let mut sorted = samples_ns.to_vec();
    sorted.sort_unstable();
    let per_launch = |doubled_ns: u64| doubled_ns * 500 / launches;
    let rank = interval_rank(count);
    Ok(Summary {
        samples: count as u64,
        median_ps: per_launch(sorted[(count - 1) / 2] + sorted[count / 2]),
        low_ps: per_launch(2 * sorted[rank]),
        high_ps: per_launch(2 * sorted[count - 1 - rank]),
    })
}

/// Largest rank r such that the r-th smallest and r-th largest of `count` samples (from 0) enclose the median with
/// probability 95 % or more: P(Binomial(count, 1/2) <= r) <= 2.5 % (David and Nagaraja, Order Statistics, 7.1).
fn interval_rank(count: usize) -> usize {
    let mut probability = 0.5f64.powi(count as i32);
    let mut cumulative = 0.0;
    for rank in 0..count {
        cumulative += probability;
        if cumulative > 0.025 {
            return rank.saturating_sub(1);
        }
        probability *= (count - rank) as f64 / (rank + 1) as f64;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_agree_with_the_published_table() {
        // Conover, Practical Nonparametric Statistics, table A3, p = 0.5: ranks counted from 1.
        for (count, rank) in [
            (6, 1),
            (8, 1),
            (9, 2),
            (10, 2),
            (15, 4),
            (20, 6),
            (25, 8),
            (30, 10),
            (50, 18),
            (100, 40),
        ] {
            assert_eq!(interval_rank(count) + 1, rank, "{count} samples");
        }
    }

    #[test]
    fn one_slow_launch_moves_no_figure_of_many() {
        let calm = vec![1_000; 21];
        let mut noisy = calm.clone();
        noisy[3] = 50_000;
        assert_eq!(summarize(&calm, 10), summarize(&noisy, 10));
    }

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_two() {
        let summary = summarize(&[10, 20, 30, 41, 50, 60], 1).expect("six samples");
        assert_eq!(
            (summary.low_ps, summary.median_ps, summary.high_ps),
            (10_000, 35_500, 60_000)
        );
    }

    #[test]
    fn doubtful_samples_are_refused() {
        assert_eq!(summarize(&[1; 5], 1), Err(StatsError::TooFewSamples { got: 5 }));
        assert_eq!(
            summarize(&[1; 513], 1),
            Err(StatsError::TooManySamples { got: 513 })
        );
        assert_eq!(summarize(&[1; 6], 0), Err(StatsError::NoLaunches));
        assert_eq!(
            summarize(&[1, 1, 0, 1, 1, 1], 1),
            Err(StatsError::SampleOutOfRange { index: 2 })
        );
        assert_eq!(
            summarize(&[1, 1, 1, u64::MAX, 1, 1], 1),
            Err(StatsError::SampleOutOfRange { index: 3 })
        );
    }
}
