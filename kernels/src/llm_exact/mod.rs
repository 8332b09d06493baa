//! `llm.exact.v1`: one decoder block of Llama's form with the same bits on every device; see [`attest::exact::llm`].
//!
//! Operations are those of the matrix products and, over the causal half, of the attention; norms, turns, exponentials and
//! gates are not counted.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::exact::llm::{NORM_SCALE, SCORE_SCALE, Shape, scale, turns};
use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec};
use rayon::prelude::*;

use crate::inputs::tensor_bytes;
use crate::specify::{case, formula, sizes, tensor};
use crate::workload::{Kind, Reference, Workload};

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

static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    id: "llm.exact.v1".into(),
    title: "A decoder block of Llama's form in f32 with every rounding fixed.".into(),
    group: "exact".into(),
    class: Class::Exact,
    cache: Cache::Hot,
    cases: vec![
        // The block of TinyStories 260K, the smallest of its form.
        block("stories260k-64", Size::Small, [64, 64, 8, 4, 8, 172]),
        // Of SmolLM 135M, which readers recompute, and of TinyLlama 1.1B.
        block("smollm-135m-64", Size::Standard, [64, 576, 9, 3, 64, 1536]),
        block("tinyllama-1.1b-64", Size::Standard, [64, 2048, 32, 4, 64, 5632]),
        // Of Llama 3 8B, a prompt of 512 tokens.
        block("llama3-8b-512", Size::Large, [512, 4096, 32, 8, 128, 14_336]),
    ],
    inputs: vec![
        tensor("llm.exact/x", Dtype::F32, &["tokens", "hidden"]),
        tensor("llm.exact/attention_norm", Dtype::F32, &["hidden"]),
        tensor("llm.exact/qkv", Dtype::F32, &["qkv", "width", "hidden"]),
        // The cosine and the sine of each pair's angle.
        tensor("llm.exact/turns", Dtype::F32, &["tokens", "width"]),
        tensor("llm.exact/out", Dtype::F32, &["hidden", "heads", "width"]),
        tensor("llm.exact/ffn_norm", Dtype::F32, &["hidden"]),
        tensor("llm.exact/gate", Dtype::F32, &["ffn", "hidden"]),
        tensor("llm.exact/up", Dtype::F32, &["ffn", "hidden"]),
        tensor("llm.exact/down", Dtype::F32, &["hidden", "ffn"]),
    ],
    outputs: vec![tensor("y", Dtype::F32, &["tokens", "hidden"])],
    flop: formula(
        "2*tokens*hidden*qkv*width + 2*tokens*hidden*heads*width + 6*tokens*hidden*ffn + 2*tokens*tokens*heads*width + \
         2*tokens*heads*width",
    ),
    bytes: formula(
        "8*tokens*hidden + 8*hidden + 4*qkv*width*hidden + 4*tokens*width + 4*hidden*heads*width + 12*ffn*hidden",
    ),
    tokens: None,
    tolerance: None,
});

const NAMES: [&str; 7] = ["tokens", "hidden", "heads", "kv", "width", "ffn", "qkv"];

/// `qkv` follows from the heads: those of queries, keys and values together.
fn with_qkv([tokens, hidden, heads, kv, width, ffn]: [u64; 6]) -> [u64; 7] {
    [tokens, hidden, heads, kv, width, ffn, heads + 2 * kv]
}

fn block(name: &str, size: Size, sizes: [u64; 6]) -> Case {
    let dims: Vec<_> = NAMES.into_iter().zip(with_qkv(sizes)).collect();
    case(name, size, &dims)
}

/// A single token, one pair, primes, one more than tiles of 64 and trees of 256, one head of keys for all.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 1, 1, 2, 1],
        [2, 3, 2, 2, 4, 7],
        [13, 37, 6, 3, 10, 35],
        [67, 64, 3, 1, 66, 129],
        [64, 260, 4, 2, 64, 131],
        [259, 17, 2, 1, 6, 13],
    ];
    sizes(NAMES, &list.map(with_qkv))
}

