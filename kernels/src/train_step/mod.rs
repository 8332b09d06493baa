//! `train.step.v1`: one step of training a network of Llama's form on one sequence, in f32: forward pass, cross-entropy,
//! backward pass through everything, and AdamW on every weight. Its speed is tokens a second.
//!
//! x = the embedding's rows of the tokens; blocks are those of `train.block.f32.v1`; logits are rmsnorm(x) w times the
//! transposed matrix of logits, which is not the embedding. The objective is the sum of the tokens' cross-entropies, as
//! accumulation over micro-batches adds them up; AdamW is that of `adamw.f32.v1`, its tenth step.
//!
//! Weights that belong together stand in one array: the embedding, the stack of blocks, the norm after them, the logits. A
//! block's are its nine of `train.block.f32.v1` one after the other. A block's are updated when its backward pass is done, so
//! that gradients of one block are kept, not of all; what the backward pass needs of the forward pass is kept, nothing is
//! computed twice. Both are what trainers do where activations fit.
//!
//! Weights are streams over the power of two below the root of their columns, the embedding's over one, those of norms
//! 1 + x/8. First moments are a stream over 16, second ones (1 + |x|) / 256: of the scale of gradients, whose sizes the new
//! moments show linearly.

mod embedding;
mod loss;
mod reference;
mod stages;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tensor, Tolerance};
use rayon::prelude::*;

use crate::inputs::{indices, tensor_bytes};
use crate::specify::{case, formula, output_within, sizes, tensor};
use crate::train_block_f32::{self as block, Sizes};
use crate::workload::{Kind, PART_ALIGNMENT, Reference, Workload, dim};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: stages::plan,
    tuned: None,
    cpu: stages::run,
    reference: Reference::Whole(reference::outputs),
    inputs: Some(inputs),
    derived: None,
    limits: Some(|dims| Network::of(dims).refusal(dims)),
    odd_sizes,
    kind: Kind::Kernels,
};

/// The last, the weights of one block, follows from the others: shapes are of names.
const NAMES: [&str; 9] = [
    "layers", "hidden", "heads", "kvheads", "width", "inner", "vocab", "tokens", "block",
];

/// Arrays of weights.
const GROUPS: [(&str, &[&str]); 4] = [
    ("embedding", &["vocab", "hidden"]),
    ("stack", &["layers", "block"]),
    ("norm", &["hidden"]),
    ("logits", &["vocab", "hidden"]),
];

/// Of each array: the weights and both moments.
const STATES: [&str; 3] = ["", "_m", "_v"];

/// With the dimension that follows.
const fn network(sizes: [u64; 8]) -> [u64; 9] {
    let [layers, hidden, heads, kvheads, width, inner, vocab, tokens] = sizes;
    let block = hidden * (2 + 2 * (heads + kvheads) * width + 3 * inner);
    [layers, hidden, heads, kvheads, width, inner, vocab, tokens, block]
}

fn step(name: &str, size: Size, sizes: [u64; 8]) -> Case {
    let dims: Vec<_> = NAMES.into_iter().zip(network(sizes)).collect();
    case(name, size, &dims)
}

