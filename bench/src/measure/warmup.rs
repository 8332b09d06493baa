//! Warming up until the time per launch is steady, and choosing how many launches make a sample.

use std::time::Duration;

use attest::statement::{Timer, TimerSource, Warmup};
use kernels::device::{DeviceError, Loaded};

use super::StopRule;

/// Two batches in a row within this share of each other are steady.
const STEADY: f64 = 0.03;

/// A device that never settles is measured all the same after this many times the least warm-up; its interval tells.
const PATIENCE: u32 = 3;

/// Two batches in a row, the later more than twice as long, are no estimate.
const UNSETTLED: f64 = 1.0;

/// Submitting and waiting costs up to 100 us a sample on the host's clock; 20 ms keeps that under 1 % of the witness.
const OWN_CLOCK_SAMPLE: Duration = Duration::from_millis(20);

/// A CPU is its own witness: long enough that a clock tick and a rayon wake-up vanish.
const HOST_CLOCK_SAMPLE: Duration = Duration::from_millis(5);

/// A sample spans 1,000 timer ticks at least, so that resolution costs 0.1 % at most.
/// A quarter is added because a sample may run faster than the warm-up did.
const MIN_TICKS: u64 = 1_250;

/// The shortest sample that its clock resolves, in nanoseconds.
pub(crate) fn shortest_sample_ns(timer: Timer) -> u64 {
    (TICKS * timer.tick_ps).div_ceil(1_000)
}

/// As [`attest`] demands of a statement.
const TICKS: u64 = 1_000;

/// Launches of a sample when as many as `launches` took only `ns`: enough for twice what its clock resolves.
pub(crate) fn more_launches(timer: Timer, sets: u32, launches: u64, ns: u64) -> u64 {
    let factor = (2 * shortest_sample_ns(timer)).div_ceil(ns.max(1)).max(2);
    launches.saturating_mul(factor).next_multiple_of(u64::from(sets))
}

/// Result of warming up.
pub(crate) struct Warm {
    pub warmup: Warmup,
    pub ns_per_launch: f64,
}

/// Runs batches of doubling length until `least` has passed and two in a row agree.
pub(crate) fn warm_up(loaded: &mut dyn Loaded, least: Duration) -> Result<Warm, DeviceError> {
    let mut launches = 1;
    let mut done = Warmup {
        launches: 0,
        elapsed_ns: 0,
    };
    let mut previous = f64::INFINITY;
    loop {
        let elapsed = loaded.run(launches)?;
        done.launches += launches;
        done.elapsed_ns += elapsed.host_ns;
        let now = (elapsed.device_ns.max(1)) as f64 / launches as f64;
        let passed = Duration::from_nanos(done.elapsed_ns);
        let apart = (now / previous - 1.0).abs();
        // A host that was held up makes one batch long, which says nothing of a launch; the next one tells.
        let settled = apart <= STEADY || (passed >= least * PATIENCE && apart <= UNSETTLED);
        if passed >= least && (settled || passed >= least * PATIENCE * PATIENCE) {
            return Ok(Warm {
                warmup: done,
                ns_per_launch: now,
            });
        }
        previous = now;
        // Doubling stops at a quarter of the least warm-up, so that "in a row" spans some time and overshoots little.
        if Duration::from_nanos(elapsed.host_ns) < least / 4 {
            launches *= 2;
        }
    }
}

/// Launches of one sample, which lasts `rule.least_sample()` and long enough for its clock. Samples turn whole rounds of the
/// input sets where `rule` has time for that; elsewhere the rotation goes on from one sample to the next, and the least
/// number of samples still reaches every set.
pub(crate) fn launches_per_sample(timer: Timer, sets: u32, ns_per_launch: f64, rule: &StopRule) -> u64 {
    let least = match timer.source {
        TimerSource::Monotonic => HOST_CLOCK_SAMPLE,
        TimerSource::CudaEvent | TimerSource::VulkanTimestamp => OWN_CLOCK_SAMPLE,
    };
    let least = least.max(rule.least_sample());
    let ticks_ns = MIN_TICKS * timer.tick_ps / 1_000;
    let wanted_ns = (least.as_nanos() as u64).max(ticks_ns) as f64;
    let launches = (wanted_ns / ns_per_launch.max(1.0)).ceil().max(1.0) as u64;
    let sets = u64::from(sets);
    let rounds = launches.next_multiple_of(sets);
    let samples = rule.min_samples as u64;
    let takes_ns = (rounds * samples) as f64 * ns_per_launch;
    if takes_ns <= rule.budget().as_nanos() as f64 {
        rounds
    } else {
        launches.max(sets.div_ceil(samples))
    }
}

