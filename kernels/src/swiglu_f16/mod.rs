//! `swiglu.f16.v1`: y = a / (1 + exp(-a)) * b, the gated linear unit whose gate is SiLU, f16 in memory, f32 in between. The
//! products that make a and b are matrix products of their own.
//!
//! a is its stream times 4, in [-4, 4), where SiLU bends. Operations are four an element, exp counted as one.

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
    id: "swiglu.f16.v1".into(),
    title: "SwiGLU in f16: SiLU of a, 4 times its stream, times b.".into(),
    group: "transformer".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        // Hidden layer of Llama 3 8B, 128 and 2048 tokens.
        case("128x14336", Size::Small, &[("rows", 128), ("cols", 14_336)]),
        case("2048x14336", Size::Standard, &[("rows", 2048), ("cols", 14_336)]),
        // Of Llama 3 70B, its context of 8192 tokens.
        case("8192x28672", Size::Large, &[("rows", 8192), ("cols", 28_672)]),
    ],
    inputs: vec![
        tensor("swiglu.f16/a", Dtype::F16, &["rows", "cols"]),
        tensor("swiglu.f16/b", Dtype::F16, &["rows", "cols"]),
    ],
    outputs: vec![tensor("y", Dtype::F16, &["rows", "cols"])],
    flop: formula("4*rows*cols"),
    bytes: formula("6*rows*cols"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 491_000_000,
        abs_ppt: formula("29810"),
        derivation: "Narrowing to f16 errs by 2^-11 of the value, or by 2^-25 where it is subnormal. Vulkan's exp of at most \
                     4 errs by 3 + 2*4 units in the last place, 1.3e-6, and the sum, the division and the product by 5 \
                     more: 0.6e-6."
            .into(),
    }),
}
});

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let powers = [2, 0];
    let drawn = SPEC.inputs.iter().zip(powers);
    drawn
        .map(|(tensor, power)| f16_times_power(tensor, dims, seed, power))
        .collect()
}
