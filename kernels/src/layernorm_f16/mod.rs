//! `layernorm.f16.v1`: y = (x - mean(x)) / sqrt(mean((x - mean(x))²) + 1e-5) * w + b for each row, f16 in memory, f32 in
//! between. The mean comes first, then the squares of what is left: their difference would lose what a small variance holds.

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
    id: "layernorm.f16.v1".into(),
    title: "Layer normalization of each row in f16, with weight and bias.".into(),
    group: "transformer".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        // Hidden states of GPT-2 XL, 128 tokens.
        case("128x1600", Size::Small, &[("rows", 128), ("cols", 1600)]),
        // Of GPT-NeoX 20B, its context of 2048 tokens.
        case("2048x6144", Size::Standard, &[("rows", 2048), ("cols", 6144)]),
        // Of OPT 66B, 16384 tokens.
        case("16384x9216", Size::Large, &[("rows", 16_384), ("cols", 9216)]),
    ],
    inputs: vec![
        tensor("layernorm.f16/x", Dtype::F16, &["rows", "cols"]),
        tensor("layernorm.f16/w", Dtype::F16, &["cols"]),
        tensor("layernorm.f16/b", Dtype::F16, &["cols"]),
    ],
    outputs: vec![tensor("y", Dtype::F16, &["rows", "cols"])],
    flop: formula("7*rows*cols"),
    bytes: formula("4*rows*cols + 4*cols"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 495_000_000,
        abs_ppt: formula("45000000"),
        derivation: "Narrowing to f16 errs by 2^-11 of the value. Sums of inputs, multiples of 2^-10, are exact below \
                     2^14, so the mean errs by two roundings, 2^-23 at most, which a row without variance multiplies by \
                     316 = 1/sqrt(1e-5): 3.8e-5 absolute. The sum of squares takes at most 168 roundings of 2^-24, halved \
                     by the root, and root, division and products 16 more: 6e-6 of the product, which is at most |y| + 1 \
                     beside the bias: 6e-6 relative and absolute."
            .into(),
    }),
}
});

/// Keeps a row without variance from dividing by zero; GPT-2, GPT-NeoX and OPT use the same.
const EPSILON: f64 = 1e-5;
