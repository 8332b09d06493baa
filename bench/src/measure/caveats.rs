//! What makes a record compare with no other.

use attest::statement::{Caveat, Conditions, Stop, Timing};

/// Interval half width past which a record says nothing useful, in parts per million of the median.
const NOISY_PPM: u64 = 50_000;

/// Processor time taken by other virtual machines past which the machine counts as shared, in parts per million.
const STEAL_PPM: u64 = 20_000;

/// Reasons read off the device's state and the samples, each at most once.
pub(crate) fn caveats(timing: &Timing, conditions: &[Conditions]) -> Vec<Caveat> {
    let throttled = conditions.iter().any(|c| c.throttle.as_ref().is_some_and(|reasons| !reasons.is_empty()));
    let shared = conditions
        .iter()
        .any(|c| c.other_processes.is_some_and(|n| n > 0) || c.steal_ppm.is_some_and(|ppm| ppm > STEAL_PPM));
    [
        (throttled, Caveat::Throttled),
        (shared, Caveat::Shared),
        (timing.summary.half_width_ppm() > NOISY_PPM, Caveat::Noisy),
        (timing.stop == Stop::Interrupted, Caveat::Partial),
    ]
    .into_iter()
    .filter_map(|(holds, caveat)| holds.then_some(caveat))
    .collect()
}
