//! `adamw.f32.v1`: one step of AdamW, Adam with decoupled weight decay, as PyTorch's `torch.optim.AdamW` defines it:
//!
//! m' = m + (1 - β₁) (g - m), v' = β₂ v + (1 - β₂) g², p' = (1 - lr wd) p - lr / (1 - β₁ᵗ) m' / (√(v' / (1 - β₂ᵗ)) + ε)
//!
//! for parameters p with gradient g and moments m and v, at step t. Constants are those of Llama 3's training (betas, weight
//! decay) with lr 1e-3 and ε 1e-8; the tenth step, where both corrections still matter. Trainers write in place; here
//! outputs are buffers of their own, which moves the same bytes: four arrays read, three written.
//!
//! Inputs are of a scale that training has: p a stream in [-1, 1), g one of 2⁻⁷ times that, m of 2⁻⁸, and v = (1 + |x|) 2⁻¹⁷
//! of its stream x, about the square of m.

mod cpu;
mod launch;
pub(crate) mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dims, Dtype, Size, Spec, Tolerance};
use rayon::prelude::*;

use crate::inputs::tensor_bytes;
use crate::specify::{case, formula, output_within, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, uncounted};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: Some(inputs),
    derived: None,
    limits: Some(|dims| uncounted(dims, &["n"])),
    odd_sizes: || {
        sizes(
            ["n"],
            &[1, 2, 3, 5, 31, 257, 1021, 4099, 65_537, 262_147].map(|n| [n]),
        )
    },
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
        id: "adamw.f32.v1".into(),
        title: "The tenth step of AdamW in f32: lr 1e-3, betas 0.9 and 0.95, epsilon 1e-8, weight decay 0.1."
            .into(),
        group: "training".into(),
        class: Class::Float,
        cache: Cache::Cold,
        cases: vec![
            // The output projection of an attention layer of GPT-2.
            case("gpt2-768x768", Size::Small, &[("n", 768 * 768)]),
            // The query projection of Llama 3 8B.
            case("llama3-8b-4096x4096", Size::Standard, &[("n", 4096 * 4096)]),
            // A layer of Llama 3 8B: four projections of attention, three of the MLP, two norms.
            case("llama3-8b-layer", Size::Large, &[("n", 218_112_000)]),
        ],
        inputs: ["p", "g", "m", "v"]
            .map(|name| tensor(&format!("adamw.f32/{name}"), Dtype::F32, &["n"]))
            .into(),
        outputs: vec![
            tensor("p", Dtype::F32, &["n"]),
            output_within(within_m(), tensor("m", Dtype::F32, &["n"])),
            output_within(within_v(), tensor("v", Dtype::F32, &["n"])),
        ],
        flop: formula("14*n"),
        bytes: formula("28*n"),
        tokens: None,
        tolerance: Some(within_p()),
    }
});

fn within_p() -> Tolerance {
    Tolerance {
        rel_ppt: 180_000,
        abs_ppt: formula("2700"),
        derivation: "The decay, its product and the difference round once each: 3*2^-24 = 1.8e-7 of p, which lies within \
                     1.6e-3, the largest update, of p'. The update errs by 23*2^-24 of itself, most of it a root of 5 and \
                     a division of 2.5 units in the last place: 2.2e-9, and with 1.8e-7 of 1.6e-3 2.5e-9."
            .into(),
    }
}

fn within_m() -> Tolerance {
    Tolerance {
        rel_ppt: 60_000,
        abs_ppt: formula("220"),
        derivation:
            "The sum rounds once: 2^-24. Difference, factor and product err by 3*2^-24 of a tenth of at most \
                     1.5*2^-7: 2.1e-10."
                .into(),
    }
}

fn within_v() -> Tolerance {
    Tolerance {
        rel_ppt: 240_000,
        abs_ppt: formula("0"),
        derivation:
            "A sum of two positive terms of at most three roundings each, factors included: 4*2^-24 relative."
                .into(),
    }
}

const LEARNING_RATE: f64 = 1e-3;
const BETAS: [f64; 2] = [0.9, 0.95];
const EPSILON: f64 = 1e-8;
const WEIGHT_DECAY: f64 = 0.1;
const STEP: i32 = 10;

/// lr / (1 - β₁ᵗ) and 1 / √(1 - β₂ᵗ).
fn corrections() -> [f64; 2] {
    let rest = BETAS.map(|beta| 1.0 - beta.powi(STEP));
    [LEARNING_RATE / rest[0], 1.0 / rest[1].sqrt()]
}

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let scales: [fn(f32) -> f32; 4] = [
        |x| x,
        |x| x / 128.0,
        |x| x / 256.0,
        |x| (1.0 + x.abs()) / 131_072.0,
    ];
    let tensors = SPEC.inputs.iter().zip(scales);
    let drawn = tensors.map(|(tensor, scale)| {
        let mut bytes = tensor_bytes(tensor, dims, seed);
        let (words, _) = bytes.as_chunks_mut();
        words
            .par_iter_mut()
            .for_each(|word| *word = scale(f32::from_le_bytes(*word)).to_le_bytes());
        bytes
    });
    drawn.collect()
}
