//! `rope.f16.v1`: rotary position embedding of queries, f16 in memory, f32 in between. Elements 2i and 2i + 1 of a head are
//! one pair, as in Meta's code of Llama 3 (not halves of the head, as in ports of it), turned by the angle
//! token * 500000^(-2i / width); a row's position is the index of its token.
//!
//! Cosines and sines are an input, as in practice: a table made in f64 and rounded once to f32, so that an angle of 8191
//! radians costs no digits. The reference turns by angles of its own, so the table is checked along. Operations are four
//! products and two sums a pair.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tolerance};
use rayon::prelude::*;

use crate::inputs::tensor_bytes;
use crate::specify::{case, formula, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, dim};

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

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "rope.f16.v1".into(),
    title: "Rotary position embedding in f16: neighbouring elements turned, theta 500000.".into(),
    group: "transformer".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        // Queries of Llama 3 8B, 128 and 2048 tokens.
        heads("128x32x128", Size::Small, [128, 32, 128]),
        heads("2048x32x128", Size::Standard, [2048, 32, 128]),
        // Of Llama 3 70B, its context of 8192 tokens.
        heads("8192x64x128", Size::Large, [8192, 64, 128]),
    ],
    inputs: vec![
        tensor("rope.f16/x", Dtype::F16, &["tokens", "heads", "width"]),
        // The cosine and the sine of each pair's angle.
        tensor("rope.f16/turns", Dtype::F32, &["tokens", "width"]),
    ],
    outputs: vec![tensor("y", Dtype::F16, &["tokens", "heads", "width"])],
    flop: formula("3*tokens*heads*width"),
    bytes: formula("4*tokens*heads*width + 4*tokens*width"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 488_400_000,
        abs_ppt: formula("150000"),
        derivation: "Narrowing to f16 errs by 2^-11 of the value, or by 2^-25 where it is subnormal. Cosine and sine, rounded \
                     once, and each of the two products, of at most 1, err by 2^-25: 1.2e-7 together; the sum errs by \
                     2^-24 of the value. Angles of up to 8191 are right to 2e-12 in f64."
            .into(),
    }),
}
});

const NAMES: [&str; 3] = ["tokens", "heads", "width"];

fn heads(name: &str, size: Size, sizes: [u64; 3]) -> Case {
    let dims: Vec<_> = NAMES.into_iter().zip(sizes).collect();
    case(name, size, &dims)
}

/// One pair, one head, widths that 16-byte vectors do not divide, the last position of the large case.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 2],
        [3, 1, 6],
        [5, 7, 10],
        [17, 3, 64],
        [31, 13, 128],
        [257, 5, 72],
        [8192, 1, 8],
        [8191, 1, 2],
    ];
    sizes(NAMES, &list)
}

/// What Llama 3 has in place of the 10000 of earlier models.
const THETA: f64 = 500_000.0;

/// Radians a token, for the pair at `pair` of a head.
fn step(pair: usize, width: usize) -> f64 {
    THETA.powf(-((2 * pair) as f64) / width as f64)
}

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let [tokens, width] = ["tokens", "width"].map(|name| dim(dims, name));
    vec![tensor_bytes(&SPEC.inputs[0], dims, seed), turns(tokens, width)]
}

/// Cosine and sine of each pair's angle for each token: `tokens * width` f32.
pub(crate) fn turns(tokens: usize, width: usize) -> Vec<u8> {
    let steps: Vec<f64> = (0..width / 2).map(|pair| step(pair, width)).collect();
    table(tokens, &steps)
}

/// The same of pairs that turn by `steps` a token.
pub(crate) fn table(tokens: usize, steps: &[f64]) -> Vec<u8> {
    let turns = |token: usize| {
        let angles = steps.iter().map(move |step| token as f64 * step);
        angles.flat_map(|angle| [angle.cos(), angle.sin()])
    };
    let table: Vec<f32> = (0..tokens)
        .into_par_iter()
        .flat_map_iter(|token| turns(token).map(|turn| turn as f32))
        .collect();
    table.into_iter().flat_map(f32::to_le_bytes).collect()
}

fn limits(dims: &Dims) -> Option<String> {
    let width = dim(dims, "width");
    (width == 0 || !width.is_multiple_of(2))
        .then(|| format!("a head of {width} elements is not made of pairs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_without_pairs_is_refused() {
        let refusal = |width| limits(&heads("", Size::Small, [2, 3, width]).dims);
        assert_eq!(refusal(2), None);
        assert!(refusal(0).is_some());
        assert_eq!(
            refusal(7).as_deref(),
            Some("a head of 7 elements is not made of pairs")
        );
    }

    #[test]
    fn the_first_pair_turns_by_a_radian_a_token_and_the_last_hardly() {
        assert_eq!(step(0, 128), 1.0);
        assert!((step(63, 128) - THETA.powf(-63.0 / 64.0)).abs() < 1e-18);
    }
}