/// Weights and moments, which are inputs and outputs.
fn states(prefix: &str) -> impl Iterator<Item = Tensor> {
    GROUPS.into_iter().flat_map(move |(group, shape)| {
        STATES.map(|state| tensor(&format!("{prefix}{group}{state}"), Dtype::F32, shape))
    })
}

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    let inputs = [
        tensor("train.step/ids", Dtype::I32, &["tokens"]),
        tensor("train.step/labels", Dtype::I32, &["tokens"]),
        // Cosine and sine of each pair's angle.
        tensor("train.step/table", Dtype::F32, &["tokens", "width"]),
    ];
    let outputs = states("").map(|output| match &output.name {
        name if name.ends_with("_m") => output_within(within_m(), output),
        name if name.ends_with("_v") => output_within(within_v(), output),
        _ => output,
    });
    let loss = output_within(within_loss(), tensor("loss", Dtype::F32, &["tokens"]));
    Spec {
        id: "train.step.v1".into(),
        title:
            "One training step of a network of Llama's form in f32: forward, cross-entropy, backward, AdamW."
                .into(),
        group: "composite".into(),
        class: Class::Float,
        cache: Cache::Hot,
        cases: vec![
            // Two of the five blocks of stories260K of the tinyllamas.
            step(
                "stories260k-2-layers-16",
                Size::Small,
                [2, 64, 8, 4, 8, 172, 512, 16],
            ),
            // Four of the 30 blocks of SmolLM2 135M.
            step(
                "smollm2-135m-4-layers-256",
                Size::Standard,
                [4, 576, 9, 3, 64, 1536, 49_152, 256],
            ),
            // Four of the 22 blocks of TinyLlama 1.1B, two of the 32 of Llama 3 8B.
            step(
                "tinyllama-1.1b-4-layers-512",
                Size::Large,
                [4, 2048, 32, 4, 64, 5632, 32_000, 512],
            ),
            step(
                "llama3-8b-2-layers-512",
                Size::Large,
                [2, 4096, 32, 8, 128, 14_336, 128_256, 512],
            ),
        ],
        inputs: inputs.into_iter().chain(states("train.step/")).collect(),
        outputs: [loss].into_iter().chain(outputs).collect(),
        // Of each weight three products, but of the embedding; of attention two and four over the half of the scores that are
        // seen; AdamW as adamw.f32.v1 counts it.
        flop: formula(
            "12*layers*tokens*hidden*heads*width + 12*layers*tokens*hidden*kvheads*width + 18*layers*tokens*hidden*inner + \
             6*layers*tokens*tokens*heads*width + 6*tokens*vocab*hidden + 28*vocab*hidden + 14*layers*block + 14*hidden",
        ),
        bytes: formula("12*tokens + 4*tokens*width + 48*vocab*hidden + 24*layers*block + 24*hidden"),
        tokens: Some(formula("tokens")),
        tolerance: Some(within_p()),
    }
});

fn within_loss() -> Tolerance {
    Tolerance {
        rel_ppt: 240_000,
        abs_ppt: formula("10000000 + 10000000*layers + 1000*inner"),
        derivation: "A sum of k products errs by 0.3*sqrt(k)*2^-24 of its own deviation, ten of them follow each other in a \
                     block: logits of the order of one err by 1e-6 a block, the worst of them by several times that. \
                     Measured with SmolLM2's sizes: 7e-6 after four blocks, an eighth of what is allowed. Operands rounded \
                     to TF32 err by 3e-4."
            .into(),
    }
}

fn within_m() -> Tolerance {
    Tolerance {
        rel_ppt: 180_000,
        abs_ppt: formula("1000000 + 1000000*layers + 10000*tokens + 500*inner"),
        derivation: "A tenth of the gradient's error, which is that of a sum over the tokens of products whose factors err as \
                     sums of blocks do; three roundings of the moment. Measured with SmolLM2's sizes, 256 tokens and 512 \
                     words: 2.1e-6 after four blocks, a quarter of what is allowed, of gradients of 0.3 in the root of the \
                     mean square. A gradient that is left out is off by a tenth of itself."
            .into(),
    }
}

fn within_v() -> Tolerance {
    Tolerance {
        rel_ppt: 100_000_000,
        abs_ppt: formula("500000 + 500000*layers + 5000*tokens + 250*inner"),
        derivation: "An error e of the first moment is one of 10 e of the gradient g and of |g| e of v' = 0.95 v + 0.05 g^2, \
                     whose |g| is at most sqrt(20 v'), which is at most 1/2 + 10 v': half of what is allowed of the first \
                     moment, and ten times that, 1e-5, of v'."
            .into(),
    }
}

fn within_p() -> Tolerance {
    Tolerance {
        rel_ppt: 180_000,
        abs_ppt: formula("2700 + 50000 + 50000*layers + 500*tokens + 25*inner"),
        derivation: "That of adamw.f32.v1, and 0.05 of what is allowed of the first moment: p' falls by 9.7e-4 m' / sqrt(v'), \
                     where sqrt(v') is 0.061 or more, and m' and v' err together by three times m' alone at most."
            .into(),
    }
}

/// One token and one word, primes of tokens beside tiles, one head of keys for all, odd vocabularies.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 64, 1, 1, 2, 1, 1, 1],
        [2, 64, 3, 3, 6, 7, 131, 7],
        [3, 64, 4, 2, 10, 33, 67, 17],
        [1, 128, 2, 1, 34, 13, 257, 131],
    ];
    sizes(NAMES, &list.map(network))
}

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let network = Network::of(dims);
    let drawn = SPEC.inputs.iter().enumerate().map(|(index, tensor)| match index {
        stages::IDS | stages::LABELS => indices(tensor, dims, seed, network.vocab as u64),
        stages::TABLE => block::table(network.block),
        _ => network.state(index - stages::FIRST_STATE, tensor_bytes(tensor, dims, seed)),
    });
    drawn.collect()
}

