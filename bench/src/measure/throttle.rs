//! Which samples were throttled.

use attest::statement::Stretch;

/// What the system said of each sample. One silence and nothing is said of any.
#[derive(Default)]
pub(crate) struct Watch {
    stretches: Vec<Stretch>,
    silent: bool,
}

impl Watch {
    /// After one more sample.
    pub(crate) fn saw(&mut self, throttled: Option<bool>) {
        let Some(throttled) = throttled else {
            self.silent = true;
            return;
        };
        match self.stretches.last_mut() {
            Some(last) if last.throttled == throttled => last.samples += 1,
            _ => self.stretches.push(Stretch {
                samples: 1,
                throttled,
            }),
        }
    }

    pub(crate) fn stretches(self) -> Option<Vec<Stretch>> {
        (!self.silent && !self.stretches.is_empty()).then_some(self.stretches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(samples: &[Option<bool>]) -> Option<Vec<(u64, bool)>> {
        let mut watch = Watch::default();
        samples.iter().for_each(|sample| watch.saw(*sample));
        let stretches = watch.stretches()?;
        Some(
            stretches
                .iter()
                .map(|stretch| (stretch.samples, stretch.throttled))
                .collect(),
        )
    }

    #[test]
    fn equal_neighbours_are_one_stretch_and_a_silent_system_says_nothing() {
        let (no, yes) = (Some(false), Some(true));
        assert_eq!(
            watched(&[no, no, yes, no]),
            Some(vec![(2, false), (1, true), (1, false)])
        );
        assert_eq!(watched(&[no, None, yes]), None);
        assert_eq!(watched(&[]), None);
    }
}
