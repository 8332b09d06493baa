//! `crossentropy.f16.v1`: the cross-entropy of each row of logits against its label, and its gradient:
//!
//! loss = ln Σ exp(x) - x[label] in f32, dx = 1024 (softmax(x) - onehot(label)) in f16.
//!
//! 1024 is a loss scale, as training in mixed precision has: 2¹⁶, with which PyTorch's `GradScaler` begins, over a mean of 64
//! rows. Without one the probabilities of a large vocabulary are subnormal in f16. Logits are a stream times eight, in
//! [-8, 8), labels floor(word * vocab / 2³²) of the words of theirs.

pub(crate) mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::inputs::{f16_times_power, indices};
use crate::specify::{case, formula, output_within, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, dim, uncounted};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: Some(inputs),
    derived: None,
    limits: Some(limits),
    odd_sizes,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "crossentropy.f16.v1".into(),
    title: "Cross-entropy of rows of f16 logits and its gradient times 1024, forward and backward in one.".into(),
    group: "training".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        // The vocabulary of Mixtral 8x7B, 64 tokens.
        logits("mixtral-64x32000", Size::Small, [64, 32_000]),
        // Of GPT-2, its context of 1024 tokens.
        logits("gpt2-1024x50257", Size::Standard, [1024, 50_257]),
        // Of Llama 3, 256 and 4096 tokens.
        logits("llama3-256x128256", Size::Standard, [256, 128_256]),
        logits("llama3-4096x128256", Size::Large, [4096, 128_256]),
    ],
    inputs: vec![
        tensor("crossentropy.f16/logits", Dtype::F16, &["rows", "vocab"]),
        tensor("crossentropy.f16/labels", Dtype::I32, &["rows"]),
    ],
    outputs: vec![
        output_within(within_loss(), tensor("loss", Dtype::F32, &["rows"])),
        tensor("dlogits", Dtype::F16, &["rows", "vocab"]),
    ],
    flop: formula("6*rows*vocab"),
    bytes: formula("4*rows*vocab + 8*rows"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 535_000_000,
        abs_ppt: formula("32000"),
        derivation: "Narrowing to f16 errs by 2^-11 of the value, by 2^-25 = 3.0e-8 where it is subnormal. 256 lanes each \
                     add up to 501 positive terms (128256 columns), then 8 tree steps: 509*2^-24 = 3.0e-5 of the \
                     probability; its exp and those of the sum, of arguments in [-16, 0] and within 35 units in the last \
                     place, and the division add 1.2e-5. At a label the difference to one is larger than the probability \
                     where that is under a half, which 128 columns and more all but ensure."
            .into(),
    }),
}
});

fn within_loss() -> Tolerance {
    Tolerance {
        rel_ppt: 240_000,
        abs_ppt: formula("45000000"),
        derivation: "The sum errs by 3.9e-5 of itself, as for the gradient, and its logarithm by as much; the logarithm's own \
                     error, its product with ln 2 and two sums add 4*2^-24 of the loss and 2e-6."
            .into(),
    }
}

/// What the gradient is multiplied by.
const SCALE: f64 = 1024.0;

const NAMES: [&str; 2] = ["rows", "vocab"];

fn logits(name: &str, size: Size, sizes: [u64; 2]) -> Case {
    let dims: Vec<_> = NAMES.into_iter().zip(sizes).collect();
    case(name, size, &dims)
}

/// One row, rows that share words and rows that 16-byte vectors do not divide.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 128],
        [1, 257],
        [3, 131],
        [5, 1021],
        [13, 1024],
        [2, 4099],
        [257, 136],
        [67, 2047],
        [1, 128_256],
        [3, 50_257],
    ];
    sizes(NAMES, &list)
}

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let [logits, labels] = [0, 1].map(|index| &SPEC.inputs[index]);
    let below = dim(dims, "vocab") as u64;
    vec![
        f16_times_power(logits, dims, seed, 3),
        indices(labels, dims, seed, below),
    ]
}

fn limits(dims: &Dims) -> Option<String> {
    const FEWEST: usize = 128;
    let vocab = dim(dims, "vocab");
    if vocab < FEWEST {
        return Some(format!(
            "a vocabulary of {vocab} has probabilities near one, whose difference to one rounds away; {FEWEST} and more do not"
        ));
    }
    uncounted(dims, &NAMES)
}
