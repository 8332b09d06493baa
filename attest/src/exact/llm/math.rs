//! Functions of f32 from products, sums and bits alone. Errors are those of a sweep over every f32 of the range.
//!
//! | function | of | greatest error, units in the last place |
//! |---|---|---|
//! | [`exp`] | -64 .. 0 | 1.02 |
//! | [`reciprocal`] | 1 .. 2^24 | 1.14 |
//! | [`rsqrt`] | 1e-5 .. 2^24 | 1.22 |

/// Lanes of [`tree_sum`].
pub const LANES: usize = 256;

/// Bits of 2^-48.
const SMALLEST: u32 = 0x2780_0000;

/// +0 for what is below 2^-48, both zeros included; all else as it is.
#[inline(always)]
pub fn trim(x: f32) -> f32 {
    let kept = x.to_bits() & 0x7FFF_FFFF >= SMALLEST;
    f32::from_bits(if kept { x.to_bits() } else { 0 })
}

/// 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// log2(e).
const LOG2_E: f32 = f32::from_bits(0x3FB8_AA3B);

/// ln 2 in two parts: n times the first, of nine bits, is exact.
const LN_2: [f32; 2] = [f32::from_bits(0x3F31_8000), f32::from_bits(0xB95E_8083)];

/// 1/7!, 1/6!, ... 1/2!, each to the nearest f32.
const SERIES: [f32; 6] = [
    f32::from_bits(0x3950_0D01),
    f32::from_bits(0x3AB6_0B61),
    f32::from_bits(0x3C08_8889),
    f32::from_bits(0x3D2A_AAAB),
    f32::from_bits(0x3E2A_AAAB),
    f32::from_bits(0x3F00_0000),
];

/// e^x for x <= 0, which is trimmed first; +0 below -64.
///
/// x = n ln 2 + r; 1 + (r + (r r) q), where q is the series by Horner's rule; then n is added to the exponent.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = trim(x);
    let shifted = x * LOG2_E + ROUND;
    let n = shifted + -ROUND;
    let r = (x + -(n * LN_2[0])) + -(n * LN_2[1]);
    let q = ((((SERIES[0] * r + SERIES[1]) * r + SERIES[2]) * r + SERIES[3]) * r + SERIES[4]) * r + SERIES[5];
    let power = 1.0 + (r + (r * r) * q);
    let bits = power.to_bits().wrapping_add(shifted.to_bits() << 23);
    f32::from_bits(if x < -64.0 { 0 } else { bits })
}

/// 1/d for 1 <= d <= 2^24: three Newton steps y + y (1 - d y) from the bits 0x7EF311C7 - bits(d).
#[inline(always)]
pub fn reciprocal(d: f32) -> f32 {
    let step = |y: f32| y + y * (1.0 + -(d * y));
    step(step(step(f32::from_bits(
        0x7EF3_11C7u32.wrapping_sub(d.to_bits()),
    ))))
}

/// 1 over the root of a, for 1e-5 <= a <= 2^24: three Newton steps y + y (1/2 - ((a/2) y) y) from the bits 0x5F3759DF -
/// bits(a)/2.
#[inline(always)]
pub fn rsqrt(a: f32) -> f32 {
    let half = 0.5 * a;
    let step = |y: f32| y + y * (0.5 + -((half * y) * y));
    step(step(step(f32::from_bits(
        0x5F37_59DFu32.wrapping_sub(a.to_bits() >> 1),
    ))))
}

/// g / (1 + e^-g), trimmed, of g trimmed: with e = exp(-|g|) and y = reciprocal(1 + e), g y for g >= 0, else g (e y).
#[inline(always)]
pub fn silu(g: f32) -> f32 {
    let g = trim(g);
    let e = exp(f32::from_bits(g.to_bits() | 0x8000_0000));
    let y = reciprocal(1.0 + e);
    trim(g * if g >= 0.0 { y } else { e * y })
}

/// Value i is added to lane i mod 256, from +0 in ascending order; then lane l takes lane l + 128 for l < 128, then lane
/// l + 64 for l < 64, and so on down to lane 0, the sum.
pub fn tree_sum(values: impl Iterator<Item = f32>) -> f32 {
    let mut lanes = [0.0; LANES];
    for (i, value) in values.enumerate() {
        lanes[i % LANES] += value;
    }
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worst error in units of the last place of f32 at the result, over every `step`th float from `from` to `to`.
    fn worst([from, to]: [f32; 2], step: usize, got: fn(f32) -> f32, want: fn(f64) -> f64) -> f64 {
        let error = |bits: u32| {
            let x = f32::from_bits(bits);
            let want = want(f64::from(x));
            let unit = f64::from(f32::from_bits((want as f32).to_bits() & 0x7F80_0000)) * 2f64.powi(-23);
            (f64::from(got(x)) - want).abs() / unit
        };
        (from.to_bits()..=to.to_bits())
            .step_by(step)
            .map(error)
            .fold(0.0, f64::max)
    }

    /// Bounds are what the sweep of every float finds (1.0171, 1.1333 and 1.2171), rounded up; every 61st is tried here.
    #[test]
    fn errors_are_as_documented() {
        let exp = worst([-0.0, -64.0], 61, exp, f64::exp);
        assert!(exp <= 1.02, "exp: {exp}");
        let reciprocal = worst([1.0, 16_777_216.0], 61, reciprocal, |d| 1.0 / d);
        assert!(reciprocal <= 1.14, "reciprocal: {reciprocal}");
        let rsqrt = worst([1e-5, 16_777_216.0], 61, rsqrt, |a| 1.0 / a.sqrt());
        assert!(rsqrt <= 1.22, "rsqrt: {rsqrt}");
    }

    #[test]
    fn ends_are_exact() {
        assert_eq!([0.0, -0.0, -1e-20].map(exp), [1.0; 3]);
        assert_eq!([-64.1, -1e30, f32::NEG_INFINITY].map(exp), [0.0; 3]);
        assert!(exp(-64.0) > 1e-28);
        assert_eq!([1.0, 2.0, 4096.0].map(reciprocal), [1.0, 0.5, 1.0 / 4096.0]);
        assert_eq!(silu(0.0).to_bits(), 0);
        assert_eq!([silu(100.0), silu(-100.0)], [100.0, 0.0]);
    }

    #[test]
    fn trim_leaves_no_small_number_and_no_sign_of_zero() {
        let smallest = 2f32.powi(-48);
        for x in [smallest, -smallest, 1.0, -3.5] {
            assert_eq!(trim(x), x);
        }
        let below = f32::from_bits(smallest.to_bits() - 1);
        for x in [below, -below, -0.0, 0.0, f32::from_bits(1)] {
            assert_eq!(trim(x).to_bits(), 0);
        }
    }

    #[test]
    fn a_sum_takes_its_lanes_in_the_order_of_the_tree() {
        let count = 3 * LANES + 17;
        assert_eq!(
            tree_sum((0..count).map(|i| i as f32)),
            (count * (count - 1) / 2) as f32
        );
        // 2^24 + 1 + 1 in order loses both ones; lanes 0, 1 and 129 add the ones first.
        let mut values = [0.0; LANES];
        (values[0], values[1], values[129]) = (16_777_216.0, 1.0, 1.0);
        assert_eq!(tree_sum(values.into_iter()), 16_777_218.0);
        assert_eq!(tree_sum(std::iter::empty()), 0.0);
    }
}
