//! `softmax.f32.v1`: the softmax of each row.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dtype, Size, Spec, Tolerance};

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
    id: "softmax.f32.v1".into(),
    title: "Softmax of each row in f32.".into(),
    group: "transformer".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        // 256 queries of one attention head, context 1024.
        case("head-256x1024", Size::Small, &[("rows", 256), ("cols", 1024)]),
        // 32 heads of Llama 3 8B, 256 queries each, context 1024.
        case("heads-8192x1024", Size::Standard, &[("rows", 8192), ("cols", 1024)]),
        // Logits over the Llama 3 vocabulary.
        case("logits-128x128256", Size::Standard, &[("rows", 128), ("cols", 128_256)]),
        case("logits-1024x128256", Size::Large, &[("rows", 1024), ("cols", 128_256)]),
    ],
    inputs: vec![
        tensor("softmax.f32/x", Dtype::F32, &["rows", "cols"]),
    ],
    outputs: vec![tensor("y", Dtype::F32, &["rows", "cols"])],
    flop: formula("5*rows*cols"),
    bytes: formula("8*rows*cols"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 40_000_000,
        abs_ppt: formula("0"),
        derivation: "256 lanes each add up to 501 positive terms (128256 columns), then 8 tree steps: 509*2^-24 = 3.0e-5 \
                     relative; exp of an argument in [-2, 0] within 7 units in the last place twice and the division \
                     within 2.5 add 2.0e-6. The difference to the maximum is exact: both are multiples of 2^-23."
            .into(),
    }),
}
});
