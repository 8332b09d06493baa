//! `sampling.topk.v1`: of each row of logits the k largest, and one of them drawn by its weight. Exact.
//!
//! Definition. Logits are ordered by value, -0 below +0 and no NaN; of equal ones the lower column comes first. `columns` are
//! those of the k largest, the largest first, and x0, x1, ... their logits. Each has a weight of 22 bits,
//! 2^(-(x0 - xi) * scale) where the row's `scale` is log2(e) / temperature:
//!
//! 1. e = (x0 - xi) * scale, the difference and the product each rounded to f32; 31 where it is larger.
//! 2. n + f = e rounded to a multiple of 2^-18 (f32's sum with 32 rounds so, ties to even), f in [0, 1).
//! 3. Weight = (2^22 - floor(F r0 / 2^42)) >> n with F = 2^32 f, r4 = C4 and ri = Ci - floor(F r(i+1) / 2^32) for i = 3 .. 0:
//!    a polynomial in integers, within 1.3 * 2^-22 of the power of two and never rising.
//!
//! The token is the first of the k whose weight, with those before it, is more than floor(draw * total / 2^32): `draw` is the
//! row's random word, a number in [0, 1) with 32 bits, and `total` the sum of all weights, which k of at most 256 keeps below
//! 2^31. Nothing else is rounded, so every device draws the same token.
//!
//! Logits fall off on both sides of zero as those of a language model do, and like those of a product in half precision they
//! tie: from word w of its stream, with its last two bits set, z leading zeros and the number m of the eight bits after the
//! first one make a logit of 1 + z - m / 2^8, negative where w was odd. (Of uniform logits the k largest of 128,256 would
//! have nearly equal weights.) Scales are log2(e) / (1 + s / 2) with s in [-1, 1) of their stream: temperatures of 0.5 to 1.5. Draws are the
//! words of theirs. Bytes are inputs and outputs; comparisons count as no operations.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tensor};
use rayon::prelude::*;

use crate::elements::f32s;
use crate::inputs::{indices, tensor_bytes};
use crate::specify::{case, formula, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, dim, uncounted};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: Some(inputs),
    derived: None,
    limits: Some(limits),
    odd_sizes,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    id: "sampling.topk.v1".into(),
    title: "The k largest of each row of logits in f32, and one of them drawn by its softmax weight.".into(),
    group: "transformer".into(),
    class: Class::Exact,
    cache: Cache::Cold,
    cases: vec![
        // The vocabularies of Mixtral 8x7B and of Llama 3; k as is customary since GPT-2.
        rows("mixtral-4x32000", Size::Small, [4, 32_000, 50]),
        rows("mixtral-256x32000", Size::Standard, [256, 32_000, 50]),
        rows("llama3-1x128256", Size::Standard, [1, 128_256, 50]),
        rows("llama3-64x128256", Size::Standard, [64, 128_256, 50]),
        rows("llama3-512x128256", Size::Large, [512, 128_256, 50]),
    ],
    inputs: vec![
        tensor("sampling.topk/logits", Dtype::F32, &["rows", "vocabulary"]),
        tensor("sampling.topk/scales", Dtype::F32, &["rows"]),
        tensor("sampling.topk/draws", Dtype::I32, &["rows"]),
    ],
    outputs: vec![
        tensor("columns", Dtype::I32, &["rows", "k"]),
        tensor("tokens", Dtype::I32, &["rows"]),
    ],
    flop: formula("0"),
    bytes: formula("4*rows*vocabulary + 4*rows*k + 12*rows"),
    tokens: None,
    tolerance: None,
});

const NAMES: [&str; 3] = ["rows", "vocabulary", "k"];

fn rows(name: &str, size: Size, sizes: [u64; 3]) -> Case {
    let dims: Vec<_> = NAMES.into_iter().zip(sizes).collect();
    case(name, size, &dims)
}

/// One logit, all of them, vocabularies around the 8192 that a block selects from and around its vectors of four.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 1],
        [3, 7, 7],
        [5, 257, 50],
        [2, 1021, 1],
        [1, 8191, 256],
        [2, 8193, 3],
        [1, 16_390, 17],
        [1, 50_257, 50],
    ];
    sizes(NAMES, &list)
}

