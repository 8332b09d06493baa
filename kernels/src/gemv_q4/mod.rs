//! `gemv.q4.v1`: y = W x for one token, 4-bit weights in blocks of 32 with an f16 scale, as engines run quantized models.
//!
//! A block is 16 bytes: byte j holds weight j in its low nibble and weight j + 16 in its high one, as llama.cpp's Q4_0; a
//! weight is its nibble minus 8, times the block's scale. Scales stand in an array of their own, so that blocks keep to 16
//! bytes and lanes load them whole. Activations come as those engines make them, i8 in blocks of 32 with an f16 scale, and
//! that form is the input: what they were rounded from is no part of the definition. A block's sum of products is an integer,
//! exact on every device; blocks are summed in f32, in an order fixed for a kind of device.
//!
//! Less than four operations for each byte that is read, so memory sets the speed of a good kernel.

pub(crate) mod abreast;
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
    id: "gemv.q4.v1".into(),
    title: "Matrix product for one token: y = W * x, 4-bit weights and i8 activations in blocks of 32 with f16 scales, \
            summed in f32."
        .into(),
    group: "matrix".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        projection("256x1024", Size::Small, [256, 1024]),
        // The query, gate and down projections of Llama 3 8B.
        projection("llama3-8b-query", Size::Standard, [4096, 4096]),
        projection("llama3-8b-gate", Size::Standard, [14_336, 4096]),
        projection("llama3-8b-down", Size::Standard, [4096, 14_336]),
        // Its vocabulary, and the gate projection of Llama 3 70B.
        projection("llama3-8b-vocabulary", Size::Large, [128_256, 4096]),
        projection("llama3-70b-gate", Size::Large, [28_672, 8192]),
    ],
    inputs: vec![
        tensor("gemv.q4/w", Dtype::Q4, &["n", "blocks", "block"]),
        tensor("gemv.q4/w/scales", Dtype::F16, &["n", "blocks"]),
        tensor("gemv.q4/x", Dtype::I8, &["blocks", "block"]),
        tensor("gemv.q4/x/scales", Dtype::F16, &["blocks"]),
    ],
    outputs: vec![tensor("y", Dtype::F32, &["n"])],
    flop: formula("2*n*blocks*block"),
    bytes: formula("16*n*blocks + 2*n*blocks + 32*blocks + 2*blocks + 4*n"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 0,
        abs_ppt: formula("190735*blocks"),
        derivation: "Blocks' integer sums are exact; scaled, they are 0.28 in the root of the mean square, of both signs, and \
                     their partial sums walk at random, so their roundings to 24 bits err by about 0.08*blocks*2^-24; \
                     allowed is 40 times that."
            .into(),
    }),
}
});

/// A case of n rows and k columns.
fn projection(name: &str, size: Size, [n, k]: [u64; 2]) -> Case {
    let block = BLOCK as u64;
    case(name, size, &[("n", n), ("blocks", k / block), ("block", block)])
}

/// Nibbles and bytes as they come from their streams. Scales of both signs, as those of weights are: 2^-8 to 2^-7 and 2^-6 to
/// 2^-5, what trained weights of about 0.02 and activations of about 2 have.
fn draw(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let [w, w_scales, x, x_scales] = SPEC.inputs.as_slice() else {
        unreachable!("four inputs");
    };
    vec![
        tensor_bytes(w, dims, seed),
        normal_f16s(w_scales, dims, seed, -8),
        tensor_bytes(x, dims, seed),
        normal_f16s(x_scales, dims, seed, -6),
    ]
}

/// One row, one block, rows that no group of sixteen divides, blocks that neither eight nor 32 lanes do.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1],
        [1, 33],
        [3, 7],
        [5, 31],
        [13, 32],
        [9, 17],
        [2, 129],
        [257, 1],
        [1031, 2],
        [67, 65],
    ];
    let list = list.map(|[n, blocks]| [n, blocks, BLOCK as u64]);
    sizes(["n", "blocks", "block"], &list)
}

/// Blocks of a row that kernels take: some drivers end a loop after 65,535 rounds, and 32 lanes share a row.
const MAX_BLOCKS: usize = 1 << 20;

fn limits(dims: &Dims) -> Option<String> {
    let [n, blocks, block] = ["n", "blocks", "block"].map(|name| dim(dims, name));
    if block != BLOCK {
        return Some(format!("block of {block}: blocks have {BLOCK} weights"));
    }
    if blocks > MAX_BLOCKS {
        return Some(format!(
            "{blocks} blocks a row are past the {MAX_BLOCKS} that kernels take"
        ));
    }
    uncounted(dims, &["n"]).or_else(|| {
        let all = n as u64 * blocks as u64;
        (all > u64::from(u32::MAX))
            .then(|| format!("{n} rows of {blocks} blocks are past the 2^32-1 blocks that kernels index"))
    })
}
