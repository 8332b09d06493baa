//! `gelu.f16.v1`: y = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, the tanh form of the Gaussian error linear unit, not the
//! one with erf; f16 in memory, f32 in between. With u the argument of tanh, that is x / (1 + exp(-2u)), which loses no
//! digits where tanh nears -1.
//!
//! x is its stream times 4, in [-4, 4): below -4 and above 4 the function is all but 0 and x. Operations are those of the
//! form with tanh: nine an element, tanh counted as one.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::inputs::f16_times_power;
use crate::specify::{case, formula, odd_rows, tensor};
use crate::workload::{Kind, Reference, Workload};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: Some(inputs),
    derived: None,
    limits: None,
    odd_sizes: odd_rows,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "gelu.f16.v1".into(),
    title: "GELU in its tanh form in f16, of 4 times the stream.".into(),
    group: "transformer".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        // Hidden layer of GPT-2 XL, 128 tokens.
        case("128x6400", Size::Small, &[("rows", 128), ("cols", 6400)]),
        // Of GPT-J 6B, its context of 2048 tokens.
        case("2048x16384", Size::Standard, &[("rows", 2048), ("cols", 16_384)]),
        // Gate of Gemma 7B, its context of 8192 tokens.
        case("8192x24576", Size::Large, &[("rows", 8192), ("cols", 24_576)]),
    ],
    inputs: vec![tensor("gelu.f16/x", Dtype::F16, &["rows", "cols"])],
    outputs: vec![tensor("y", Dtype::F16, &["rows", "cols"])],
    flop: formula("9*rows*cols"),
    bytes: formula("4*rows*cols"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 497_000_000,
        abs_ppt: formula("29810"),
        derivation: "Narrowing to f16 errs by 2^-11 of the value, or by 2^-25 where it is subnormal. The argument of exp, at \
                     most 11, takes 7 roundings of 2^-24: 4.6e-6, which is relative in exp; Vulkan's exp of it errs by \
                     3 + 2*11 units in the last place: 3.0e-6; the sum, the division and the product by 5 more: 0.6e-6."
            .into(),
    }),
}
});

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    vec![f16_times_power(&SPEC.inputs[0], dims, seed, 2)]
}
