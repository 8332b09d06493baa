//! `attention.prefill.f16.v1`: causal attention with grouped queries over a prompt, f16 in memory, sums and softmax in f32.
//!
//! `o[t, h] = sum over s <= t of p[s] v[s, g]` where `p` is the softmax over `s <= t` of `q[t, h] . k[s, g] / sqrt(head)` and
//! `g = h / (heads / kvheads)`: neighbouring heads of queries share one of keys and values. Rows of every tensor are tokens,
//! then heads, as projections leave them.
//!
//! All kernels use the online softmax of Milakov and Gimelshein (arXiv 1805.02867) over blocks of keys in ascending order, as
//! FlashAttention (arXiv 2205.14135): scores never reach memory, and blocks past the diagonal are skipped. Operations are the
//! two products of each pair of a query and a key that it sees; those of the softmax are not counted.
//!
//! Queries are their stream times eight. Of values uniform in [-1, 1), scores have a standard deviation of 1/3 whatever the
//! size of a head: a softmax so flat that an output is the mean of all values, where a wrong key hardly shows. With 8/3 the
//! weights count as 16 equal ones among 512 keys, 40 among 2048.

pub(crate) mod cpu;
pub(crate) mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::inputs::{f16_times_power, tensor_bytes};
use crate::specify::{case, formula, sizes, tensor};
use crate::stages::Op;
use crate::workload::{Kind, Plan, Reference, Slot, Target, Workload, dim};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: |dims, target| plan(Sizes::of(dims), target),
    tuned: None,
    cpu: |dims, inputs, outputs| cpu::run(Sizes::of(dims), inputs, outputs),
    reference: Reference::Rows(reference::row),
    inputs: Some(inputs),
    derived: None,
    limits: Some(|dims| Sizes::of(dims).refusal()),
    odd_sizes,
    kind: Kind::Kernels,
};

/// The same without a mask, every query seeing every key, as encoders and diffusion transformers have it.
pub(crate) static UNMASKED: Op = Op {
    plan: |dims, target| plan(Sizes::unmasked(dims), target),
    cpu: |dims, inputs, outputs| cpu::run(Sizes::unmasked(dims), inputs, outputs),
    limits: Some(|dims| Sizes::unmasked(dims).refusal()),
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    let queries = ["tokens", "heads", "head"];
    let keys = ["tokens", "kvheads", "head"];
    Spec {
        id: "attention.prefill.f16.v1".into(),
        title: "Causal attention over a prompt in f16: grouped queries, softmax and sums in f32.".into(),
        group: "transformer".into(),
        class: Class::Float,
        cache: Cache::Hot,
        cases: vec![
            // Qwen2.5 0.5B.
            prompt("qwen2.5-0.5b-64", Size::Small, [64, 14, 2, 64]),
            // Llama 3 8B.
            prompt("llama3-8b-512", Size::Standard, [512, 32, 8, 128]),
            prompt("llama3-8b-2048", Size::Standard, [2048, 32, 8, 128]),
            // Its whole context, and that of Llama 3 70B.
            prompt("llama3-8b-8192", Size::Large, [8192, 32, 8, 128]),
            prompt("llama3-70b-8192", Size::Large, [8192, 64, 8, 128]),
        ],
        inputs: vec![
            tensor("attention.prefill.f16/q", Dtype::F16, &queries),
            tensor("attention.prefill.f16/k", Dtype::F16, &keys),
            tensor("attention.prefill.f16/v", Dtype::F16, &keys),
        ],
        outputs: vec![tensor("o", Dtype::F16, &queries)],
        flop: formula("2*heads*head*tokens*tokens + 2*heads*head*tokens"),
        bytes: formula("4*tokens*heads*head + 4*tokens*kvheads*head"),
        tokens: None,
        tolerance: Some(Tolerance {
            rel_ppt: 488_340_000,
            abs_ppt: formula("244140000"),
            derivation: "Narrowing to f16 errs by 2^-11 of the value. Weights may be narrowed too, as matrix units want them: \
                         each errs by 2^-11 of itself, so their mean of values, of size 1/2 on average, by 2^-12. Scores in \
                         f32, sums of 128 products of up to 8 over sqrt(128), err by 1e-6, and so do weights and their sums. \
                         Summed in f16, scores make errors of 4e-3 and values of 1e-3 at 64 tokens and more (simulated)."
                .into(),
        }),
    }
});

const NAMES: [&str; 4] = ["tokens", "heads", "kvheads", "head"];

fn prompt(name: &str, size: Size, sizes: [u64; 4]) -> Case {
    let dims: Vec<_> = NAMES.into_iter().zip(sizes).collect();
    case(name, size, &dims)
}

