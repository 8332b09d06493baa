//! `diffusion.step.v1`: one pass of samples through the blocks of a diffusion transformer (DiT of Peebles and Xie, arXiv
//! 2212.09748, with adaLN-Zero) in f16, as each step of denoising makes one.
//!
//! From the sample's conditioning `c`, a block has six vectors: `shift1, scale1, gate1, shift2, scale2, gate2 = W silu(c) + b`.
//! With `modulated(x) = normal(x) * (1 + scale) + shift`, where `normal` is layer norm without weights and with an epsilon of
//! 1e-6, a block is `x += gate1 * out(attention(modulated1(x)))`, every token seeing every token of its sample, then
//! `x += gate2 * down(gelu(up(modulated2(x))))`. Projections are without biases, which DiT's have. The embedding of patches
//! before the blocks and the layer after them are left out.
//!
//! Products, attention and GELU are those of the catalogue (see [`stages`]). Operations are those of products and of
//! attention; norms, gates and activations are not counted.

mod reference;
mod stages;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tensor, Tolerance};

use crate::inputs::scaled_f16s;
use crate::modulate::VECTORS;
use crate::specify::{case, formula, sizes, tensor};
use crate::stages::Stage;
use crate::workload::{Kind, PART_ALIGNMENT, Reference, Workload, dim};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: stages::plan,
    tuned: None,
    cpu: stages::run,
    reference: Reference::Whole(reference::outputs),
    inputs: Some(inputs),
    derived: None,
    limits: Some(|dims| Network::of(dims).refusal()),
    odd_sizes,
    kind: Kind::Kernels,
};

/// `vectors` is always six: it stands for a number in shapes, which are of names.
const NAMES: [&str; 8] = [
    "blocks", "batch", "tokens", "heads", "head", "hidden", "ffn", "vectors",
];

/// Of DiT-XL/2, whose blocks are 28.
const fn xl(blocks: u64, batch: u64, tokens: u64) -> [u64; 8] {
    [blocks, batch, tokens, 16, 72, 1152, 4608, VECTORS as u64]
}

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "diffusion.step.v1".into(),
    title: "Samples through the blocks of a diffusion transformer in f16, projections without biases.".into(),
    group: "composite".into(),
    class: Class::Float,
    cache: Cache::Hot,
    cases: vec![
        pass("toy-16", Size::Small, [2, 1, 16, 2, 64, 128, 512, VECTORS as u64]),
        // Images of 256 x 256 with and without their class, as guidance wants them.
        pass("dit-xl-2-256px-2-blocks", Size::Standard, xl(2, 2, 256)),
        // Images of 512 x 512.
        pass("dit-xl-2-512px", Size::Large, xl(28, 2, 1024)),
    ],
    inputs: tensors(),
    outputs: vec![tensor("y", Dtype::F16, &["batch", "tokens", "hidden"])],
    flop: formula(
        "2*blocks*batch*vectors*hidden*hidden + 8*blocks*batch*tokens*hidden*hidden + 4*blocks*batch*tokens*hidden*ffn + \
         4*blocks*batch*tokens*tokens*hidden",
    ),
    bytes: formula(
        "4*batch*tokens*hidden + 2*batch*hidden + 2*blocks*vectors*hidden*hidden + 2*blocks*vectors*hidden + \
         8*blocks*hidden*hidden + 4*blocks*hidden*ffn",
    ),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 1_000_000_000,
        abs_ppt: formula("5000000000 + 7000000000*blocks"),
        derivation: "Each block narrows what it passes on a dozen times to f16, by 2^-11 of a value at most, 1.6e-4 in the root \
                     of the mean square: 5e-4 a block of branches of size one, halved by gates. Later blocks carry errors \
                     on and attention enlarges them, so they grow as the blocks do; errors of tokens differ, and the worst of \
                     many values is eight times off. Measured with DiT-XL/2's sizes, the worst is 6e-3 after 2 blocks and \
                     3e-2 after 14: under a third of what is allowed. A stage left out, exchanged or run on another block's \
                     weights is off by a tenth of a value and more."
            .into(),
    }),
}
});

/// In the order of their places in [`stages`].
fn tensors() -> Vec<Tensor> {
    let shapes: [(&str, &[&str]); 10] = [
        ("x", &["batch", "tokens", "hidden"]),
        ("c", &["batch", "hidden"]),
        ("modulation", &["blocks", "vectors", "hidden", "hidden"]),
        ("modulation_bias", &["blocks", "vectors", "hidden"]),
        ("query", &["blocks", "heads", "head", "hidden"]),
        ("key", &["blocks", "heads", "head", "hidden"]),
        ("value", &["blocks", "heads", "head", "hidden"]),
        ("out", &["blocks", "hidden", "heads", "head"]),
        ("up", &["blocks", "ffn", "hidden"]),
        ("down", &["blocks", "hidden", "ffn"]),
    ];
    let named = shapes.map(|(name, shape)| tensor(&format!("diffusion.step/{name}"), Dtype::F16, shape));
    named.to_vec()
}

