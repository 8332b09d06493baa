//! `gemm.bf16.v1`: C = A Bᵀ on bfloat16 matrices, summed in f32 and narrowed once.
//!
//! Portable kernels widen by a shift and need no arithmetic in bf16; matrix units belong to tuned and vendor paths.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dtype, Size, Spec, Tolerance};

use crate::specify::{case, formula, odd_matrices, tensor};
use crate::workload::{Kind, Reference, Workload};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: None,
    derived: None,
    limits: None,
    odd_sizes: odd_matrices,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "gemm.bf16.v1".into(),
    title: "Matrix product in bf16 with sums in f32: C = A * transpose(B).".into(),
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
        tensor("gemm.bf16/a", Dtype::Bf16, &["m", "k"]),
        tensor("gemm.bf16/b", Dtype::Bf16, &["n", "k"]),
    ],
    outputs: vec![tensor("c", Dtype::Bf16, &["m", "n"])],
    flop: formula("2*m*n*k"),
    bytes: formula("2*m*k + 2*n*k + 2*m*n"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 3_906_250_000,
        abs_ppt: formula("59605*k"),
        derivation: "Products are multiples of 2^-14, so sums in f32 below 2^10 are exact in any order, which random walks \
                     of k steps with standard deviation sqrt(k)/3 stay for every k below 100000; beyond, k roundings \
                     err by about 0.1*k*2^-24, and k*2^-24 is allowed. Narrowing to bf16 adds 2^-8 of the value. Sums \
                     kept in bf16 or f16 err by 2^16 or 2^13 times as much."
            .into(),
    }),
}
});