/// One token; no group and one group; heads that vectors of eight halves, steps of 32 and both halves of the widest head do
/// not divide; tokens beside tiles of 64 and beside the processor's blocks of keys.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 1, 1],
        [2, 6, 2, 3],
        [7, 3, 3, 8],
        [33, 7, 7, 33],
        [63, 2, 1, 72],
        [65, 5, 5, 16],
        [67, 4, 1, 127],
        [97, 9, 3, 65],
        [130, 2, 1, 128],
        [197, 2, 1, 64],
        [389, 1, 1, 24],
    ];
    sizes(NAMES, &list)
}

fn plan(sizes: Sizes, target: Target) -> Plan {
    let scratch = match target.api {
        attest::statement::Api::Cpu => vec![cpu::scratch_bytes(sizes)],
        _ => vec![],
    };
    Plan {
        scratch,
        launches: vec![launch::launch(
            sizes,
            [Slot::Input(0), Slot::Input(1), Slot::Input(2), Slot::Output(0)],
        )],
    }
}

/// Why queries are multiplied by 2^3 stands at the head of this file.
fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let [q, k, v] = SPEC.inputs.as_slice() else {
        unreachable!("three inputs");
    };
    vec![
        f16_times_power(q, dims, seed, 3),
        tensor_bytes(k, dims, seed),
        tensor_bytes(v, dims, seed),
    ]
}

/// Sizes of one prompt. Queries and outputs are `tokens * heads * head`, keys and values `tokens * kvheads * head`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) tokens: usize,
    pub(crate) heads: usize,
    pub(crate) kvheads: usize,
    pub(crate) head: usize,
    /// Whether queries see no later keys.
    pub(crate) causal: bool,
}

/// Elements of a head that the GPU kernels keep in registers.
const WIDEST_HEAD: usize = 128;

impl Sizes {
    fn of(dims: &Dims) -> Self {
        let [tokens, heads, kvheads, head] = NAMES.map(|name| dim(dims, name));
        Self {
            tokens,
            heads,
            kvheads,
            head,
            causal: true,
        }
    }

    fn unmasked(dims: &Dims) -> Self {
        Self {
            causal: false,
            ..Self::of(dims)
        }
    }

    /// Heads of queries that share one of keys.
    pub(crate) fn group(self) -> usize {
        self.heads / self.kvheads
    }

    /// By what scores are multiplied.
    pub(crate) fn scale(self) -> f32 {
        (1.0 / (self.head as f64).sqrt()) as f32
    }

    /// Why no kernel runs such sizes, in words.
    pub(crate) fn refusal(self) -> Option<String> {
        let Self {
            tokens,
            heads,
            kvheads,
            head,
            ..
        } = self;
        if kvheads == 0 || !heads.is_multiple_of(kvheads) {
            return Some(format!(
                "{heads} heads of queries are not whole groups for {kvheads} of keys"
            ));
        }
        if head > WIDEST_HEAD {
            return Some(format!(
                "a head of {head} elements is wider than the {WIDEST_HEAD} that kernels keep"
            ));
        }
        let halves = tokens.checked_mul(heads).and_then(|rows| rows.checked_mul(head));
        if halves.is_none_or(|halves| halves >= 1 << 32) {
            return Some(format!(
                "queries of {tokens} * {heads} * {head} halves are past the 2^32-1 that kernels index; shorten the prompt"
            ));
        }
        launch::grid(self)
            .iter()
            .any(|&blocks| blocks > launch::MAX_GROUPS)
            .then(|| {
                format!(
                    "{tokens} tokens of {heads} heads make more blocks than the {} a side that devices take",
                    launch::MAX_GROUPS
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_kernels_do_not_run_are_refused_in_words() {
        let refusal = |[tokens, heads, kvheads, head]: [usize; 4]| {
            let sizes = Sizes {
                tokens,
                heads,
                kvheads,
                head,
                causal: true,
            };
            sizes.refusal()
        };
        assert_eq!(refusal([8192, 64, 8, 128]), None);
        assert_eq!(
            refusal([5, 6, 4, 8]).as_deref(),
            Some("6 heads of queries are not whole groups for 4 of keys")
        );
        assert!(refusal([5, 6, 0, 8]).is_some());
        assert_eq!(
            refusal([5, 6, 3, 129]).as_deref(),
            Some("a head of 129 elements is wider than the 128 that kernels keep")
        );
        assert!(refusal([1 << 20, 32, 8, 128]).is_some_and(|reason| reason.contains("shorten the prompt")));
        assert!(refusal([1 << 22, 1, 1, 8]).is_some_and(|reason| reason.contains("more blocks")));
        assert!(refusal([1, 65_536, 1, 8]).is_some_and(|reason| reason.contains("more blocks")));
    }
}
