//! From values to places, and where the ticks go.

use crate::units::{prefixed, significant};

/// A linear or logarithmic axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    log: bool,
    from: f64,
    to: f64,
}

/// Ratio of extremes past which a linear axis would squeeze the small values into a point.
const LOG_FROM: f64 = 25.0;

impl Scale {
    /// From zero to `high`, or logarithmic over the values where they span too much.
    pub(crate) fn of_lengths(values: &[f64], (from, to): (f64, f64)) -> Self {
        let (low, high) = extremes(values);
        if low > 0.0 && high / low > LOG_FROM {
            Self::log(values, (from, to))
        } else {
            let high = if high > 0.0 { high } else { 1.0 };
            Self {
                low: 0.0,
                high,
                log: false,
                from,
                to,
            }
        }
    }

    /// Around the values; equal values get a margin of 1 % on either side.
    pub(crate) fn around(values: &[f64], (from, to): (f64, f64)) -> Self {
        let (low, high) = extremes(values);
        if low > 0.0 && high / low > LOG_FROM {
            return Self::log(values, (from, to));
        }
        let margin = ((high - low) * 0.06)
            .max(high.abs() * 1e-3)
            .max(f64::MIN_POSITIVE);
        let margin = if high > low {
            margin
        } else {
            high.abs().max(1.0) * 0.01
        };
        Self {
            low: low - margin,
            high: high + margin,
            log: false,
            from,
            to,
        }
    }

    /// Whole decades around the positive values.
    pub(crate) fn log(values: &[f64], (from, to): (f64, f64)) -> Self {
        let positive: Vec<f64> = values.iter().copied().filter(|value| *value > 0.0).collect();
        let (low, high) = extremes(&positive);
        let (low, high) = if low > 0.0 { (low, high) } else { (1.0, 1.0) };
        let (low, high) = (low.log10().floor(), (high * 1.0001).log10().ceil());
        Self {
            low,
            high: high.max(low + 1.0),
            log: true,
            from,
            to,
        }
    }

    pub(crate) fn is_log(self) -> bool {
        self.log
    }

    /// Both ends of the axis as values.
    pub(crate) fn ends(self) -> (f64, f64) {
        if self.log {
            (10f64.powf(self.low), 10f64.powf(self.high))
        } else {
            (self.low, self.high)
        }
    }

    /// Place of `value`; what lies outside is put at the nearer end.
    pub(crate) fn at(self, value: f64) -> f64 {
        let value = if self.log {
            value.max(f64::MIN_POSITIVE).log10()
        } else {
            value
        };
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }

    /// About `count` round values with their labels.
    pub(crate) fn ticks(self, count: usize) -> Vec<(f64, String)> {
        if self.log {
            self.decades(count)
        } else {
            self.steps(count)
        }
    }

    fn decades(self, count: usize) -> Vec<(f64, String)> {
        let (low, high) = (self.low as i32, self.high as i32);
        let every = ((high - low) as usize).div_ceil(count.max(1)).max(1);
        let tick = |decade| {
            let value = 10f64.powi(decade);
            let label = if value < 1e5 {
                significant(value, 1)
            } else {
                prefixed(value, 1)
            };
            (value, label)
        };
        (low..=high).step_by(every).map(tick).collect()
    }

    fn steps(self, count: usize) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / count.max(1) as f64;
        let decade = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * decade)
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(10.0 * decade);
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        let first = (self.low / step).ceil();
        // A handful at most: the step is at least a `count`-th of the axis.
        let values = (0..=count).map(|i| (first + i as f64) * step);
        let inside = values.filter(|value| *value <= self.high + step * 1e-9);
        inside.map(|value| (value, label(value, decimals))).collect()
    }
}

fn label(value: f64, decimals: usize) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if decimals == 0 && value.abs() >= 1000.0 {
        significant(value, 6)
    } else {
        format!("{value:.decimals$}")
    }
}

fn extremes(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low.is_finite() && high.is_finite() {
        (low, high)
    } else {
        (0.0, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, count: usize) -> Vec<String> {
        scale.ticks(count).into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(
            labels(Scale::of_lengths(&[87.0, 40.0], (0.0, 1.0)), 4),
            ["0", "50"]
        );
        assert_eq!(
            labels(Scale::of_lengths(&[100.0], (0.0, 1.0)), 4),
            ["0", "50", "100"]
        );
        assert_eq!(
            labels(Scale::around(&[1.661, 1.665], (0.0, 1.0)), 3),
            ["1.660", "1.665"]
        );
        assert_eq!(
            labels(Scale::log(&[0.02, 700.0], (0.0, 1.0)), 5),
            ["0.01", "0.1", "1", "10", "100", "1,000"]
        );
    }

    #[test]
    fn equal_no_and_absurd_values_still_have_a_place() {
        for values in [&[][..], &[5.0, 5.0], &[0.0], &[1e-300, 1e300], &[1e18]] {
            for scale in [
                Scale::around(values, (0.0, 100.0)),
                Scale::of_lengths(values, (0.0, 100.0)),
                Scale::log(values, (0.0, 100.0)),
            ] {
                assert!(scale.ticks(4).len() <= 6, "{values:?}");
                for value in values {
                    assert!((0.0..=100.0).contains(&scale.at(*value)), "{values:?} {scale:?}");
                }
            }
        }
        let equal = Scale::around(&[5.0, 5.0], (0.0, 100.0)).at(5.0);
        assert!((equal - 50.0).abs() < 1e-9);
    }
}
