//! `llm.prefill.v1`: a prompt through a network of Llama's form in f16, to the logits after its last token. Its time is the time
//! to the first token; its speed is tokens of the prompt a second.
//!
//! Every stage is a workload of the catalogue (see [`stages`]) but the sums that join branches to the trunk. Operations are those
//! of products and of attention over the causal half; norms, turns and gates are not counted.

mod reference;
mod stages;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::inputs::indices;
use crate::llama::{self, LLAMA_160M, LLAMA3_8B, Model, TINYLLAMA, TOY};
use crate::specify::{case, formula, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, dim};

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

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    let weights = llama::tensors("llm.prefill").collect::<Vec<_>>();
    let prompt = [
        tensor("llm.prefill/ids", Dtype::I32, &["tokens"]),
        // The cosine and the sine of each pair's angle.
        tensor("llm.prefill/turns", Dtype::F32, &["tokens", "head"]),
    ];
    let [embedding, others @ ..] = weights.as_slice() else {
        unreachable!("a network has weights")
    };
    let inputs = [embedding].into_iter().chain(&prompt).chain(others);
    Spec {
        id: "llm.prefill.v1".into(),
        title: "A prompt through a network of Llama's form in f16, to the logits after its last token.".into(),
        group: "composite".into(),
        class: Class::Float,
        cache: Cache::Hot,
        cases: vec![
            network("toy-16", Size::Small, 16, TOY),
            network("llama-160m-128", Size::Standard, 128, LLAMA_160M),
            network("tinyllama-1.1b-512", Size::Large, 512, TINYLLAMA),
            network("llama3-8b-128", Size::Large, 128, LLAMA3_8B),
        ],
        inputs: inputs.cloned().collect(),
        outputs: vec![tensor("logits", Dtype::F32, &["vocab"])],
        flop: formula(
            "4*layers*tokens*hidden*heads*head + 4*layers*tokens*hidden*kvheads*head + 6*layers*tokens*hidden*ffn + \
             2*layers*heads*head*tokens*tokens + 2*layers*heads*head*tokens + 2*vocab*hidden",
        ),
        bytes: formula(
            "2*tokens*hidden + 4*tokens + 4*tokens*head + 4*layers*hidden + 4*layers*heads*head*hidden + \
             4*layers*kvheads*head*hidden + 6*layers*ffn*hidden + 2*hidden + 2*vocab*hidden + 4*vocab",
        ),
        tokens: Some(formula("tokens")),
        tolerance: Some(Tolerance {
            rel_ppt: 0,
            abs_ppt: formula("8000000000 + 2000000000*layers"),
            derivation: "Each layer narrows what it passes on ten times to f16, by 2^-11 of a value at most, 1.6e-4 in the root \
                         of the mean square: 5e-4 a layer of values of size one, more where attention is sharp. Errors of \
                         layers add as their squares do: 2e-3 after 12 of them, and the worst of 32,000 logits of size one is \
                         five times off. Allowed is what a straight line over the layers gives; a stage left out, \
                         exchanged or run on another layer's weights is off by the size of a logit."
                .into(),
        }),
    }
});

fn network(name: &str, size: Size, tokens: u64, model: [u64; 7]) -> Case {
    let dims = llama::NAMES.into_iter().zip(model);
    let dims: Vec<_> = dims.chain([("tokens", tokens)]).collect();
    case(name, size, &dims)
}

/// One token, primes of tokens beside tiles and blocks of keys, no group, one head of keys for all, odd vocabularies.
fn odd_sizes() -> Vec<Dims> {
    let [l, h, q, k, w, f, v] = llama::NAMES;
    let list = [
        [1, 128, 1, 1, 64, 64, 1, 1],
        [2, 128, 3, 3, 16, 72, 257, 7],
        [3, 128, 4, 1, 32, 136, 33, 67],
        [1, 256, 6, 2, 64, 200, 1031, 17],
    ];
    sizes([l, h, q, k, w, f, v, "tokens"], &list)
}

/// Weights as every network's; any token.
fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let drawn = SPEC.inputs.iter().map(|tensor| match tensor.name.as_str() {
        "llm.prefill/ids" => indices(tensor, dims, seed, dim(dims, "vocab") as u64),
        "llm.prefill/turns" => crate::rope_f16::turns(dim(dims, "tokens"), dim(dims, "head")),
        _ => llama::draw(tensor, dims, seed),
    });
    drawn.collect()
}

fn limits(dims: &Dims) -> Option<String> {
    let stages = || stages::limits(dims);
    if dim(dims, "tokens") == 0 {
        return Some("a prompt has a token".to_owned());
    }
    Model::of(dims).refusal().or_else(stages)
}
