//! `attention.decode.f16.v1`: attention of one new token of each sequence over its keys and values of before, which stand in
//! pages of 16 tokens wherever the table says; `heads / kvheads` neighbouring queries share the keys and values of a head.
//! o = the mean of values weighted by the softmax of q k / sqrt(head): f16 in memory, products, weights and sums in f32.
//!
//! Keys are taken in splits of 256, on every device and whatever its size, so that results do not depend on how many cores
//! or multiprocessors share a sequence. Each split leaves its largest score, the sum of its weights and its weighted values
//! in scratch memory; a second pass adds them in order (Flash-Decoding, Dao et al. 2023).
//!
//! The table is a permutation of all pages: a Fisher-Yates shuffle in which entry i, from the last to the second, changes
//! places with entry floor(word i of its stream * (i + 1) / 2^32). All sequences are `context` tokens long; kernels take any
//! `lengths` up to the pages of the table. Operations are two products and two sums for each query, key and element;
//! exponentials count as none.
//!
//! Queries are the stream times 8. With elements in [-1, 1) as they come, scores over a head of 128 spread by 0.33 only: the
//! softmax would weigh all tokens nearly alike and hide a wrong score. Times 8 they spread by 2.7, and a few tokens in a
//! thousand have half of the weight, as trained heads do.

pub(crate) mod cpu;
mod desk;
mod lanes;
pub(crate) mod launch;
pub(crate) mod newest;
mod page;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tensor, Tolerance};

use crate::elements::u32s;
use crate::inputs::{f16_times_power, indices, tensor_bytes};
use crate::specify::{case, formula, tensor};
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

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "attention.decode.f16.v1".into(),
    title: "Attention of one new token of each sequence over a paged cache in f16, with grouped queries.".into(),
    group: "transformer".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        // Llama 3 8B has 32 queries and 70B 64 of them, for 8 heads of 128 in the cache.
        sequences("llama3-8b-1x512", Size::Small, [1, 32, 8, 128, 512]),
        sequences("llama3-8b-1x8192", Size::Standard, [1, 32, 8, 128, 8192]),
        sequences("llama3-8b-32x2048", Size::Standard, [32, 32, 8, 128, 2048]),
        sequences("llama3-70b-8x4096", Size::Standard, [8, 64, 8, 128, 4096]),
        sequences("llama3-8b-64x4096", Size::Large, [64, 32, 8, 128, 4096]),
        sequences("llama3-70b-64x8192", Size::Large, [64, 64, 8, 128, 8192]),
    ],
    inputs: vec![
        tensor("attention.decode.f16/q", Dtype::F16, &["batch", "heads", "head"]),
        tensor("attention.decode.f16/kpages", Dtype::F16, &["pages", "page", "kvheads", "head"]),
        tensor("attention.decode.f16/vpages", Dtype::F16, &["pages", "page", "kvheads", "head"]),
        tensor("attention.decode.f16/table", Dtype::I32, &["batch", "seqpages"]),
        tensor("attention.decode.f16/lengths", Dtype::I32, &["batch"]),
    ],
    outputs: vec![tensor("o", Dtype::F16, &["batch", "heads", "head"])],
    flop: formula("4*batch*heads*context*head"),
    bytes: formula("4*batch*heads*head + 4*batch*context*kvheads*head + 4*batch*seqpages + 4*batch"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 488_400_000,
        abs_ppt: formula("15000000"),
        derivation: "Narrowing to f16 errs by 2^-11 of the value. Products of q and k are multiples of 2^-17 and their sums, \
                     mostly below 2^7, are exact in f32 but for a few roundings of 2^-17; scaled, a score s of up to 20 errs by \
                     about 4*2^-24*s = 4.8e-6, and a weight by as much of itself. Exponentials of x err by 3 + 2*|x| units of \
                     2^-23, with |x| about 5 where the weight is: 1.6e-6. At most 32 sums one after the other and 12 in \
                     trees add 2.6e-6 of the mean of |v|, which is below 1, in the weighted sum and in the sum of weights: \
                     1.2e-5 in all."
            .into(),
    }),
}
});

/// Tokens of a page.
pub(crate) const PAGE: usize = 16;

/// Keys of a split.
const SPLIT: usize = 256;

/// Halves of a 16-byte vector.
const VECTOR: usize = 8;