/// C0 to C4 times 2^32: (1 - 2^-f) / f is C0 - f (C1 - f (C2 - f (C3 - f C4))) within 6e-8 / f, by Remez' exchange.
const POLYNOMIAL: [u32; 5] = [0xB171_E9B3, 0x3D7C_E05B, 0x0E29_3C23, 0x025C_CA86, 0x003E_860A];

/// The weight of a logit that lies `below` the largest, a difference rounded to f32.
fn weight(below: f32, scale: f32) -> u32 {
    const FRACTION: u32 = 18;
    let exponent = below * scale;
    let shifted = if exponent < 31.0 { exponent } else { 31.0 } + 32.0;
    let fixed = shifted.to_bits() & 0x7F_FFFF;
    let fraction = fixed << (32 - FRACTION);
    let high = |factor: u32| ((u64::from(fraction) * u64::from(factor)) >> 32) as u32;
    let [first, rest @ .., last] = POLYNOMIAL;
    let sum = rest
        .into_iter()
        .rev()
        .fold(last, |sum, factor| factor - high(sum));
    ((1 << 22) - (high(first - high(sum)) >> 10)) >> (fixed >> FRACTION)
}

/// Which of the k largest logits, in their order, the row's random word draws.
fn drawn(largest: impl Iterator<Item = f32> + Clone, scale: f32, draw: u32) -> usize {
    let top = largest.clone().next().expect("k is at least 1");
    let weights = largest.map(|x| weight(top - x, scale));
    let total: u32 = weights.clone().sum();
    let target = ((u64::from(draw) * u64::from(total)) >> 32) as u32;
    let mut sums = weights.scan(0, |sum, weight| {
        *sum += weight;
        Some(*sum)
    });
    // The total is more than any share of it, but for logits that are no numbers: of those the first.
    sums.position(|sum| sum > target).unwrap_or_default()
}

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let [logits, scales, draws] = [0, 1, 2].map(|index| &SPEC.inputs[index]);
    vec![
        replaced(words(logits, dims, seed), |word| logit(word).to_bits()),
        replaced(tensor_bytes(scales, dims, seed), |bits| {
            let temperature = 1.0 + f64::from(f32::from_bits(bits)) / 2.0;
            ((std::f64::consts::LOG2_E / temperature) as f32).to_bits()
        }),
        words(draws, dims, seed),
    ]
}

fn words(tensor: &Tensor, dims: &Dims, seed: &[u8; 32]) -> Vec<u8> {
    indices(tensor, dims, seed, 1 << 32)
}

fn replaced(mut bytes: Vec<u8>, f: impl Fn(u32) -> u32 + Sync) -> Vec<u8> {
    let (words, _) = bytes.as_chunks_mut();
    words
        .par_iter_mut()
        .for_each(|word| *word = f(u32::from_le_bytes(*word)).to_le_bytes());
    bytes
}

/// About -log2 of a uniform number, with either sign; a multiple of 2^-8 from 2^-8 to 31.
fn logit(word: u32) -> f32 {
    let set = word | 3;
    let zeros = set.leading_zeros();
    let after = (u64::from(set) << (zeros + 1)) as u32 >> 24;
    let size = (1 + zeros) as f32 - after as f32 / 256.0;
    if word & 1 == 1 { -size } else { size }
}

/// Rows of logits and their scales, of an input of f32.
fn logits_of(dims: &Dims, inputs: &[&[u8]], row: usize) -> (Vec<f32>, f32) {
    let vocabulary = dim(dims, "vocabulary");
    let logits = f32s(inputs[0], row * vocabulary..(row + 1) * vocabulary).collect();
    let scale = f32s(inputs[1], row..row + 1).next().expect("one a row");
    (logits, scale)
}

/// The most that one block of kernels ranks.
const MOST: usize = 256;

/// Rows of a grid that every Vulkan device takes.
const MAX_GROUPS: usize = 65_535;

