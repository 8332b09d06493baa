//! `gemm.q4.v1`: Y = X Wᵀ for several tokens, 4-bit weights in blocks of 32 with an f16 scale, as engines run quantized models
//! for a batch of sequences.
//!
//! Weights and activations are those of `gemv.q4.v1`, a row of X a token: a block of weights is 16 bytes, byte j with weight j
//! in its low nibble and weight j + 16 in its high one, each plus 8, times the block's scale; activations are i8 in blocks of
//! 32 with an f16 scale. A block's sum of products is an integer, exact on every device; blocks are summed in f32, in an order
//! fixed for a kind of device.
//!
//! Weights are read once for up to 64 tokens, so that a batch costs little more than a token while memory sets the speed.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::inputs::{normal_f16s, tensor_bytes};
use crate::q4::BLOCK;
use crate::specify::{case, formula, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, dim, uncounted};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: Some(draw),
    derived: None,
    limits: Some(limits),
    odd_sizes,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "gemm.q4.v1".into(),
    title: "Matrix product for several tokens: Y = X * transpose(W), 4-bit weights and i8 activations in blocks of 32 with \
            f16 scales, summed in f32."
        .into(),
    group: "matrix".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        tokens("8x256x1024", Size::Small, 8, [256, 1024]),
        // The gate and down projections of Llama 3 8B, for batches of 8 and 64 sequences.
        tokens("llama3-8b-gate-8", Size::Standard, 8, [14_336, 4096]),
        tokens("llama3-8b-gate-64", Size::Standard, 64, [14_336, 4096]),
        tokens("llama3-8b-down-8", Size::Standard, 8, [4096, 14_336]),
        // Its vocabulary, and the gate projection of Llama 3 70B.
        tokens("llama3-8b-vocabulary-64", Size::Large, 64, [128_256, 4096]),
        tokens("llama3-70b-gate-64", Size::Large, 64, [28_672, 8192]),
    ],
    inputs: vec![
        tensor("gemm.q4/x", Dtype::I8, &["m", "blocks", "block"]),
        tensor("gemm.q4/x/scales", Dtype::F16, &["m", "blocks"]),
        tensor("gemm.q4/w", Dtype::Q4, &["n", "blocks", "block"]),
        tensor("gemm.q4/w/scales", Dtype::F16, &["n", "blocks"]),
    ],
    outputs: vec![tensor("y", Dtype::F32, &["m", "n"])],
    flop: formula("2*m*n*blocks*block"),
    bytes: formula("18*n*blocks + 34*m*blocks + 4*m*n"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 0,
        abs_ppt: formula("190735*blocks"),
        derivation: "As gemv.q4.v1: blocks' integer sums are exact; scaled, they are 0.28 in the root of the mean square, of \
                     both signs, and their partial sums walk at random, so their roundings to 24 bits err by about \
                     0.08*blocks*2^-24; allowed is 40 times that."
            .into(),
    }),
}
});

const NAMES: [&str; 4] = ["m", "n", "blocks", "block"];

/// A case of m tokens, n rows and k columns.
fn tokens(name: &str, size: Size, m: u64, [n, k]: [u64; 2]) -> Case {
    let block = BLOCK as u64;
    let dims: Vec<_> = NAMES.into_iter().zip([m, n, k / block, block]).collect();
    case(name, size, &dims)
}

/// Nibbles and bytes as they come from their streams. Scales of both signs, as those of weights are: 2^-8 to 2^-7 and 2^-6 to
/// 2^-5, what trained weights of about 0.02 and activations of about 2 have.
fn draw(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let [x, x_scales, w, w_scales] = SPEC.inputs.as_slice() else {
        unreachable!("four inputs");
    };
    vec![
        tensor_bytes(x, dims, seed),
        normal_f16s(x_scales, dims, seed, -6),
        tensor_bytes(w, dims, seed),
        normal_f16s(w_scales, dims, seed, -8),
    ]
}

/// One token, row and block; neighbours of tiles of 64 and of groups of 16 tokens, blocks that steps of four and groups of
/// eight do not divide.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 1],
        [2, 1, 33],
        [3, 5, 7],
        [5, 67, 31],
        [17, 13, 8],
        [33, 7, 17],
        [64, 65, 5],
        [65, 63, 9],
        [8, 257, 4],
        [131, 3, 2],
    ];
    let list = list.map(|[m, n, blocks]| [m, n, blocks, BLOCK as u64]);
    sizes(NAMES, &list)
}

/// Blocks of a row that kernels take: some drivers end a loop after 65,535 rounds, and a round takes four.
const MAX_BLOCKS: usize = 1 << 17;

fn limits(dims: &Dims) -> Option<String> {
    let [m, n, blocks, block] = NAMES.map(|name| dim(dims, name));
    if m == 0 || n == 0 || blocks == 0 {
        return Some(format!(
            "{m} tokens, {n} rows or {blocks} blocks leave nothing to sum"
        ));
    }
    if block != BLOCK {
        return Some(format!("block of {block}: blocks have {BLOCK} weights"));
    }
    if blocks > MAX_BLOCKS {
        return Some(format!(
            "{blocks} blocks a row are past the {MAX_BLOCKS} that kernels take"
        ));
    }
    let past = |count: u64, words: String| {
        (count >= 1 << 31).then(|| format!("{words} are past the 2^31-1 that kernels index"))
    };
    let [wide_m, wide_n, wide_blocks] = [m, n, blocks].map(|size| size as u64);
    uncounted(dims, &["m", "n"])
        .or_else(|| past(wide_n * wide_blocks, format!("{n} rows of {blocks} blocks")))
        .or_else(|| {
            past(
                wide_m * wide_blocks * 2,
                format!("{m} tokens of {blocks} half blocks"),
            )
        })
        .or_else(|| past(wide_m * wide_n, format!("{m} tokens of {n} sums")))
        .or_else(|| launch::grid_refusal(m, n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_kernels_do_not_count_are_refused_in_words() {
        let refusal =
            |m: u64, n: u64, blocks: u64| limits(&tokens("", Size::Small, m, [n, blocks * 32]).dims);
        assert_eq!(refusal(64, 128_256, 256), None);
        for (m, n, blocks, words) in [
            (1, 1, 0, "leave nothing to sum"),
            (1, 1, 1 << 18, "262144 blocks a row"),
            (1, 1 << 20, 1 << 12, "1048576 rows of 4096 blocks"),
            (1 << 20, 1, 1 << 12, "1048576 tokens of 4096 half blocks"),
            (1 << 16, 1 << 16, 1, "65536 tokens of 65536 sums"),
            (1 << 32, 1, 1, "m of 4294967296"),
            (1 << 23, 1, 1, "more blocks"),
        ] {
            let reason = refusal(m, n, blocks).expect(words);
            assert!(reason.contains(words), "{reason}");
        }
        let mut dims = tokens("", Size::Small, 1, [1, 32]).dims;
        dims.insert("block".into(), 16);
        assert_eq!(
            limits(&dims).as_deref(),
            Some("block of 16: blocks have 32 weights")
        );
    }
}
