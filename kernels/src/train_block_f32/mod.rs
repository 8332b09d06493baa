//! `train.block.f32.v1`: forward and backward pass of one block of a Llama-shaped network over one sequence: its output, the
//! gradient of its input and the gradients of all its weights.
//!
//! h = x + Wo attention(rope(Wq n), rope(Wk n), Wv n) with n = rmsnorm(x) w₁, causal, heads in groups that share a key and
//! value head; y = h + Wd (silu(Wg m) * Wu m) with m = rmsnorm(h) w₂. The gradients are those of the sum of y dy. All of it is
//! f32: gradients are compared element by element, and what f16 between the layers rounds away would hide an error of a
//! kernel; trainers keep their master weights and these sums in f32 too.
//!
//! Weights are streams over a power of two near the root of their columns, so that activations keep their scale; those of the
//! norms are 1 + x/8. The table holds cosine and sine of the angle of each token and pair, as Llama 3 turns them.

mod buffers;
mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tensor, Tolerance};
use rayon::prelude::*;

use crate::inputs::tensor_bytes;
use crate::specify::{case, formula, output_within, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, dim, elements};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Whole(reference::outputs),
    inputs: Some(inputs),
    derived: None,
    limits: Some(limits),
    odd_sizes,
    kind: Kind::Kernels,
};

/// Sizes of one block.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    tokens: usize,
    hidden: usize,
    heads: usize,
    kvheads: usize,
    width: usize,
    inner: usize,
}

impl Sizes {
    fn of(dims: &Dims) -> Self {
        let [tokens, hidden, heads, kvheads, width, inner] = NAMES.map(|name| dim(dims, name));
        Self {
            tokens,
            hidden,
            heads,
            kvheads,
            width,
            inner,
        }
    }

    /// Query heads that share a key and value head.
    fn group(self) -> usize {
        self.heads / self.kvheads
    }

    /// What scores are multiplied by.
    fn factor(self) -> f64 {
        1.0 / (self.width as f64).sqrt()
    }
}

/// Keeps a row of zeros from dividing by zero; Llama uses the same.
const EPSILON: f64 = 1e-5;

/// Llama 3's base of the angles.
const THETA: f64 = 500_000.0;

const NAMES: [&str; 6] = ["tokens", "hidden", "heads", "kvheads", "width", "inner"];

fn block(name: &str, size: Size, sizes: [u64; 6]) -> Case {
    let dims: Vec<_> = NAMES.into_iter().zip(sizes).collect();
    case(name, size, &dims)
}

/// The weights, each with its gradient among the outputs.
fn weights(prefix: &str) -> [Tensor; 9] {
    [
        ("norm1", &["hidden"][..]),
        ("wq", &["heads", "width", "hidden"]),
        ("wk", &["kvheads", "width", "hidden"]),
        ("wv", &["kvheads", "width", "hidden"]),
        ("wo", &["hidden", "heads", "width"]),
        ("norm2", &["hidden"]),
        ("gate", &["inner", "hidden"]),
        ("up", &["inner", "hidden"]),
        ("down", &["hidden", "inner"]),
    ]
    .map(|(name, shape)| tensor(&format!("{prefix}{name}"), Dtype::F32, shape))
}

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    let rows = |name: &str| tensor(name, Dtype::F32, &["tokens", "hidden"]);
    let inputs = [
        rows("train.block.f32/x"),
        rows("train.block.f32/dy"),
        tensor("train.block.f32/table", Dtype::F32, &["tokens", "width"]),
    ];
    let gradients = weights("d").map(|weight| output_within(within_weights(), weight));
    Spec {
        id: "train.block.f32.v1".into(),
        title: "Forward and backward pass of a Llama block in f32: its output and all gradients.".into(),
        group: "training".into(),
        class: Class::Float,
        cache: Cache::Hot,
        cases: vec![
            // stories260K of the tinyllamas.
            block("stories260k-32", Size::Small, [32, 64, 8, 4, 8, 172]),
            block("tinyllama-1.1b-128", Size::Standard, [128, 2048, 32, 4, 64, 5632]),
            block("llama3-8b-2048", Size::Large, [2048, 4096, 32, 8, 128, 14_336]),
        ],
        inputs: inputs.into_iter().chain(weights("train.block.f32/")).collect(),
        outputs: [rows("y"), rows("dx")].into_iter().chain(gradients).collect(),
        // Of each weight three products; of the attention two and four over the half of the scores that are seen.
        flop: formula(
            "12*tokens*hidden*heads*width + 12*tokens*hidden*kvheads*width + 18*tokens*hidden*inner + \
             6*tokens*tokens*heads*width",
        ),
        bytes: formula(
            "16*tokens*hidden + 4*tokens*width + 16*hidden + 16*hidden*heads*width + 16*hidden*kvheads*width + \
             24*hidden*inner",
        ),
        tokens: None,
        tolerance: Some(Tolerance {
            rel_ppt: 10_000_000,
            abs_ppt: formula("20000000 + 5000*inner"),
            derivation: "Values and gradients are of the order of one. A sum of k products errs by 0.3*sqrt(k)*2^-24 of \
                         its own deviation, and ten such sums follow each other: by 7e-6 together for the k = 14336 of \
                         the longest. Allowed is 13 times that there, and as a root has no formula, more where k is \
                         less; operands rounded to TF32 err by 3e-4."
                .into(),
        }),
    }
});

