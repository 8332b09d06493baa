//! The exponential function of loops that the compiler turns into vector instructions.

/// Adding it rounds to an integer, which then stands in the low bits: 1.5 * 2^23.
const ROUND: f32 = 12_582_912.0;

/// ln 2 in two parts: n times the first, of nine bits, is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// Factors of Taylor's series, the highest power first.
const SERIES: [f32; 8] = [
    1.0 / 5040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// e^x for x <= 88 within two units in the last place; zero below -87, where f32 becomes subnormal.
///
/// x = n ln 2 + r with |r| <= ln(2)/2, then Taylor's series to r^7, whose remainder is below 6e-9.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let power = SERIES.into_iter().fold(0.0, |sum, factor| sum * r + factor);
    let scaled = f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23));
    if x < -87.0 { 0.0 } else { scaled }
}

/// [`exp`] of each lane, operation by operation: a vector for loops that are not over single values.
#[inline(always)]
pub(crate) fn exp_lanes<const N: usize>(x: [f32; N]) -> [f32; N] {
    let shifted = x.map(|x| x * std::f32::consts::LOG2_E + ROUND);
    let n = shifted.map(|shifted| shifted - ROUND);
    let r = pairs(x, n, |x, n| x - n * LN_2[0] - n * LN_2[1]);
    let [first, rest @ ..] = SERIES;
    let power = rest
        .into_iter()
        .fold([first; N], |sum, factor| pairs(sum, r, |sum, r| sum * r + factor));
    let scaled = pairs(power, shifted, |power, shifted| {
        f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23))
    });
    pairs(scaled, x, |scaled, x| if x < -87.0 { 0.0 } else { scaled })
}

#[inline(always)]
fn pairs<const N: usize>(a: [f32; N], b: [f32; N], f: impl Fn(f32, f32) -> f32) -> [f32; N] {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_right_to_two_units_in_the_last_place() {
        let worst = (-870_000..=880_000)
            .map(|i| i as f32 * 1e-4)
            .map(|x| {
                let want = f64::from(x).exp();
                (f64::from(exp(x)) - want).abs() / want
            })
            .fold(0.0, f64::max);
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst:e}");
        assert_eq!((exp(0.0), exp(-1e9), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
    }
    #[test]
    fn lanes_have_the_bits_of_single_values() {
        for first in (-900_000..890_000).step_by(8) {
            let x: [f32; 8] = std::array::from_fn(|lane| (first + lane as i32) as f32 * 1e-4);
            assert_eq!(
                exp_lanes(x).map(f32::to_bits),
                x.map(|x| exp(x).to_bits()),
                "{x:?}"
            );
        }
        assert_eq!(exp_lanes([f32::NEG_INFINITY, 0.0]), [0.0, 1.0]);
    }
}