/// Sizes of a case.
#[derive(Clone, Copy, Debug)]
struct Network {
    layers: usize,
    vocab: usize,
    block: Sizes,
}

impl Network {
    fn of(dims: &Dims) -> Self {
        let [layers, vocab] = ["layers", "vocab"].map(|name| dim(dims, name));
        Self {
            layers,
            vocab,
            block: Sizes::of(dims),
        }
    }

    /// Elements of the embedding, and of the logits' weights.
    fn table(self) -> usize {
        self.vocab * self.block.hidden
    }

    fn weights_of_block(self) -> usize {
        self.block.weights().iter().map(|(elements, _)| elements).sum()
    }

    /// A stream as the state of a group.
    fn state(self, index: usize, mut bytes: Vec<u8>) -> Vec<u8> {
        let (group, state) = (index / STATES.len(), index % STATES.len());
        let scale = |bytes: &mut [u8], value: fn(f32) -> f32| {
            let (words, _) = bytes.as_chunks_mut();
            words
                .par_iter_mut()
                .for_each(|word| *word = value(f32::from_le_bytes(*word)).to_le_bytes());
        };
        match (state, group) {
            (1, _) => scale(&mut bytes, |x| x / 16.0),
            (2, _) => scale(&mut bytes, |x| (1.0 + x.abs()) / 256.0),
            (_, stages::STACK) => {
                let mut rest = &mut bytes[..];
                for (elements, columns) in { 0..self.layers }.flat_map(|_| self.block.weights()) {
                    let (weight, after) = rest.split_at_mut(4 * elements);
                    block::scale(weight, columns);
                    rest = after;
                }
            }
            (_, stages::NORM) => block::scale(&mut bytes, None),
            (_, stages::LOGITS) => block::scale(&mut bytes, Some(self.block.hidden)),
            _ => {}
        }
        bytes
    }

    /// Why no device runs such a case.
    fn refusal(self, dims: &Dims) -> Option<String> {
        let Sizes {
            hidden,
            inner,
            tokens,
            ..
        } = self.block;
        let alignment = PART_ALIGNMENT as usize / size_of::<f32>();
        if [self.layers, self.vocab, inner, tokens].contains(&0) {
            return Some("a step has a layer, an inner layer, a vocabulary and a token".to_owned());
        }
        if hidden == 0 || !hidden.is_multiple_of(alignment) {
            return Some(format!(
                "a hidden size of {hidden} is no multiple of {alignment}: layers' weights would not begin where devices can \
                 bind them"
            ));
        }
        let uneven = self.block.refusal();
        if uneven.is_some() {
            return uneven;
        }
        let Sizes { heads, width, .. } = self.block;
        let most = [
            [1, self.vocab, hidden.max(tokens)],
            [heads, tokens, tokens.max(width)],
            [heads, width, hidden],
            [3, inner, hidden.max(tokens)],
        ]
        .map(|sizes| {
            sizes
                .into_iter()
                .fold(1, |product: u128, size| product.saturating_mul(size as u128))
        })
        .into_iter()
        .fold(0, u128::max);
        if most >> 32 != 0 {
            return Some(format!(
                "{most} elements of one array are past the 2^32-1 that kernels count to"
            ));
        }
        let (block, want) = (dim(dims, "block"), self.weights_of_block());
        (block != want).then(|| format!("a block of {block} weights has {want} of these sizes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_no_kernel_runs_are_refused_in_words() {
        let refusal = |changes: &[(&str, u64)]| {
            let mut dims = SPEC.cases[0].dims.clone();
            dims.extend(changes.iter().map(|&(name, size)| (name.to_owned(), size)));
            Network::of(&dims).refusal(&dims)
        };
        assert_eq!(refusal(&[]), None);
        for (changes, reason) in [
            (&[("tokens", 0)][..], "a token"),
            (&[("hidden", 96)], "no multiple of 64"),
            (&[("kvheads", 3)], "do not share 3"),
            (&[("width", 7)], "not made of pairs"),
            (&[("tokens", 1 << 30)], "past the 2^32-1"),
            (&[("block", 7)], "a block of 7 weights has 45440"),
            (&[("inner", 1 << 30)], "past the 2^32-1"),
        ] {
            let refused = refusal(changes);
            assert!(
                refused.as_ref().is_some_and(|said| said.contains(reason)),
                "{changes:?}: {refused:?}"
            );
        }
    }
}
