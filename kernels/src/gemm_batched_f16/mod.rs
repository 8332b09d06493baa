//! `gemm.batched.f16.v1`: C = A Bᵀ for each of many pairs of half-precision matrices, summed in f32 and narrowed once.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::specify::{case, formula, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, dim, uncounted};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: None,
    derived: None,
    limits: Some(limits),
    odd_sizes,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "gemm.batched.f16.v1".into(),
    title: "Many matrix products in f16 with sums in f32: C = A * transpose(B) for each of a batch.".into(),
    group: "matrix".into(),
    class: Class::Float,
    cache: Cache::Hot,
    cases: vec![
        // Scores of Swin-T's last stage: a window of 49 tokens, 24 heads of 32.
        case("swin-t-scores", Size::Small, &[("batch", 24), ("m", 49), ("n", 49), ("k", 32)]),
        // Scores of Llama 3 8B over a prompt of 128 tokens: 32 heads of 128.
        case("llama3-8b-scores-128", Size::Standard, &[("batch", 32), ("m", 128), ("n", 128), ("k", 128)]),
        // Scores of DiT-XL/2 at 256 pixels: 256 tokens, 16 heads of 72, with and without the condition.
        case("dit-xl-2-scores", Size::Standard, &[("batch", 32), ("m", 256), ("n", 256), ("k", 72)]),
        // Scores of Llama 3 8B over a prompt of 2048 tokens.
        case("llama3-8b-scores-2048", Size::Large, &[("batch", 32), ("m", 2048), ("n", 2048), ("k", 128)]),
        // The gate projections of Mixtral 8x7B's experts over a prompt of 256 tokens, two experts each.
        case("mixtral-8x7b-gate", Size::Large, &[("batch", 8), ("m", 64), ("n", 14_336), ("k", 4096)]),
    ],
    inputs: vec![
        tensor("gemm.batched.f16/a", Dtype::F16, &["batch", "m", "k"]),
        tensor("gemm.batched.f16/b", Dtype::F16, &["batch", "n", "k"]),
    ],
    outputs: vec![tensor("c", Dtype::F16, &["batch", "m", "n"])],
    flop: formula("2*batch*m*n*k"),
    bytes: formula("2*batch*m*k + 2*batch*n*k + 2*batch*m*n"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 488_340_000,
        abs_ppt: formula("29810 + 238420*k"),
        derivation: "As of one product: sums in f32 err by at most 4*k*2^-24 (40 times the expected error of k roundings of \
                     partial sums that walk at random with standard deviation sqrt(i)/3); narrowing to f16 adds 2^-11 of \
                     the value, or 2^-25 where it is subnormal. Sums kept in f16 err by 2^13 times as much."
            .into(),
    }),
}
});

fn limits(dims: &Dims) -> Option<String> {
    let [batch, m, n, k] = ["batch", "m", "n", "k"].map(|name| dim(dims, name) as u64);
    let elements = [("A", [batch, m, k]), ("B", [batch, n, k]), ("C", [batch, m, n])];
    let past = |sizes: &[u64; 3]| {
        let product = sizes
            .iter()
            .try_fold(1u64, |product, &size| product.checked_mul(size));
        product.is_none_or(|product| u32::try_from(product).is_err())
    };
    uncounted(dims, &["batch", "m", "n", "k"]).or_else(|| {
        let (name, _) = elements.iter().find(|(_, sizes)| past(sizes))?;
        Some(format!(
            "{name} has more than the 2^32-1 elements that kernels count to"
        ))
    })
}

fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 1, 1],
        [3, 1, 1, 7],
        [7, 2, 3, 1],
        [5, 7, 13, 5],
        [2, 64, 64, 16],
        [3, 65, 63, 17],
        [3, 33, 67, 8],
        [2, 5, 129, 103],
        [17, 49, 49, 32],
    ];
    sizes(["batch", "m", "n", "k"], &list)
}