fn within_weights() -> Tolerance {
    Tolerance {
        rel_ppt: 10_000_000,
        abs_ppt: formula("20000000 + 5000*inner + 2000000*tokens"),
        derivation: "A sum over the tokens of products whose factors err as the outputs do, by 7e-6 at most: by \
                     sqrt(tokens) as much where they err apart, 3.2e-4 for 2048, of which 13 times is allowed. Operands \
                     rounded to TF32 err by 3e-4*sqrt(tokens)."
            .into(),
    }
}

/// One token, a head for each key and value head, one for all, sizes around what tiles divide.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 8, 1, 1, 2, 3],
        [7, 20, 3, 3, 4, 13],
        [17, 33, 4, 2, 6, 31],
        [131, 24, 2, 1, 10, 9],
        [3, 130, 6, 2, 34, 137],
    ];
    sizes(NAMES, &list)
}

/// Cosine and sine of the angle by which the pair at `pair` of a head is turned at `token`.
fn turn(token: usize, pair: usize, width: usize) -> [f64; 2] {
    let angle = token as f64 * THETA.powf(-((2 * pair) as f64) / width as f64);
    [angle.cos(), angle.sin()]
}

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let sizes = Sizes::of(dims);
    let width = sizes.width;
    let pairs = (0..sizes.tokens).flat_map(|token| (0..width / 2).map(move |pair| turn(token, pair, width)));
    let table: Vec<f32> = pairs.flatten().map(|value| value as f32).collect();
    let drawn = SPEC.inputs.iter().enumerate().map(|(index, tensor)| match index {
        0 | 1 => tensor_bytes(tensor, dims, seed),
        2 => bytemuck::cast_slice(&table).to_vec(),
        _ => scaled(tensor, dims, seed),
    });
    drawn.collect()
}

/// A weight: its stream over the power of two below the root of its columns, or 1 + x/8 for one of a norm.
fn scaled(tensor: &Tensor, dims: &Dims, seed: &[u8; 32]) -> Vec<u8> {
    let rows = dim(dims, &tensor.shape[0]) as u64;
    let columns = match tensor.name.ends_with("wo") || tensor.name.ends_with("down") {
        true => elements(tensor, dims) / rows,
        false => dim(dims, "hidden") as u64,
    };
    let power = 1u64 << (columns.ilog2() / 2);
    let scale = 1.0 / power as f32;
    let norm = tensor.shape.len() == 1;
    let mut bytes = tensor_bytes(tensor, dims, seed);
    let (words, _) = bytes.as_chunks_mut();
    words.par_iter_mut().for_each(|word| {
        let x = f32::from_le_bytes(*word);
        let weight = if norm { 1.0 + x / 8.0 } else { x * scale };
        *word = weight.to_le_bytes();
    });
    bytes
}

fn limits(dims: &Dims) -> Option<String> {
    let Sizes {
        tokens,
        heads,
        kvheads,
        width,
        ..
    } = Sizes::of(dims);
    if kvheads == 0 || heads == 0 || !heads.is_multiple_of(kvheads) {
        return Some(format!(
            "{heads} heads do not share {kvheads} key and value heads evenly"
        ));
    }
    if width == 0 || !width.is_multiple_of(2) {
        return Some(format!("a head of {width} elements is not made of pairs"));
    }
    let tensors = SPEC.inputs.iter().chain(&SPEC.outputs);
    let scores = heads as u128 * tokens as u128 * tokens as u128;
    let most = tensors
        .map(|tensor| u128::from(elements(tensor, dims)))
        .fold(scores, u128::max);
    (most >> 32 != 0)
        .then(|| format!("{most} elements of one array are past the 2^32-1 that kernels count to"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specify::dims_of;

    #[test]
    fn heads_that_share_unevenly_or_have_no_pairs_are_refused() {
        let refusal = |[heads, kvheads, width]: [u64; 3]| {
            let sizes = [2, 8, heads, kvheads, width, 3];
            limits(&dims_of(&NAMES.into_iter().zip(sizes).collect::<Vec<_>>()))
        };
        assert_eq!(refusal([4, 2, 2]), None);
        assert!(refusal([4, 3, 2]).is_some());
        assert!(refusal([4, 2, 3]).is_some());
    }
}
