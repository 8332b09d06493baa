//! Cosines and sines of rotary positions, made once on the host by products and sums of f64 and integers.
//!
//! Token t turns pair i of a head of `width` elements by t * 500000^(-2 i / width) radians. In f64, each operation rounded to
//! nearest, the quotient too:
//!
//! 1. b = (2 i) * 18.931568569324174 / width (the number is log2 500000, its bits 0x4032EE7B471B3A95); n = b rounded down;
//!    p = 2^(n - b) as the series of e^u at u = (n - b) * ln 2: sum of u^k / k! for k = 0 .. 18 by Horner's rule, 1/k!
//!    rounded once.
//! 2. F = p * (1/2 pi) * 2^(64 - n), rounded down to an integer: 2^64 parts of a turn for each token.
//! 3. a = t * F modulo 2^64; q = (a + 2^61) / 2^62 rounded down, modulo 4; r = a - q 2^62 as a signed number, to the
//!    nearest f64; v = r * 2^-64 * 2 pi.
//! 4. w = v v; sin v = v * (sum of (-1)^k w^k / (2k+1)! for k = 0 .. 8), cos v the sum of (-1)^k w^k / (2k)! for k = 0 .. 9,
//!    by Horner's rule, coefficients rounded once. (cos, sin) of the angle is (c, s), (-s, c), (-c, -s), (s, -c) for q = 0,
//!    1, 2, 3; each is rounded to f32 and trimmed.

use super::math::trim;

/// log2 of 500000, Llama 3's theta.
const LOG2_THETA: f64 = f64::from_bits(0x4032_EE7B_471B_3A95);
const LN_2: f64 = std::f64::consts::LN_2;
const TURN: f64 = std::f64::consts::TAU;
const PER_RADIAN: f64 = std::f64::consts::FRAC_1_PI * 0.5;

/// 1/k!: both are exact up to 18!, so the quotient is rounded once.
fn inverse_factorial(k: usize) -> f64 {
    1.0 / (1..=k).map(|factor| factor as f64).product::<f64>()
}

/// `coefficients`, the highest power first.
fn horner(x: f64, coefficients: impl Iterator<Item = f64>) -> f64 {
    coefficients.fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// Parts of a turn, of which there are 2^64, that a pair turns for each token.
fn step(pair: usize, width: usize) -> u64 {
    let below = (2 * pair) as f64 * LOG2_THETA / width as f64;
    let whole = below.floor();
    let power = horner((whole - below) * LN_2, (0..=18).rev().map(inverse_factorial));
    let scale = f64::from_bits((1023 + 64 - whole as u64) << 52);
    (power * PER_RADIAN * scale) as u64
}

fn turn(parts: u64) -> [f32; 2] {
    let quarter = parts.wrapping_add(1 << 61) >> 62;
    let rest = parts.wrapping_sub(quarter << 62).cast_signed();
    let v = rest as f64 * 2f64.powi(-64) * TURN;
    let w = v * v;
    let alternating = |odd: usize| {
        move |k: usize| {
            let size = inverse_factorial(2 * k + odd);
            if k % 2 == 1 { -size } else { size }
        }
    };
    let sin = v * horner(w, (0..=8).rev().map(alternating(1)));
    let cos = horner(w, (0..=9).rev().map(alternating(0)));
    let [cos, sin] = match quarter {
        0 => [cos, sin],
        1 => [-sin, cos],
        2 => [-cos, -sin],
        _ => [sin, -cos],
    };
    [trim(cos as f32), trim(sin as f32)]
}

/// The cosine and the sine of each pair, tokens x width.
pub fn table(tokens: usize, width: usize) -> Vec<f32> {
    let steps: Vec<u64> = (0..width / 2).map(|pair| step(pair, width)).collect();
    (0..tokens as u64)
        .flat_map(|token| steps.iter().flat_map(move |step| turn(token.wrapping_mul(*step))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_the_nearest_of_their_numbers() {
        assert_eq!(LOG2_THETA, 500_000f64.log2());
        assert_eq!(LOG2_THETA, 18.931_568_569_324_174);
        assert_eq!(PER_RADIAN.to_bits(), (1.0 / TURN).to_bits());
    }

    #[test]
    fn every_cosine_and_sine_is_the_nearest_f32_or_next_to_it() {
        for width in [2, 10, 64, 128] {
            let table = table(4096, width);
            for (index, pair) in table.as_chunks::<2>().0.iter().enumerate() {
                let (token, i) = (index / (width / 2), index % (width / 2));
                let angle = token as f64 * 500_000f64.powf(-2.0 * i as f64 / width as f64);
                for (got, want) in pair.iter().zip([angle.cos(), angle.sin()]) {
                    let error = (f64::from(*got) - want).abs();
                    assert!(
                        error <= want.abs() * 6.1e-8 + 1e-11,
                        "token {token}, pair {i} of {width}: {error:e}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_first_token_is_not_turned() {
        assert_eq!(table(1, 6), [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    }
}
