//! When to stop sampling.

use std::time::Duration;

use attest::statement::{Mode, Stop};
use attest::stats::{MAX_SAMPLES, summarize};

/// Samples until the 95 % interval of the median is narrow enough or the budget ends; sustained, for a minute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopRule {
    pub mode: Mode,
    pub min_samples: usize,
    /// At most [`MAX_SAMPLES`]; fewer where a statement has many records.
    pub max_samples: usize,
    /// Half width of the interval relative to the median, in parts per million.
    pub half_width_ppm: u64,
    /// No interval is narrow enough before.
    pub least: Duration,
    pub budget: Duration,
}

impl StopRule {
    /// Why to stop now, if at all. The budget never ends a record before [`StopRule::min_samples`].
    pub(crate) fn stop(&self, samples_ns: &[u64], launches: u64, elapsed: Duration) -> Option<Stop> {
        if samples_ns.len() < self.min_samples {
            return None;
        }
        if self.mode == Mode::Burst && elapsed >= self.least && self.converged(samples_ns, launches) {
            return Some(Stop::Converged);
        }
        if samples_ns.len() >= MAX_SAMPLES {
            return Some(Stop::Full);
        }
        let room = samples_ns.len() < self.max_samples;
        (elapsed >= self.budget() || !room).then_some(Stop::Budget)
    }

    /// Sampling time, by the host's clock.
    pub(crate) fn budget(&self) -> Duration {
        match self.mode {
            Mode::Burst => self.budget,
            Mode::Sustained => Duration::from_nanos(Mode::SUSTAINED_NS),
        }
    }

    /// Sustained records spread half of their samples over their time: a device that runs twice as fast as in its
    /// warm-up still fills it.
    pub(crate) fn least_sample(&self) -> Duration {
        match self.mode {
            Mode::Burst => Duration::ZERO,
            Mode::Sustained => self.budget() / (self.max_samples as u32 / 2).max(1),
        }
    }

    fn converged(&self, samples_ns: &[u64], launches: u64) -> bool {
        summarize(samples_ns, launches).is_ok_and(|summary| summary.half_width_ppm() <= self.half_width_ppm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: StopRule = StopRule {
        mode: Mode::Burst,
        min_samples: 10,
        max_samples: MAX_SAMPLES,
        half_width_ppm: 10_000,
        least: Duration::ZERO,
        budget: Duration::from_secs(1),
    };

    fn alternating(count: usize, a: u64, b: u64) -> Vec<u64> {
        (0..count).map(|i| if i % 2 == 0 { a } else { b }).collect()
    }

    #[test]
    fn nothing_stops_before_the_least_number_of_samples() {
        assert_eq!(RULE.stop(&[1_000; 9], 1, Duration::from_secs(99)), None);
    }

    #[test]
    fn a_steady_case_stops_at_once_and_a_noisy_one_at_the_budget() {
        assert_eq!(RULE.stop(&[1_000; 10], 1, Duration::ZERO), Some(Stop::Converged));
        let noisy = alternating(40, 1_000, 1_500);
        assert_eq!(RULE.stop(&noisy, 1, Duration::from_millis(999)), None);
        assert_eq!(RULE.stop(&noisy, 1, Duration::from_secs(1)), Some(Stop::Budget));
    }

    #[test]
    fn an_interval_of_just_one_per_cent_is_converged() {
        assert_eq!(
            RULE.stop(&alternating(40, 100_000, 102_020), 1, Duration::ZERO),
            Some(Stop::Converged)
        );
        assert_eq!(
            RULE.stop(&alternating(40, 100_000, 102_100), 1, Duration::ZERO),
            None
        );
    }

    #[test]
    fn a_full_record_stops_however_noisy() {
        assert_eq!(
            RULE.stop(&alternating(MAX_SAMPLES, 1_000, 2_000), 1, Duration::ZERO),
            Some(Stop::Full)
        );
    }

    #[test]
    fn a_statement_of_many_records_holds_fewer_samples_of_each() {
        let rule = StopRule {
            max_samples: 40,
            ..RULE
        };
        assert_eq!(rule.stop(&alternating(39, 1_000, 2_000), 1, Duration::ZERO), None);
        assert_eq!(
            rule.stop(&alternating(40, 1_000, 2_000), 1, Duration::ZERO),
            Some(Stop::Budget)
        );
    }

    #[test]
    fn a_steady_case_goes_on_for_its_least_time() {
        let rule = StopRule {
            least: Duration::from_millis(500),
            ..RULE
        };
        assert_eq!(rule.stop(&[1_000; 20], 1, Duration::from_millis(499)), None);
        assert_eq!(
            rule.stop(&[1_000; 20], 1, Duration::from_millis(500)),
            Some(Stop::Converged)
        );
    }

    #[test]
    fn a_sustained_record_lasts_a_minute_however_steady() {
        let rule = StopRule {
            mode: Mode::Sustained,
            ..RULE
        };
        assert_eq!(rule.stop(&[1_000; 255], 1, Duration::from_secs(59)), None);
        assert_eq!(
            rule.stop(&[1_000; 255], 1, Duration::from_secs(60)),
            Some(Stop::Budget)
        );
        assert_eq!(rule.least_sample(), Duration::from_secs(60) / 256);
    }
}
