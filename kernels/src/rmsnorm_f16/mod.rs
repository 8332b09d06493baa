//! `rmsnorm.f16.v1`: y = x / sqrt(mean(x²) + 1e-5) * w for each row, f16 in memory, f32 in between.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::specify::{case, formula, odd_rows, tensor};
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
    odd_sizes: odd_rows,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "rmsnorm.f16.v1".into(),
    title: "Root-mean-square normalization of each row in f16, weighted.".into(),
    group: "transformer".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        // Hidden states of Llama 3 8B, 128 and 2048 tokens.
        case("128x4096", Size::Small, &[("rows", 128), ("cols", 4096)]),
        case("2048x4096", Size::Standard, &[("rows", 2048), ("cols", 4096)]),
        // Hidden states of Llama 3 70B, 16384 tokens.
        case("16384x8192", Size::Large, &[("rows", 16_384), ("cols", 8192)]),
    ],
    inputs: vec![
        tensor("rmsnorm.f16/x", Dtype::F16, &["rows", "cols"]),
        tensor("rmsnorm.f16/w", Dtype::F16, &["cols"]),
    ],
    outputs: vec![tensor("y", Dtype::F16, &["rows", "cols"])],
    flop: formula("4*rows*cols"),
    bytes: formula("4*rows*cols + 2*cols"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 494_000_000,
        abs_ppt: formula("29810"),
        derivation: "Narrowing to f16 errs by 2^-11 of the value, or by 2^-25 where it is subnormal; the sum of 8192 \
                     squares over 256 lanes adds 40 roundings of 2^-24, halved by the root, and division, root and \
                     products 8 more units in the last place: 2.2e-6 relative."
            .into(),
    }),
}
});

/// Keeps a row of zeros from dividing by zero; Llama 3 uses the same.
const EPSILON: f64 = 1e-5;

/// A network from a file brings its own, by its bits, as a size `epsilon` that no case has.
fn epsilon(dims: &Dims) -> f64 {
    let own = dims.get("epsilon");
    own.map_or(EPSILON, |bits| f64::from(f32::from_bits(*bits as u32)))
}
