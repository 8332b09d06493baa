//! `llm.decode.v2`: one new token of each sequence of a batch through a network of Llama's form, 4-bit weights and paged caches
//! in f16, to their logits. Its time is the time for a token of every sequence; its speed is tokens a second of all together.
//!
//! Every stage is a workload of the catalogue (see [`stages`]) but the sums that join branches to the trunk, the narrowing
//! of products' sums to f16, and the rounding of activations to i8 in blocks of 32, with which products begin as engines have
//! it. Caches are read only: the keys and the values of the new tokens are outputs, what an engine appends, and attention
//! takes them after those of the cache. Operations are those of products and of attention; norms, turns, gates and rounding
//! are not counted.
//!
//! Of one sequence products are those of `gemv.q4`, of more those of `gemm.q4`, which read weights once for 64 sequences. All
//! sequences are `context` tokens long. Version 1 was of one sequence.

mod reference;
mod stages;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tensor, Tolerance};

use crate::inputs::{f16_times_power, indices, normal_f16s, tensor_bytes};
use crate::llama::{LLAMA3_8B, Model, TINYLLAMA};
use crate::specify::{case, formula, output_within, tensor};
use crate::workload::{Kind, PART_ALIGNMENT, Reference, Workload, dim};
use crate::{attention_decode_f16, quantize, rope_f16};

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
    Spec {
    id: "llm.decode.v2".into(),
    title: "One new token of each sequence through a network of Llama's form with 4-bit weights and paged caches in f16, to its \
            logits."
        .into(),
    group: "composite".into(),
    class: Class::Float,
    cache: Cache::Hot,
    cases: vec![
        token("toy-48", Size::Small, [1, 48], TOY),
        token("toy-8x48", Size::Small, [8, 48], TOY),
        token("toy-64x48", Size::Small, [64, 48], TOY),
        token("tinyllama-1.1b-512", Size::Standard, [1, 512], TINYLLAMA),
        token("tinyllama-1.1b-8x512", Size::Standard, [8, 512], TINYLLAMA),
        token("tinyllama-1.1b-64x512", Size::Large, [64, 512], TINYLLAMA),
        token("llama3-8b-2048", Size::Large, [1, 2048], LLAMA3_8B),
        token("llama3-8b-8x2048", Size::Large, [8, 2048], LLAMA3_8B),
        token("llama3-8b-64x512", Size::Large, [64, 512], LLAMA3_8B),
    ],
    inputs: tensors(),
    outputs: vec![
        tensor("logits", Dtype::F32, &["batch", "vocab"]),
        // Of every layer and in it of every sequence, `kvheads * head` elements each.
        output_within(within("80000000000 + 16000000000*layers"), tensor("keys", Dtype::F16, &["appended"])),
        output_within(within("80000000000 + 16000000000*layers"), tensor("values", Dtype::F16, &["appended"])),
    ],
    flop: formula(
        "4*batch*layers*hidden*heads*head + 4*batch*layers*hidden*kvheads*head + 6*batch*layers*hidden*ffn + \
         4*batch*layers*heads*head*context + 4*batch*layers*heads*head + 2*batch*vocab*hidden",
    ),
    bytes: formula(
        "2*batch*hidden + 4*batch + 4*batch*head + 4*batch*layers*context*kvheads*head + 4*batch*seqpages + 4*batch + \
         4*layers*hidden + 2*hidden + 18*layers*heads*head*hblocks + 36*layers*kvheads*head*hblocks + \
         18*layers*hidden*qblocks + 36*layers*ffn*hblocks + 18*layers*hidden*fblocks + 18*vocab*hblocks + 4*appended + \
         4*batch*vocab",
    ),
    tokens: Some(formula("batch")),
    tolerance: Some(within("160000000000 + 15000000000*layers")),
}
});

/// A network of the same form that continuous integration runs in milliseconds: four heads of keys, so that those of a layer
/// fill a part of a buffer.
const TOY: [u64; 7] = [2, 128, 8, 4, 32, 384, 512];

/// Weights of a block.
const BLOCK: usize = quantize::BLOCK;

/// Matrices of 4-bit weights: their name, their rows and the blocks of a row.
const MATRICES: [(&str, &[&str], &str); 8] = [
    ("query", &["layers", "heads", "head"], "hblocks"),
    ("key", &["layers", "kvheads", "head"], "hblocks"),
    ("value", &["layers", "kvheads", "head"], "hblocks"),
    ("out", &["layers", "hidden"], "qblocks"),
    ("gate", &["layers", "ffn"], "hblocks"),
    ("up", &["layers", "ffn"], "hblocks"),
    ("down", &["layers", "hidden"], "fblocks"),
    ("logits", &["vocab"], "hblocks"),
];