#[cfg(test)]
mod tests {
    use attest::statement::Mode;
    use kernels::device::Elapsed;

    use super::*;

    /// Plays back a time per launch for each call.
    struct Scripted {
        ns_per_launch: Vec<u64>,
        calls: usize,
    }

    impl Loaded for Scripted {
        fn timer(&self) -> Timer {
            Timer {
                source: TimerSource::Monotonic,
                tick_ps: 1_000,
            }
        }
        fn poison(&mut self) -> Result<(), DeviceError> {
            Ok(())
        }
        fn run(&mut self, launches: u64) -> Result<Elapsed, DeviceError> {
            let per_launch = self.ns_per_launch[self.calls.min(self.ns_per_launch.len() - 1)];
            self.calls += 1;
            Ok(Elapsed {
                device_ns: launches * per_launch,
                host_ns: launches * per_launch,
            })
        }
        fn read(&mut self, _set: u32) -> Result<Vec<Vec<u8>>, DeviceError> {
            Ok(Vec::new())
        }
        fn read_range(&mut self, _: usize, _: u32, _: u64, _: usize) -> Result<Vec<u8>, DeviceError> {
            Ok(Vec::new())
        }
        fn write(&mut self, _: usize, _: &[u8]) -> Result<(), DeviceError> {
            Ok(())
        }
    }

    #[test]
    fn the_figure_is_the_steady_one_not_the_first() {
        let mut device = Scripted {
            ns_per_launch: vec![90_000_000, 5_000_000, 2_000_000],
            calls: 0,
        };
        let warm = warm_up(&mut device, Duration::from_millis(100)).expect("a scripted device");
        assert_eq!(warm.ns_per_launch, 2_000_000.0);
        assert!(warm.warmup.elapsed_ns >= 100_000_000);
    }

    #[test]
    fn a_device_that_never_settles_is_let_go() {
        let ramp = (0..64).map(|i| 1_000_000 * (1 + i % 2)).collect();
        let warm = warm_up(
            &mut Scripted {
                ns_per_launch: ramp,
                calls: 0,
            },
            Duration::from_millis(20),
        )
        .expect("it ends");
        assert!(warm.warmup.elapsed_ns < 20_000_000 * u64::from(PATIENCE) * 2);
    }

    const RULE: StopRule = StopRule {
        mode: Mode::Burst,
        min_samples: 10,
        max_samples: 512,
        half_width_ppm: 10_000,
        least: Duration::ZERO,
        budget: Duration::from_secs(1),
    };

    const EVENT: Timer = Timer {
        source: TimerSource::CudaEvent,
        tick_ps: 500_000,
    };

    #[test]
    fn a_sample_is_long_enough_for_its_clock_and_turns_whole_rounds() {
        assert_eq!(launches_per_sample(EVENT, 1, 4_000.0, &RULE), 5_000);
        assert_eq!(launches_per_sample(EVENT, 3, 30_000_000.0, &RULE), 3);
        let slow_clock = Timer {
            source: TimerSource::Monotonic,
            tick_ps: 10_000_000,
        };
        assert_eq!(launches_per_sample(slow_clock, 4, 1_000_000.0, &RULE), 16);
    }

    #[test]
    fn a_sample_too_short_for_its_clock_gets_more_launches() {
        assert_eq!(shortest_sample_ns(EVENT), 500_000);
        assert_eq!(more_launches(EVENT, 1, 10, 20_000), 500);
        assert_eq!(more_launches(EVENT, 3, 1, 499_999), 3);
        assert_eq!(more_launches(EVENT, 1, 1, 0), 1_000_000);
    }

    #[test]
    fn one_batch_that_was_held_up_is_no_estimate() {
        let mut times = vec![1_000; 64];
        times[2] = 40_000_000;
        let mut device = Scripted {
            ns_per_launch: times,
            calls: 0,
        };
        let warm = warm_up(&mut device, Duration::from_millis(50)).expect("a scripted device");
        assert_eq!(warm.ns_per_launch, 1_000.0);
    }

    #[test]
    fn where_time_is_short_ten_samples_turn_one_round() {
        assert_eq!(launches_per_sample(EVENT, 31, 15_000_000.0, &RULE), 4);
        assert_eq!(launches_per_sample(EVENT, 4, 300_000_000.0, &RULE), 1);
    }

    #[test]
    fn sustained_samples_fill_a_minute() {
        let rule = StopRule {
            mode: Mode::Sustained,
            ..RULE
        };
        let launches = launches_per_sample(EVENT, 1, 1_000_000.0, &rule);
        assert_eq!(launches, 235);
    }
}
