//! Networks of Llama's form (arXiv 2302.13971; grouped queries as in Llama 2 70B and 3): what composites of language models
//! share.
//!
//! A layer is y = x + attention(norm(x)), then z = y + down(silu(gate(norm(y))) * up(norm(y))). Activations are f16 between
//! operations, as engines have them; what runs inside is that of the workloads of the same names.

mod forward;

use attest::spec::{Dims, Dtype, Tensor};

pub(crate) use forward::{Weights, normed, turn};

use crate::inputs::{normal_f16s, scaled_f16s};
use crate::specify::tensor;
use crate::workload::{PART_ALIGNMENT, dim};

/// Sizes of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) layers: usize,
    pub(crate) hidden: usize,
    pub(crate) heads: usize,
    pub(crate) kvheads: usize,
    pub(crate) head: usize,
    pub(crate) ffn: usize,
    pub(crate) vocab: usize,
}

/// Names of a network's sizes in specifications, in the order of [`Model`]'s fields.
pub(crate) const NAMES: [&str; 7] = ["layers", "hidden", "heads", "kvheads", "head", "ffn", "vocab"];

/// Of TinyLlama 1.1B, Llama 160M (JackFram), Llama 3 8B and 70B.
pub(crate) const TINYLLAMA: [u64; 7] = [22, 2048, 32, 4, 64, 5632, 32_000];
pub(crate) const LLAMA_160M: [u64; 7] = [12, 768, 12, 12, 64, 3072, 32_000];
pub(crate) const LLAMA3_8B: [u64; 7] = [32, 4096, 32, 8, 128, 14_336, 128_256];
/// A network of the same form that continuous integration runs in milliseconds.
pub(crate) const TOY: [u64; 7] = [2, 128, 4, 2, 32, 384, 512];

/// Tensors of a network in f16, in the order in which composites take them.
pub(crate) const WEIGHTS: [(&str, &[&str]); 12] = [
    ("embedding", &["vocab", "hidden"]),
    ("attention_norm", &["layers", "hidden"]),
    ("query", &["layers", "heads", "head", "hidden"]),
    ("key", &["layers", "kvheads", "head", "hidden"]),
    ("value", &["layers", "kvheads", "head", "hidden"]),
    ("out", &["layers", "hidden", "heads", "head"]),
    ("ffn_norm", &["layers", "hidden"]),
    ("gate", &["layers", "ffn", "hidden"]),
    ("up", &["layers", "ffn", "hidden"]),
    ("down", &["layers", "hidden", "ffn"]),
    ("norm", &["hidden"]),
    ("logits", &["vocab", "hidden"]),
];

/// The weights' tensors of a specification.
pub(crate) fn tensors(workload: &str) -> impl Iterator<Item = Tensor> {
    WEIGHTS
        .iter()
        .map(move |(name, shape)| tensor(&format!("{workload}/{name}"), Dtype::F16, shape))
}

/// Synthetic weights: streams times the power of two that keeps a product of activations of size one at size one, and
/// queries four times that, so that attention looks at some keys more than at others. Norms are 1/2 to 1, of either sign.
pub(crate) fn draw(tensor: &Tensor, dims: &Dims, seed: &[u8; 32]) -> Vec<u8> {
    let (_, name) = tensor.name.rsplit_once('/').expect("a workload and a tensor");
    if name.ends_with("norm") {
        return normal_f16s(tensor, dims, seed, -1);
    }
    let inner = match name {
        "embedding" => return scaled_f16s(tensor, dims, seed, 0),
        "out" => dim(dims, "heads") * dim(dims, "head"),
        "down" => dim(dims, "ffn"),
        _ => dim(dims, "hidden"),
    };
    // Values uniform in [-1, 1) have a variance of 1/3.
    let power = -((inner as f64 / 3.0).log2() / 2.0).round() as i32;
    scaled_f16s(
        tensor,
        dims,
        seed,
        if name == "query" { power + 2 } else { power },
    )
}

impl Model {
    pub(crate) fn of(dims: &Dims) -> Self {
        let [layers, hidden, heads, kvheads, head, ffn, vocab] = NAMES.map(|name| dim(dims, name));
        Self {
            layers,
            hidden,
            heads,
            kvheads,
            head,
            ffn,
            vocab,
        }
    }

    /// Elements of all queries of a token, and of all its keys.
    pub(crate) fn queries(self) -> usize {
        self.heads * self.head
    }

    pub(crate) fn keys(self) -> usize {
        self.kvheads * self.head
    }

    /// Why no device runs such a network.
    pub(crate) fn refusal(self) -> Option<String> {
        let alignment = PART_ALIGNMENT as usize / size_of::<u16>();
        if self.layers == 0 || self.vocab == 0 || self.ffn == 0 {
            return Some("a network has a layer, a hidden layer and a vocabulary".to_owned());
        }
        if !self.hidden.is_multiple_of(alignment) || self.hidden == 0 {
            return Some(format!(
                "a hidden size of {} is no multiple of {alignment}: layers' weights would not begin where devices can bind them",
                self.hidden
            ));
        }
        if self.heads.checked_rem(self.kvheads).is_none_or(|rest| rest != 0) || self.head == 0 {
            return Some(format!(
                "{} heads of queries do not share {} of keys",
                self.heads, self.kvheads
            ));
        }
        None
    }
}