/// The inputs that are no matrices, then weights and scales of each of [`MATRICES`].
fn tensors() -> Vec<Tensor> {
    let others: [(&str, Dtype, &[&str]); 10] = [
        ("embedding", Dtype::F16, &["vocab", "hidden"]),
        ("ids", Dtype::I32, &["batch"]),
        // The cosine and the sine of each pair's angle, for the token at `context`.
        ("turns", Dtype::F32, &["batch", "head"]),
        (
            "kpages",
            Dtype::F16,
            &["layers", "pages", "page", "kvheads", "head"],
        ),
        (
            "vpages",
            Dtype::F16,
            &["layers", "pages", "page", "kvheads", "head"],
        ),
        ("table", Dtype::I32, &["batch", "seqpages"]),
        ("lengths", Dtype::I32, &["batch"]),
        ("attention_norm", Dtype::F16, &["layers", "hidden"]),
        ("ffn_norm", Dtype::F16, &["layers", "hidden"]),
        ("norm", Dtype::F16, &["hidden"]),
    ];
    let named = |name: &str, dtype, shape: &[&str]| tensor(&format!("llm.decode/{name}"), dtype, shape);
    let others = others
        .iter()
        .map(|(name, dtype, shape)| named(name, *dtype, shape));
    let matrices = MATRICES.iter().flat_map(|(name, rows, blocks)| {
        [
            named(name, Dtype::Q4, &[rows, &[*blocks, "block"][..]].concat()),
            named(
                &format!("{name}/scales"),
                Dtype::F16,
                &[rows, &[*blocks][..]].concat(),
            ),
        ]
    });
    others.chain(matrices).collect()
}

/// A step of a block is 1/127 of its largest element, which in a block of 32 is about twice the root of the mean square: a
/// product of what was rounded errs by 0.4 % of its size, whatever its length.
fn within(abs_ppt: &str) -> Tolerance {
    Tolerance {
        rel_ppt: 0,
        abs_ppt: formula(abs_ppt),
        derivation: "Activations rounded to i8 in blocks of 32 are off by at most half of 1/127 of the block's largest, 0.4 % \
                     of their size in the root of the mean square, and so is a product's result, whatever its length. \
                     Errors of layers and of products add as their squares do: measured 1.0e-2 of a logit of size one after \
                     one layer, 3.2e-2 after 22, in the worst of 32,000 logits 0.05 and 0.145; keys and values 4e-3 and \
                     3.4e-2, in the worst of 5632 0.014 and 0.136. Allowed is a straight line over the layers at 2.5 to 5 \
                     times the worst. A stage left out, exchanged or run on another layer's weights is off by the size of \
                     most logits."
            .into(),
    }
}

const NAMES: [&str; 9] = [
    "layers", "hidden", "heads", "kvheads", "head", "ffn", "vocab", "batch", "context",
];

fn token(name: &str, size: Size, [batch, context]: [u64; 2], model: [u64; 7]) -> Case {
    let [layers, hidden, heads, kvheads, head, ffn, _] = model;
    let (page, block) = (attention_decode_f16::PAGE as u64, BLOCK as u64);
    let seqpages = context.div_ceil(page);
    let sizes = model.into_iter().chain([batch, context]);
    let derived = [
        ("page", page),
        ("seqpages", seqpages),
        ("pages", batch * seqpages),
        ("block", block),
        ("hblocks", hidden / block),
        ("qblocks", heads * head / block),
        ("fblocks", ffn / block),
        ("appended", batch * layers * kvheads * head),
    ];
    let dims: Vec<_> = NAMES.into_iter().zip(sizes).chain(derived).collect();
    case(name, size, &dims)
}

/// Caches of one token, of one more than pages and splits hold; no group, one head of keys for all, odd vocabularies; batches
/// of one, a prime and one more than a tile.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        ([1, 1], [2, 128, 1, 1, 128, 128, 1]),
        ([1, 17], [2, 128, 6, 2, 64, 256, 257]),
        ([1, 255], [1, 256, 16, 16, 8, 128, 33]),
        ([1, 257], [3, 128, 12, 4, 32, 384, 1031]),
        ([7, 33], [2, 128, 6, 2, 64, 256, 67]),
        ([65, 1], [1, 128, 4, 1, 128, 128, 33]),
    ];
    list.map(|(lengths, model)| token("", Size::Small, lengths, model).dims)
        .to_vec()
}

