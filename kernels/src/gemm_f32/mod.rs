//! `gemm.f32.v1`: C = A Bᵀ in single precision, sums in any order.

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
    id: "gemm.f32.v1".into(),
    title: "Matrix product in f32: C = A * transpose(B).".into(),
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
        tensor("gemm.f32/a", Dtype::F32, &["m", "k"]),
        tensor("gemm.f32/b", Dtype::F32, &["n", "k"]),
    ],
    outputs: vec![tensor("c", Dtype::F32, &["m", "n"])],
    flop: formula("2*m*n*k"),
    bytes: formula("4*m*k + 4*n*k + 4*m*n"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 0,
        abs_ppt: formula("238420*k"),
        derivation: "Partial sums of k products of values uniform in [-1, 1) walk at random with standard deviation \
                     sqrt(i)/3, so k roundings to 24 bits err by about 0.1*k*2^-24; allowed is 40 times that, \
                     4*k*2^-24, which inputs rounded to TF32 or bfloat16 exceed for every k below 100000."
            .into(),
    }),
}
});
