//! `gemv.f16.v1`: y = W x, the matrix product for one token: half-precision weights read once, sums in f32.
//!
//! Two operations for each two bytes that are read, so memory sets its speed. Sums start anew for each row and their order is
//! fixed for a kind of device: 32 lanes on CUDA and Vulkan, 32 sums side by side on processors.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::specify::{case, formula, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, dim, uncounted};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: None,
    derived: None,
    limits: Some(limits),
    odd_sizes,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "gemv.f16.v1".into(),
    title: "Matrix product in f16 for one token: y = W * x, summed in f32.".into(),
    group: "matrix".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        case("256x1024", Size::Small, &[("n", 256), ("k", 1024)]),
        // The query, gate and down projections of Llama 3 8B.
        case("llama3-8b-query", Size::Standard, &[("n", 4096), ("k", 4096)]),
        case("llama3-8b-gate", Size::Standard, &[("n", 14_336), ("k", 4096)]),
        case("llama3-8b-down", Size::Standard, &[("n", 4096), ("k", 14_336)]),
        // Its vocabulary, and the gate projection of Llama 3 70B.
        case("llama3-8b-vocabulary", Size::Large, &[("n", 128_256), ("k", 4096)]),
        case("llama3-70b-gate", Size::Large, &[("n", 28_672), ("k", 8192)]),
    ],
    inputs: vec![
        tensor("gemv.f16/w", Dtype::F16, &["n", "k"]),
        tensor("gemv.f16/x", Dtype::F16, &["k"]),
    ],
    outputs: vec![tensor("y", Dtype::F32, &["n"])],
    flop: formula("2*n*k"),
    bytes: formula("2*n*k + 2*k + 4*n"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 0,
        abs_ppt: formula("238420*k"),
        derivation: "As gemm.f32.v1: partial sums of k products of values uniform in [-1, 1) walk at random, so k roundings \
                     to 24 bits err by about 0.1*k*2^-24; allowed is 40 times that. Halves are widened without error."
            .into(),
    }),
}
});

/// One row, one column, rows that no block of eight divides, columns that no vector of eight halves does.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1],
        [1, 257],
        [3, 7],
        [5, 1021],
        [13, 1024],
        [9, 520],
        [2, 4099],
        [257, 3],
        [1031, 8],
        [67, 2050],
    ];
    sizes(["n", "k"], &list)
}

/// Kernels index the weights, in halves, with 32 bits.
fn limits(dims: &Dims) -> Option<String> {
    let [n, k] = ["n", "k"].map(|name| dim(dims, name) as u64);
    let halves = n.checked_mul(k).filter(|&halves| halves < 1 << 32);
    uncounted(dims, &["n", "k"]).or_else(|| match halves {
        Some(_) => None,
        None => Some(format!(
            "{n} rows of {k} weights are past the 2^32-1 that kernels index"
        )),
    })
}