/// Every tensor of the specification: streams times powers of two, and the table of turns.
fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let shape = Shape::of(dims).expect("sizes within the limits");
    let turned = (shape.queries() + shape.keys()) * shape.hidden;
    let tensors = SPEC.inputs.iter().enumerate();
    tensors
        .map(|(index, tensor)| {
            let factor = match index {
                0 => 1.0,
                1 | 5 => NORM_SCALE,
                2 | 6 | 7 => scale(shape.hidden),
                4 => scale(shape.queries()),
                8 => scale(shape.ffn),
                _ => {
                    let table = turns::table(shape.tokens, shape.width);
                    return table.into_iter().flat_map(f32::to_le_bytes).collect();
                }
            };
            let mut bytes = tensor_bytes(tensor, dims, seed);
            multiply(&mut bytes, factor);
            if index == 2 {
                multiply(&mut bytes[..4 * turned], SCORE_SCALE);
            }
            bytes
        })
        .collect()
}

fn multiply(bytes: &mut [u8], factor: f32) {
    let (words, _) = bytes.as_chunks_mut();
    words
        .par_iter_mut()
        .with_min_len(1 << 14)
        .for_each(|word| *word = (f32::from_le_bytes(*word) * factor).to_le_bytes());
}

/// Elements of one tensor that shaders count with room to stride.
const COUNTED: usize = 1 << 31;

/// Groups in one dimension of a grid that every device takes.
const MAX_GROUPS: usize = 65_535;

fn limits(dims: &Dims) -> Option<String> {
    let shape = match Shape::of(dims) {
        Ok(shape) => shape,
        Err(reason) => return Some(reason),
    };
    if shape.heads > MAX_GROUPS {
        return Some(format!(
            "{} heads are past the {MAX_GROUPS} of a grid",
            shape.heads
        ));
    }
    let rows = shape.tokens.max(shape.hidden);
    let largest = [
        rows * (shape.queries() + 2 * shape.keys()),
        rows * shape.ffn,
        rows * shape.hidden,
        shape.heads.saturating_mul(shape.tokens * shape.tokens),
    ];
    let past = largest.into_iter().find(|elements| *elements > COUNTED)?;
    Some(format!(
        "a tensor of {past} elements is past the {COUNTED} that kernels count to"
    ))
}

#[cfg(test)]
mod tests {
    use attest::evidence::MAX_RECOMPUTED;
    use attest::exact::llm::Tensors;
    use attest::exact::outputs;

    use super::*;
    use crate::elements::f32s;

    #[test]
    fn inputs_are_the_tensors_of_the_definition() {
        let dims = block("", Size::Small, [5, 36, 6, 2, 10, 23]).dims;
        let tensors = Tensors::draw(&[7; 32], Shape::of(&dims).expect("a block"));
        let want = [
            &tensors.x,
            &tensors.attention_norm,
            &tensors.qkv,
            &tensors.turns,
            &tensors.out,
            &tensors.ffn_norm,
            &tensors.gate,
            &tensors.up,
            &tensors.down,
        ];
        let got = inputs(&dims, &[7; 32]);
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert!(f32s(got, 0..want.len()).eq(want.iter().copied()));
            assert_eq!(got.len(), 4 * want.len());
        }
    }

    #[test]
    fn readers_recompute_the_small_case_and_smollm() {
        for case in &SPEC.cases[..2] {
            let cost = outputs::cost(&SPEC.id, &case.dims).expect("a price");
            assert!(cost <= MAX_RECOMPUTED, "{}: {cost}", case.name);
        }
    }

    #[test]
    fn sizes_past_what_is_counted_are_refused_in_words() {
        let refusal = |sizes| limits(&block("", Size::Small, sizes).dims);
        assert_eq!(refusal([512, 4096, 32, 8, 128, 14_336]), None);
        assert!(refusal([0, 4096, 32, 8, 128, 14_336]).is_some());
        assert!(refusal([8, 8, 65_536, 1, 2, 8]).is_some());
        assert_eq!(
            refusal([16_384, 64, 16, 1, 2, 64]).as_deref(),
            Some("a tensor of 4294967296 elements is past the 2147483648 that kernels count to")
        );
    }
}