fn pass(name: &str, size: Size, sizes: [u64; 8]) -> Case {
    let dims: Vec<_> = NAMES.into_iter().zip(sizes).collect();
    case(name, size, &dims)
}

/// One token, primes of tokens beside tiles and blocks of keys, several samples.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 1, 1, 128, 128, 1, 6],
        [2, 3, 7, 2, 64, 128, 65, 6],
        [1, 2, 67, 4, 32, 128, 72, 6],
        [1, 1, 197, 1, 128, 128, 31, 6],
    ];
    sizes(NAMES, &list)
}

/// Weights are streams times the power of two that keeps a product of activations of size one at size one; shifts, scales
/// and gates are about 1/2, which a bias of that size and half the weights make. Sharper attention than such queries and keys
/// have would enlarge errors from block to block until none could be told from a fault.
fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    // Values uniform in [-1, 1) have a variance of 1/3.
    let keeping = |inner: &str| -((dim(dims, inner) as f64 / 3.0).log2() / 2.0).round() as i32;
    let drawn = SPEC.inputs.iter().map(|tensor| {
        let power = match tensor.name.trim_start_matches("diffusion.step/") {
            "x" => 0,
            "c" => 1,
            "modulation" => keeping("hidden") - 1,
            "modulation_bias" => -1,
            "down" => keeping("ffn"),
            _ => keeping("hidden"),
        };
        scaled_f16s(tensor, dims, seed, power)
    });
    drawn.collect()
}

/// Sizes of a case.
#[derive(Clone, Copy, Debug)]
struct Network {
    blocks: usize,
    batch: usize,
    tokens: usize,
    heads: usize,
    head: usize,
    hidden: usize,
    ffn: usize,
    vectors: usize,
}

impl Network {
    fn of(dims: &Dims) -> Self {
        let [blocks, batch, tokens, heads, head, hidden, ffn, vectors] = NAMES.map(|name| dim(dims, name));
        Self {
            blocks,
            batch,
            tokens,
            heads,
            head,
            hidden,
            ffn,
            vectors,
        }
    }

    /// Tokens of all samples.
    fn rows(self) -> usize {
        self.batch * self.tokens
    }

    /// Why no device runs such a case.
    fn refusal(self) -> Option<String> {
        let Self {
            batch,
            tokens,
            heads,
            head,
            hidden,
            ffn,
            ..
        } = self;
        let alignment = PART_ALIGNMENT as usize / size_of::<u16>();
        if [self.blocks, batch, tokens, ffn, hidden].contains(&0) {
            return Some("a pass has a block, a sample, a token and hidden layers".to_owned());
        }
        if self.vectors != VECTORS {
            return Some(format!(
                "a block has {VECTORS} vectors of each sample, not {}",
                self.vectors
            ));
        }
        if heads.checked_mul(head) != Some(hidden) {
            return Some(format!(
                "{heads} heads of {head} elements are no hidden size of {hidden}"
            ));
        }
        if !hidden.is_multiple_of(alignment) {
            return Some(format!(
                "a hidden size of {hidden} is no multiple of {alignment}: blocks' weights and samples would not begin where \
                 devices can bind them"
            ));
        }
        let counted = [
            [batch, tokens, hidden],
            [batch, tokens, ffn],
            [VECTORS, hidden, hidden],
            [1, ffn, hidden],
        ];
        let product = |sizes: &[usize; 3]| {
            sizes
                .iter()
                .try_fold(1usize, |product, &size| product.checked_mul(size))
        };
        if counted
            .iter()
            .any(|sizes| product(sizes).is_none_or(|elements| elements > u32::MAX as usize))
        {
            return Some(format!(
                "activations of {batch} * {tokens} tokens, or weights of a block of {hidden} and {ffn}, are past the 2^32-1 \
                 halves that kernels index"
            ));
        }
        self.block(0).iter().find_map(Stage::refusal)
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
            Network::of(&dims).refusal()
        };
        assert_eq!(refusal(&[]), None);
        for (changes, reason) in [
            (&[("tokens", 0)][..], "a token"),
            (&[("vectors", 5)], "6 vectors"),
            (&[("heads", 3)], "no hidden size of 128"),
            (&[("hidden", 192), ("heads", 3)], "no multiple of 128"),
            (&[("head", 256), ("hidden", 512)], "wider than the 128"),
            (&[("batch", 1 << 20), ("tokens", 1 << 12)], "past the 2^32-1"),
        ] {
            let refused = refusal(changes);
            assert!(
                refused.as_ref().is_some_and(|said| said.contains(reason)),
                "{changes:?}: {refused:?}"
            );
        }
    }
}