/// Any token; weights with which products of activations of size one are of size one, and queries twice that, so that
/// attention looks at some keys more than at others. The cache's values are eight times their stream: their mean over many
/// tokens is not small beside the trunk.
fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let drawn = SPEC.inputs.iter().map(|tensor| {
        let (_, name) = tensor.name.split_once('/').expect("a workload and a tensor");
        match name {
            "ids" => indices(tensor, dims, seed, dim(dims, "vocab") as u64),
            "turns" => turns(dims),
            "vpages" => f16_times_power(tensor, dims, seed, 3),
            "table" => attention_decode_f16::table(tensor, dims, seed),
            "lengths" => attention_decode_f16::lengths(dims),
            "attention_norm" | "ffn_norm" | "norm" => normal_f16s(tensor, dims, seed, -1),
            _ => match name.split_once('/') {
                Some((matrix, _)) => normal_f16s(tensor, dims, seed, power(matrix, tensor, dims)),
                None => tensor_bytes(tensor, dims, seed),
            },
        }
    });
    drawn.collect()
}

/// The row of the new token, the same of every sequence.
fn turns(dims: &Dims) -> Vec<u8> {
    let (position, head) = (dim(dims, "context"), dim(dims, "head"));
    let row = size_of::<f32>() * head;
    rope_f16::turns(position + 1, head)[position * row..].repeat(dim(dims, "batch"))
}

/// Of a matrix's scales: nibbles less 8 are 4.64 in the root of the mean square, scales 1.53 times their power of two.
fn power(matrix: &str, scales: &Tensor, dims: &Dims) -> i16 {
    let blocks = scales.shape.last().expect("blocks of a row");
    let inner = (dim(dims, blocks) * BLOCK) as f64;
    let power = -(7.1 * inner.sqrt()).log2().round() as i16;
    if matrix == "query" { power + 1 } else { power }
}

fn limits(dims: &Dims) -> Option<String> {
    let model = Model::of(dims);
    let refusal = || model.refusal().or_else(|| form_refusal(model, dims));
    refusal().or_else(|| stages::limits(dims))
}

/// What a network cannot be here, or sizes that do not follow from its form.
fn form_refusal(model: Model, dims: &Dims) -> Option<String> {
    let batch = dim(dims, "batch");
    if batch == 0 {
        return Some("a batch of 0 sequences has no token".to_owned());
    }
    let alignment = PART_ALIGNMENT as usize / size_of::<u16>();
    let widths = [("keys of a token", model.keys()), ("hidden layer", model.ffn)];
    if let Some((name, width)) = widths
        .into_iter()
        .find(|(_, width)| !width.is_multiple_of(alignment))
    {
        return Some(format!(
            "{name} of {width} elements are no multiple of {alignment}: parts of buffers would not begin where devices can \
             bind them"
        ));
    }
    let derived = [
        ("block", BLOCK),
        ("hblocks", model.hidden / BLOCK),
        ("qblocks", model.queries() / BLOCK),
        ("fblocks", model.ffn / BLOCK),
        ("appended", batch * model.layers * model.keys()),
    ];
    let wrong = derived.into_iter().find(|(name, size)| dim(dims, name) != *size);
    wrong.map(|(name, size)| format!("{name} is {}; this network has {size}", dim(dims, name)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn networks_that_kernels_cannot_run_are_refused_in_words() {
        let refusal = |context, model| limits(&token("", Size::Small, [1, context], model).dims);
        assert_eq!(refusal(40, TOY), None);
        for (context, model, words) in [
            (40, [2, 120, 8, 4, 32, 384, 512], "a hidden size of 120"),
            (40, [2, 128, 8, 2, 32, 384, 512], "keys of a token of 64 elements"),
            (40, [2, 128, 8, 4, 32, 320, 512], "hidden layer of 320 elements"),
            (40, [2, 128, 6, 4, 32, 384, 512], "6 heads of queries"),
            (40, [2, 128, 2, 1, 256, 384, 512], "a head of 256 elements"),
            (0, TOY, "a context of 0 tokens"),
        ] {
            let reason = refusal(context, model).expect(words);
            assert!(reason.contains(words), "{reason}");
        }
        for (name, words) in [
            ("batch", "a batch of 0"),
            ("block", "block is 3; this network has 32"),
            ("fblocks", "fblocks is 3; this network has 12"),
            ("appended", "appended is 3; this network has 256"),
            ("pages", "seqpages and pages are"),
        ] {
            let mut dims = token("", Size::Small, [1, 40], TOY).dims;
            let wrong = BTreeMap::from([("pages", 5), ("batch", 0)]);
            dims.insert(name.into(), wrong.get(name).copied().unwrap_or(3));
            let reason = limits(&dims).expect(words);
            assert!(reason.contains(words), "{reason}");
        }
    }
}