fn limits(dims: &Dims) -> Option<String> {
    let [rows, vocabulary, k] = NAMES.map(|name| dim(dims, name));
    if let Some(reason) = uncounted(dims, &NAMES) {
        return Some(reason);
    }
    if k == 0 || k > MOST || k > vocabulary {
        return Some(format!(
            "the {k} largest of {vocabulary} logits: k is 1 to {MOST}, and no more than there are"
        ));
    }
    if rows > MAX_GROUPS || rows * vocabulary >= 1 << 32 {
        return Some(format!(
            "{rows} rows of {vocabulary} logits are past the {MAX_GROUPS} rows that a grid counts or the 2^32-1 that kernels \
             index"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_outside_the_definition_are_refused_in_words() {
        let refusal = |sizes| limits(&rows("", Size::Small, sizes).dims);
        assert_eq!(refusal([3, 256, 256]), None);
        for (sizes, words) in [
            ([3, 7, 0], "the 0 largest of 7"),
            ([3, 7, 8], "the 8 largest of 7"),
            ([3, 1000, 257], "the 257 largest"),
            ([65_536, 7, 1], "65536 rows"),
            ([1 << 15, 1 << 17, 1], "131072 logits are past"),
            ([1, 1 << 32, 1], "vocabulary of 4294967296 is past"),
        ] {
            let reason = refusal(sizes).expect(words);
            assert!(reason.contains(words), "{reason}");
        }
    }

    #[test]
    fn weights_are_powers_of_two_to_22_bits_and_never_rise() {
        let unit = f64::from(1 << 22);
        let mut last = 1 << 22;
        for step in 0..=31 << 12 {
            let e = step as f32 / 4096.0;
            let weight = weight(e, 1.0);
            assert!(
                (f64::from(weight) - unit * (-f64::from(e)).exp2()).abs() < 1.4,
                "{e}: {weight}"
            );
            assert!(weight <= last, "{e}");
            last = weight;
        }
        assert_eq!(
            [0.0, 1.0, 22.0, 23.0, 31.0, f32::INFINITY].map(|e| weight(e, 1.0)),
            [1 << 22, 1 << 21, 1, 0, 0, 0]
        );
        assert_eq!(weight(2.0, 1.5), 1 << 19);
    }

    #[test]
    fn draws_follow_the_weights() {
        let largest = [5.0, 4.0, 4.0, 2.0];
        let mut counts = [0; 4];
        for draw in 0..1 << 12 {
            counts[drawn(largest.into_iter(), 1.0, draw << 20)] += 1;
        }
        // Weights of 8, 4, 4 and 1 of 17.
        for (count, share) in counts.into_iter().zip([8, 4, 4, 1]) {
            assert!(
                (f64::from(count) - 4096.0 * f64::from(share) / 17.0).abs() <= 1.0,
                "{counts:?}"
            );
        }
        assert_eq!(drawn(largest.into_iter(), 1.0, u32::MAX), 3);
        assert_eq!(drawn([-3.0].into_iter(), 1.0, u32::MAX), 0);
        assert_eq!(drawn([f32::NAN, 1.0].into_iter(), 1.0, u32::MAX), 0);
    }

    #[test]
    fn logits_fall_off_on_both_sides_and_tie() {
        assert_eq!(logit(0x8000_0000), 1.0);
        assert_eq!(logit(0x8000_0001), -1.0);
        assert_eq!(logit(0xFF80_0000), 1.0 - 255.0 / 256.0);
        assert_eq!(logit(0x4000_0000), 2.0);
        assert_eq!(logit(0), 31.0 - 128.0 / 256.0);
        assert_eq!(logit(1), -logit(0));
        let dims = rows("", Size::Small, [1, 32_000, 50]).dims;
        let mut drawn: Vec<f32> = f32s(&inputs(&dims, &[7; 32])[0], 0..32_000).collect();
        drawn.sort_unstable_by(f32::total_cmp);
        let [lowest, middle, highest] = [0, 16_000, 31_999].map(|index| drawn[index]);
        assert!(lowest < -11.0 && middle.abs() < 0.1 && highest > 11.0);
        drawn.dedup();
        assert!(drawn.len() < 16_000, "{} of 32000 differ", drawn.len());
    }
}
