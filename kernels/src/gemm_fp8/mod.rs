//! `gemm.fp8.v1`: C = A Bᵀ on fp8 e4m3 matrices, summed in f32 and narrowed once to bf16.
//!
//! Portable kernels decode e4m3 to f32 by integer operations, so every device runs them; arithmetic on fp8, which CUDA has
//! from compute capability 8.9 on, belongs to tuned and vendor paths.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::specify::{case, formula, odd_matrices, tensor};
use crate::workload::{Kind, Reference, Workload, dim};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: None,
    derived: None,
    limits: Some(limits),
    odd_sizes: odd_matrices,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "gemm.fp8.v1".into(),
    title: "Matrix product of fp8 e4m3 with sums in f32, narrowed to bf16: C = A * transpose(B).".into(),
    group: "matrix".into(),
    class: Class::Float,
    cache: Cache::Hot,
    cases: vec![
        case("256", Size::Small, &[("m", 256), ("n", 256), ("k", 256)]),
        case("512", Size::Standard, &[("m", 512), ("n", 512), ("k", 512)]),
        case("1024", Size::Standard, &[("m", 1024), ("n", 1024), ("k", 1024)]),
        // The gate projection of Llama 3 8B over a prompt of 512 tokens.
        case("llama3-8b-gate", Size::Large, &[("m", 512), ("n", 14_336), ("k", 4096)]),
        case("4096", Size::Large, &[("m", 4096), ("n", 4096), ("k", 4096)]),
    ],
    inputs: vec![
        tensor("gemm.fp8/a", Dtype::Fp8E4m3, &["m", "k"]),
        tensor("gemm.fp8/b", Dtype::Fp8E4m3, &["n", "k"]),
    ],
    outputs: vec![tensor("c", Dtype::Bf16, &["m", "n"])],
    flop: formula("2*m*n*k"),
    bytes: formula("m*k + n*k + 2*m*n"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 3_906_250_000,
        abs_ppt: formula("0"),
        derivation: "Operands are multiples of 2^-3 of at most 1, so products are multiples of 2^-6 of at most 1, and up to \
                     2^18 of them have an exact sum in f32 in any order: only narrowing to bf16 errs, by 2^-8 of the \
                     value. A matrix unit that keeps 13 bits of a sum is exact too where it hands over to f32 at least \
                     every 128 products."
            .into(),
    }),
}
});

/// Products whose sum f32 is sure to hold: 2^24 steps of 2^-6.
const MOST_PRODUCTS: usize = 1 << 18;

fn limits(dims: &Dims) -> Option<String> {
    let k = dim(dims, "k");
    (k > MOST_PRODUCTS)
        .then(|| format!("k of {k} is past the {MOST_PRODUCTS} products whose sum in f32 is exact"))
}
