//! Sharing time over records.

use std::time::{Duration, Instant};

/// Divides what is left of a run's time equally over the records still to come, so that what one leaves the others get.
/// Records that cannot be made in their share are made all the same.
pub(crate) struct Pace {
    ends: Instant,
    left: u32,
}

impl Pace {
    pub(crate) fn new(total: Duration, records: usize, now: Instant) -> Self {
        Self {
            ends: now + total,
            left: u32::try_from(records).unwrap_or(u32::MAX),
        }
    }

    /// Time of the record that begins now, from its inputs to its check.
    pub(crate) fn share(&mut self, now: Instant) -> Duration {
        let share = self.ends.saturating_duration_since(now) / self.left.max(1);
        self.left = self.left.saturating_sub(1);
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_one_record_leaves_the_others_get() {
        let start = Instant::now();
        let mut pace = Pace::new(10 * SECOND, 4, start);
        assert_eq!(pace.share(start), SECOND * 5 / 2);
        assert_eq!(pace.share(start + SECOND), 3 * SECOND);
        assert_eq!(pace.share(start + 8 * SECOND), SECOND);
    }

    #[test]
    fn past_the_end_nothing_is_left_and_nothing_fails() {
        let start = Instant::now();
        let mut pace = Pace::new(SECOND, 1, start);
        assert_eq!(pace.share(start + 2 * SECOND), Duration::ZERO);
        assert_eq!(pace.share(start + 2 * SECOND), Duration::ZERO);
    }
}