/// The longest head that a kernel's 16 lanes of a vector hold.
const LONGEST: usize = 16 * VECTOR;

/// Queries are the stream times two to this power.
const POWER: u16 = 3;

/// Sizes of an attention, where all sequences have as many pages in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) batch: usize,
    pub(crate) heads: usize,
    pub(crate) kvheads: usize,
    pub(crate) head: usize,
    pub(crate) seqpages: usize,
}

impl Shape {
    fn of(dims: &Dims) -> Self {
        let [batch, heads, kvheads, head, seqpages] =
            ["batch", "heads", "kvheads", "head", "seqpages"].map(|name| dim(dims, name));
        Self {
            batch,
            heads,
            kvheads,
            head,
            seqpages,
        }
    }

    /// Splits of the longest sequence that the table holds.
    fn splits(self) -> usize {
        (self.seqpages * PAGE).div_ceil(SPLIT)
    }

    /// Splits of all queries together.
    fn parts(self) -> usize {
        self.batch * self.heads * self.splits()
    }

    /// Queries that share keys and values.
    fn group(self) -> usize {
        self.heads / self.kvheads
    }

    /// Bytes of what splits leave: weighted values, then the largest score and the sum of weights of each.
    pub(crate) fn scratch(self) -> [u64; 2] {
        [4 * self.parts() * self.head, 8 * self.parts()].map(|bytes| bytes as u64)
    }

    /// What scores are multiplied by.
    fn scale(self) -> f32 {
        (1.0 / (self.head as f64).sqrt()) as f32
    }
}

fn sequences(name: &str, size: Size, [batch, heads, kvheads, head, context]: [u64; 5]) -> Case {
    let seqpages = context.div_ceil(PAGE as u64);
    case(
        name,
        size,
        &[
            ("batch", batch),
            ("heads", heads),
            ("kvheads", kvheads),
            ("head", head),
            ("context", context),
            ("page", PAGE as u64),
            ("seqpages", seqpages),
            ("pages", batch * seqpages),
        ],
    )
}

/// One token, groups of one to 17 queries, contexts that end within a page, before and after the end of a split.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 1, 8, 1],
        [1, 2, 1, 16, 17],
        [3, 6, 2, 24, 255],
        [2, 5, 5, 40, 257],
        [5, 12, 3, 64, 16],
        [1, 7, 1, 128, 521],
        [2, 9, 1, 72, 130],
        [1, 17, 1, 104, 67],
        [2, 8, 2, 128, 1031],
    ];
    list.map(|sizes| sequences("", Size::Small, sizes).dims).to_vec()
}

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let [q, k, v, pages, _] = [0, 1, 2, 3, 4].map(|index| &SPEC.inputs[index]);
    vec![
        f16_times_power(q, dims, seed, POWER),
        tensor_bytes(k, dims, seed),
        tensor_bytes(v, dims, seed),
        table(pages, dims, seed),
        lengths(dims),
    ]
}

/// A permutation of all pages.
pub(crate) fn table(tensor: &Tensor, dims: &Dims, seed: &[u8; 32]) -> Vec<u8> {
    let words = indices(tensor, dims, seed, 1 << 32);
    le_bytes(&permutation(u32s(&words, 0..dim(dims, "pages"))))
}

/// All sequences are as long.
pub(crate) fn lengths(dims: &Dims) -> Vec<u8> {
    le_bytes(&vec![dim(dims, "context") as u32; dim(dims, "batch")])
}

fn le_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// 0, 1, 2, ... in an order that the words choose, one each.
fn permutation(words: impl ExactSizeIterator<Item = u32>) -> Vec<u32> {
    let words: Vec<u32> = words.collect();
    let mut order: Vec<u32> = (0..words.len() as u32).collect();
    for (i, &word) in words.iter().enumerate().skip(1).rev() {
        let other = (u64::from(word) * (i as u64 + 1)) >> 32;
        order.swap(i, other as usize);
    }
    order
}

/// Groups of a dimension of a grid that every Vulkan device takes.
const MAX_GROUPS: usize = 65_535;

fn limits(dims: &Dims) -> Option<String> {
    const NAMES: [&str; 8] = [
        "batch", "heads", "kvheads", "head", "context", "page", "seqpages", "pages",
    ];
    uncounted(dims, &NAMES)
        .or_else(|| shape_refusal(Shape::of(dims)))
        .or_else(|| paging_refusal(dims))
}

