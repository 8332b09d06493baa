//! `gemm.f16.v1`: C = A Bᵀ on half-precision matrices, summed in f32 and narrowed once.

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
    tuned: Some(launch::tuned),
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
    id: "gemm.f16.v1".into(),
    title: "Matrix product in f16 with sums in f32: C = A * transpose(B).".into(),
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
        tensor("gemm.f16/a", Dtype::F16, &["m", "k"]),
        tensor("gemm.f16/b", Dtype::F16, &["n", "k"]),
    ],
    outputs: vec![tensor("c", Dtype::F16, &["m", "n"])],
    flop: formula("2*m*n*k"),
    bytes: formula("2*m*k + 2*n*k + 2*m*n"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 488_340_000,
        abs_ppt: formula("29810 + 238420*k"),
        derivation: "Sums in f32 err by at most 4*k*2^-24 (40 times the expected error of k roundings of partial sums \
                     that walk at random with standard deviation sqrt(i)/3); narrowing to f16 adds 2^-11 of the value, \
                     or 2^-25 where it is subnormal. Sums kept in f16 err by 2^13 times as much."
            .into(),
    }),
}
});
