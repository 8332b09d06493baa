//! `embedding.gather.f16.v1`: y = the rows of a table in f16 that token ids choose. A copy: exact.
//!
//! Ids are floor(word * vocabulary / 2^32) of the 32-bit little-endian words of their stream, each equally likely but for
//! 2^-32 of the vocabulary; text repeats its words more. Bytes are ids, rows read and rows written: rows drawn twice count
//! twice, those not drawn not at all.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec};

use crate::inputs::{indices, tensor_bytes};
use crate::specify::{case, formula, sizes, tensor};
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

static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    id: "embedding.gather.f16.v1".into(),
    title: "Rows of an embedding table in f16, chosen by token ids.".into(),
    group: "transformer".into(),
    class: Class::Exact,
    cache: Cache::Cold,
    cases: vec![
        // T5 small.
        table("32128x512-2048", Size::Small, [32_128, 512, 2048]),
        // Llama 2 7B, eight contexts of 4096 tokens.
        table("32000x4096-32768", Size::Standard, [32_000, 4096, 32_768]),
        // Llama 3 8B, eight contexts of 8192 tokens.
        table("128256x4096-65536", Size::Large, [128_256, 4096, 65_536]),
    ],
    inputs: vec![
        tensor("embedding.gather.f16/table", Dtype::F16, &["vocabulary", "cols"]),
        tensor("embedding.gather.f16/ids", Dtype::I32, &["tokens"]),
    ],
    outputs: vec![tensor("y", Dtype::F16, &["tokens", "cols"])],
    flop: formula("0"),
    bytes: formula("4*tokens*cols + 4*tokens"),
    tokens: None,
    tolerance: None,
});

const NAMES: [&str; 3] = ["vocabulary", "cols", "tokens"];

fn table(name: &str, size: Size, sizes: [u64; 3]) -> Case {
    let dims: Vec<_> = NAMES.into_iter().zip(sizes).collect();
    case(name, size, &dims)
}

/// One row, rows that share words and rows that 16-byte vectors do not divide.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 1],
        [1, 5, 3],
        [7, 1, 17],
        [3, 2, 5],
        [257, 7, 131],
        [1021, 12, 67],
        [31, 1000, 13],
        [50_257, 24, 1031],
        [5, 4099, 2],
    ];
    sizes(NAMES, &list)
}

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let [table, ids] = [0, 1].map(|index| &SPEC.inputs[index]);
    let below = dim(dims, "vocabulary") as u64;
    vec![tensor_bytes(table, dims, seed), indices(ids, dims, seed, below)]
}

fn limits(dims: &Dims) -> Option<String> {
    if dim(dims, "vocabulary") == 0 {
        return Some("a vocabulary of 0 has no row to choose".to_owned());
    }
    uncounted(dims, &NAMES)
}