/// Sizes that kernels cannot count or share.
fn shape_refusal(shape: Shape) -> Option<String> {
    let Shape {
        batch,
        heads,
        kvheads,
        head,
        seqpages,
    } = shape;
    if kvheads == 0 || heads == 0 || !heads.is_multiple_of(kvheads) {
        return Some(format!("{heads} queries are no equal groups for {kvheads} heads"));
    }
    if head == 0 || head > LONGEST || !head.is_multiple_of(VECTOR) {
        return Some(format!(
            "a head of {head} elements is not made of vectors of {VECTOR}, or is longer than {LONGEST}"
        ));
    }
    if batch > MAX_GROUPS || heads > MAX_GROUPS || seqpages * PAGE > MAX_GROUPS * SPLIT {
        return Some(format!(
            "{batch} sequences, {heads} queries or {seqpages} pages a sequence are past the {MAX_GROUPS} that a grid counts"
        ));
    }
    // Below 2^24 * 2^16 * 2^32: no product overflows.
    let cache = (batch * seqpages) as u128 * (PAGE * kvheads * head) as u128;
    let parts = batch as u128 * heads as u128 * (shape.splits() * head) as u128;
    (cache.max(parts) >= 1 << 32).then(|| {
        format!("a cache of {cache} elements or {parts} of its splits are past the 2^32-1 that kernels index")
    })
}

fn paging_refusal(dims: &Dims) -> Option<String> {
    let [batch, context, page, seqpages, pages] =
        ["batch", "context", "page", "seqpages", "pages"].map(|name| dim(dims, name));
    if page != PAGE {
        return Some(format!("pages of {page} tokens are not of {PAGE}"));
    }
    if context == 0 {
        return Some("a context of 0 tokens has none to attend to".to_owned());
    }
    let wanted = [context.div_ceil(PAGE), batch * seqpages];
    ([seqpages, pages] != wanted)
        .then(|| format!("seqpages and pages are {seqpages} and {pages}; this context has {wanted:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_outside_the_definition_are_refused_in_words() {
        let refusal = |sizes| limits(&sequences("", Size::Small, sizes).dims);
        assert_eq!(refusal([3, 6, 2, 24, 255]), None);
        for (sizes, words) in [
            ([1, 6, 4, 8, 1], "6 queries are no equal groups for 4 heads"),
            ([1, 0, 1, 8, 1], "0 queries"),
            ([1, 1, 0, 8, 1], "for 0 heads"),
            ([1, 1, 1, 12, 1], "a head of 12 elements"),
            ([1, 1, 1, 136, 1], "longer than 128"),
            ([1, 1, 1, 8, 0], "a context of 0 tokens"),
            ([65_536, 1, 1, 8, 1], "65536 sequences"),
            ([1, 1, 1, 8, 1 << 33], "context of 8589934592 is past"),
            (
                [1 << 15, 64, 8, 128, 1 << 15],
                "past the 2^32-1 that kernels index",
            ),
        ] {
            let reason = refusal(sizes).expect(words);
            assert!(reason.contains(words), "{reason}");
        }
        for (name, size) in [("page", 8), ("seqpages", 17), ("pages", 49)] {
            let mut dims = sequences("", Size::Small, [3, 6, 2, 24, 255]).dims;
            dims.insert(name.into(), size);
            assert!(limits(&dims).is_some(), "{name} of {size}");
        }
    }

    #[test]
    fn the_table_is_a_permutation_that_scatters_pages() {
        let dims = sequences("", Size::Small, [4, 1, 1, 8, 4096]).dims;
        let drawn = |seed| u32s(&inputs(&dims, &[seed; 32])[3], 0..1024).collect::<Vec<u32>>();
        let table = drawn(7);
        let neighbours = table.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count();
        assert!(neighbours < 10, "{neighbours} of 1023");
        assert_ne!(table, drawn(8));
        let mut sorted = table;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1024));
    }

    #[test]
    fn a_shuffle_follows_its_words() {
        let half = 1 << 31;
        assert!(permutation([0; 0].into_iter()).is_empty());
        // Entry 3 changes places with 2, entry 2 with 1, entry 1 with 0.
        assert_eq!(permutation([9, 0, half, half].into_iter()), [3, 0, 1, 2]);
    }
}
