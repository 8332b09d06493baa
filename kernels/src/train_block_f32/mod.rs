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
mod norm;
pub(crate) mod reference;
mod softmax;
pub(crate) mod stages;
mod swiglu;
mod turn;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tensor, Tolerance};
use rayon::prelude::*;

use crate::inputs::tensor_bytes;
use crate::specify::{case, formula, output_within, sizes, tensor};
use crate::workload::{Kernel, Kind, Launch, Reference, Slot, Workload, dim, elements};
pub(crate) use buffers::{COUNT as BUFFERS, scratch};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: stages::plan,
    tuned: None,
    cpu: stages::run,
    reference: Reference::Whole(reference::outputs),
    inputs: Some(inputs),
    derived: None,
    limits: Some(limits),
    odd_sizes,
    kind: Kind::Kernels,
};

/// Sizes of one block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) tokens: usize,
    pub(crate) hidden: usize,
    pub(crate) heads: usize,
    pub(crate) kvheads: usize,
    pub(crate) width: usize,
    pub(crate) inner: usize,
}

impl Sizes {
    pub(crate) fn of(dims: &Dims) -> Self {
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

    /// Elements of a token's queries, and of its keys.
    pub(crate) fn query(self) -> usize {
        self.heads * self.width
    }

    pub(crate) fn key(self) -> usize {
        self.kvheads * self.width
    }

    /// Query heads that share a key and value head.
    fn group(self) -> usize {
        self.heads / self.kvheads
    }

    /// Elements and columns of each weight, of which those of norms have none.
    pub(crate) fn weights(self) -> [(usize, Option<usize>); WEIGHTS] {
        let Self { hidden, inner, .. } = self;
        let (query, key) = (self.query(), self.key());
        let (norm, of_hidden) = ((hidden, None), |rows: usize| (rows * hidden, Some(hidden)));
        [
            norm,
            of_hidden(query),
            of_hidden(key),
            of_hidden(key),
            (hidden * query, Some(query)),
            norm,
            of_hidden(inner),
            of_hidden(inner),
            (hidden * inner, Some(inner)),
        ]
    }

    /// Why there is no such block.
    pub(crate) fn refusal(self) -> Option<String> {
        let Self {
            heads,
            kvheads,
            width,
            ..
        } = self;
        if kvheads == 0 || heads == 0 || !heads.is_multiple_of(kvheads) {
            return Some(format!(
                "{heads} heads do not share {kvheads} key and value heads evenly"
            ));
        }
        (width == 0 || !width.is_multiple_of(2))
            .then(|| format!("a head of {width} elements is not made of pairs"))
    }

    /// What scores are multiplied by.
    fn factor(self) -> f64 {
        1.0 / (self.width as f64).sqrt()
    }
}

/// Weights of a block.
pub(crate) const WEIGHTS: usize = 9;

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
fn weights(prefix: &str) -> [Tensor; WEIGHTS] {
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
    let drawn = SPEC.inputs.iter().enumerate().map(|(index, tensor)| match index {
        0 | 1 => tensor_bytes(tensor, dims, seed),
        2 => table(sizes),
        _ => {
            let mut bytes = tensor_bytes(tensor, dims, seed);
            scale(&mut bytes, sizes.weights()[index - 3].1);
            bytes
        }
    });
    drawn.collect()
}

/// Cosine and sine of each pair's angle for each token, as f32.
pub(crate) fn table(sizes: Sizes) -> Vec<u8> {
    let width = sizes.width;
    let pairs = (0..sizes.tokens).flat_map(|token| (0..width / 2).map(move |pair| turn(token, pair, width)));
    pairs
        .flatten()
        .flat_map(|value| (value as f32).to_le_bytes())
        .collect()
}

/// A stream as a weight: over the power of two below the root of its columns, or 1 + x/8 for one of a norm, which has none.
pub(crate) fn scale(stream: &mut [u8], columns: Option<usize>) {
    let factor = columns.map(|columns| 1.0 / (1u64 << (columns.ilog2() / 2)) as f32);
    let (words, _) = stream.as_chunks_mut();
    words.par_iter_mut().for_each(|word| {
        let x = f32::from_le_bytes(*word);
        let weight = factor.map_or(1.0 + x / 8.0, |factor| x * factor);
        *word = weight.to_le_bytes();
    });
}

fn limits(dims: &Dims) -> Option<String> {
    let sizes = Sizes::of(dims);
    let refusal = sizes.refusal();
    if refusal.is_some() {
        return refusal;
    }
    let tensors = SPEC.inputs.iter().chain(&SPEC.outputs);
    let scores = sizes.heads as u128 * sizes.tokens as u128 * sizes.tokens as u128;
    let most = tensors
        .map(|tensor| u128::from(elements(tensor, dims)))
        .fold(scores, u128::max);
    (most >> 32 != 0)
        .then(|| format!("{most} elements of one array are past the 2^32-1 that kernels count to"))
}

const THREADS: usize = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernels stride over the rest.
const MAX_GROUPS: usize = 65_535;

macro_rules! kernel {
    ($name:ident, $stem:literal) => {
        static $name: crate::workload::Kernel = crate::workload::Kernel {
            name: $stem,
            folder: "train_block_f32",
            ptx: Some(include_str!(concat!($stem, ".ptx"))),
            spirv: Some(include_bytes!(concat!($stem, ".spv"))),
        };
    };
}
use kernel;

/// A block for each of `rows`, whose words are `rows`, `cols` and more.
fn row_launch(kernel: &'static Kernel, dims: &Dims, buffers: Vec<Slot>, more: &[u32]) -> Launch {
    let [rows, cols] = ["rows", "cols"].map(|name| dim(dims, name));
    Launch {
        kernel,
        grid: [rows.min(MAX_GROUPS) as u32, 1, 1],
        block: [THREADS as u32, 1, 1],
        push: [&[rows as u32, cols as u32], more].concat(),
        buffers,
        shared: 0,
    }
}

/// A thread for each of `count`, as far as groups go.
fn element_launch(kernel: &'static Kernel, count: usize, push: Vec<u32>, buffers: Vec<Slot>) -> Launch {
    Launch {
        kernel,
        grid: [count.div_ceil(THREADS).min(MAX_GROUPS) as u32, 1, 1],
        block: [THREADS as u32, 1, 1],
        push,
        buffers,
        shared: 0,
    }
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
