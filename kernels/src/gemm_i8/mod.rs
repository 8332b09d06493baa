//! `gemm.i8.v1`: C = A Bᵀ on 8-bit integers with exact 32-bit sums.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dtype, Size, Spec};

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

static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    id: "gemm.i8.v1".into(),
    title: "Matrix product of i8 with exact i32 sums: C = A * transpose(B).".into(),
    group: "matrix".into(),
    class: Class::Exact,
    cache: Cache::Hot,
    cases: vec![
        case("256", Size::Small, &[("m", 256), ("n", 256), ("k", 256)]),
        case("512", Size::Standard, &[("m", 512), ("n", 512), ("k", 512)]),
        case("1024", Size::Standard, &[("m", 1024), ("n", 1024), ("k", 1024)]),
        // The gate projection of Llama 3 8B over a prompt of 512 tokens.
        case(
            "llama3-8b-gate",
            Size::Large,
            &[("m", 512), ("n", 14_336), ("k", 4096)],
        ),
        case("4096", Size::Large, &[("m", 4096), ("n", 4096), ("k", 4096)]),
    ],
    inputs: vec![
        tensor("gemm.i8/a", Dtype::I8, &["m", "k"]),
        tensor("gemm.i8/b", Dtype::I8, &["n", "k"]),
    ],
    outputs: vec![tensor("c", Dtype::I32, &["m", "n"])],
    flop: formula("2*m*n*k"),
    bytes: formula("m*k + n*k + 4*m*n"),
    tokens: None,
    tolerance: None,
});
