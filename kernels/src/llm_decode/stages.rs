//! The network as stages.

use attest::spec::Dims;

use super::BLOCK;
use crate::gemv_q4::abreast;
use crate::llama::Model;
use crate::stages::{Last, Sequence, Stage};
use crate::workload::{Plan, Slot, Target, dim};
use crate::{attention_decode_f16, embedding_gather_f16, gemm_q4, rmsnorm_f16, rope_f16, swiglu_f16};
use crate::{narrow, quantize, residual};

/// Inputs by their place in the specification.
pub(super) const EMBEDDING: usize = 0;
pub(super) const IDS: usize = 1;
pub(super) const TURNS: usize = 2;
pub(super) const KPAGES: usize = 3;
pub(super) const VPAGES: usize = 4;
pub(super) const TABLE: usize = 5;
pub(super) const LENGTHS: usize = 6;
pub(super) const ATTENTION_NORM: usize = 7;
pub(super) const FFN_NORM: usize = 8;
pub(super) const NORM: usize = 9;
/// Weights; their scales follow them.
pub(super) const QUERY: usize = 10;
pub(super) const KEY: usize = 12;
pub(super) const VALUE: usize = 14;
pub(super) const OUT: usize = 16;
pub(super) const GATE: usize = 18;
pub(super) const UP: usize = 20;
pub(super) const DOWN: usize = 22;
pub(super) const LOGITS: usize = 24;

const OUTPUTS: usize = 3;
const NEW_LOGITS: Slot = Slot::Output(0);
const NEW_KEYS: Slot = Slot::Output(1);
const NEW_VALUES: Slot = Slot::Output(2);

/// Activations between stages, by their place in scratch: the trunk before and after attention, what a norm gives, what
/// products take (integers and scales) and give (sums in f32), queries and keys before they are turned, queries, what attention
/// gives, a branch, gate and up and their product.
const TRUNK: Slot = Slot::Scratch(0);
const MIDDLE: Slot = Slot::Scratch(1);
const NORMED: Slot = Slot::Scratch(2);
const INTEGERS: Slot = Slot::Scratch(3);
const SCALES: Slot = Slot::Scratch(4);
const SUMS: Slot = Slot::Scratch(5);
const UNTURNED: Slot = Slot::Scratch(6);
const Q: Slot = Slot::Scratch(7);
const ATTENDED: Slot = Slot::Scratch(8);
const BRANCH: Slot = Slot::Scratch(9);
const GATES_UPS: Slot = Slot::Scratch(10);
const GATED: Slot = Slot::Scratch(11);

const HALF: usize = 2;
const SINGLE: usize = 4;

struct Network<'a> {
    model: Model,
    /// Sequences, each with one token.
    batch: usize,
    dims: &'a Dims,
}

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    sequence(dims).plan(target)
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    static LAST: Last = Last::none();
    LAST.of(dims, sequence).run(inputs, outputs);
}

fn sequence(dims: &Dims) -> Sequence {
    let network = Network::of(dims);
    Sequence::new(network.stages(), network.scratch().to_vec(), OUTPUTS)
}

/// What a stage cannot run.
pub(super) fn limits(dims: &Dims) -> Option<String> {
    sequence(dims).refusal()
}

impl<'a> Network<'a> {
    fn of(dims: &'a Dims) -> Self {
        Self {
            model: Model::of(dims),
            batch: dim(dims, "batch"),
            dims,
        }
    }

    /// Bytes of the activations.
    fn scratch(&self) -> [u64; 12] {
        let Model { hidden, ffn, .. } = self.model;
        let (queries, keys) = (self.model.queries(), self.model.keys());
        let widest = hidden.max(queries).max(ffn);
        let bytes = [
            HALF * hidden,
            HALF * hidden,
            HALF * hidden,
            widest,
            HALF * (widest / BLOCK),
            SINGLE * hidden.max(queries + 2 * keys).max(2 * ffn),
            HALF * (queries + keys),
            HALF * queries,
            HALF * queries,
            HALF * hidden,
            HALF * 2 * ffn,
            HALF * ffn,
        ];
        bytes.map(|bytes| (bytes * self.batch) as u64)
    }

    fn stages(&self) -> Vec<Stage> {
        let Model { hidden, vocab, .. } = self.model;
        let embed = Stage::of(
            &embedding_gather_f16::WORKLOAD,
            &[("vocabulary", vocab), ("cols", hidden), ("tokens", self.batch)],
            &[Slot::Input(EMBEDDING), Slot::Input(IDS)],
            TRUNK,
        );
        let layers = (0..self.model.layers).flat_map(|layer| self.layer(layer));
        let weights = [LOGITS, LOGITS + 1].map(Slot::Input);
        let end = [self.norm(Slot::Input(NORM), TRUNK), self.round(NORMED, hidden)];
        let logits = self.products_of(&[(weights, vocab)], hidden, NEW_LOGITS);
        [embed]
            .into_iter()
            .chain(layers)
            .chain(end)
            .chain(logits)
            .collect()
    }

    fn layer(&self, layer: usize) -> impl Iterator<Item = Stage> {
        self.attention(layer).into_iter().chain(self.ffn(layer))
    }

    fn attention(&self, layer: usize) -> Vec<Stage> {
        let Model {
            hidden,
            heads,
            kvheads,
            head,
            ..
        } = self.model;
        let (queries, keys) = (self.model.queries(), self.model.keys());
        let [all_queries, all_keys] = [queries, keys].map(|width| self.batch * width);
        let turn = |heads: usize, x: Slot, y: Slot| {
            let sizes = [("tokens", self.batch), ("heads", heads), ("width", head)];
            Stage::of(&rope_f16::WORKLOAD, &sizes, &[x, Slot::Input(TURNS)], y)
        };
        let [new_keys, new_values] =
            [NEW_KEYS, NEW_VALUES].map(|all| all.elements(layer * all_keys, all_keys, HALF));
        let mut stages = vec![
            self.norm(of_layer(ATTENTION_NORM, layer, HALF * hidden), TRUNK),
            self.round(NORMED, hidden),
        ];
        stages.extend(self.products(layer, &[(QUERY, queries), (KEY, keys), (VALUE, keys)], hidden));
        stages.extend([
            narrowed(0, all_queries + all_keys, UNTURNED),
            narrowed(all_queries + all_keys, all_keys, new_values),
            turn(heads, UNTURNED.elements(0, all_queries, HALF), Q),
            turn(kvheads, UNTURNED.elements(all_queries, all_keys, HALF), new_keys),
            self.attend(layer, [new_keys, new_values]),
            self.round(ATTENDED, queries),
        ]);
        stages.extend(self.products(layer, &[(OUT, hidden)], queries));
        stages.push(narrowed(0, self.batch * hidden, BRANCH));
        stages
    }

    fn ffn(&self, layer: usize) -> Vec<Stage> {
        let Model { hidden, ffn, .. } = self.model;
        let [all_hidden, all_ffn] = [hidden, ffn].map(|width| self.batch * width);
        let join =
            |trunk: Slot, sum: Slot| Stage::new(residual::OP, &[("n", all_hidden)], &[trunk, BRANCH], &[sum]);
        let [gates, ups] = [0, all_ffn].map(|first| GATES_UPS.elements(first, all_ffn, HALF));
        let mut stages = vec![
            join(TRUNK, MIDDLE),
            self.norm(of_layer(FFN_NORM, layer, HALF * hidden), MIDDLE),
            self.round(NORMED, hidden),
        ];
        stages.extend(self.products(layer, &[(GATE, ffn), (UP, ffn)], hidden));
        stages.extend([
            narrowed(0, 2 * all_ffn, GATES_UPS),
            Stage::of(
                &swiglu_f16::WORKLOAD,
                &[("rows", self.batch), ("cols", ffn)],
                &[gates, ups],
                GATED,
            ),
            self.round(GATED, ffn),
        ]);
        stages.extend(self.products(layer, &[(DOWN, hidden)], ffn));
        stages.extend([narrowed(0, all_hidden, BRANCH), join(MIDDLE, TRUNK)]);
        stages
    }

    fn norm(&self, weights: Slot, x: Slot) -> Stage {
        let sizes = [("rows", self.batch), ("cols", self.model.hidden)];
        Stage::of(&rmsnorm_f16::WORKLOAD, &sizes, &[x, weights], NORMED)
    }

    fn attend(&self, layer: usize, [new_keys, new_values]: [Slot; 2]) -> Stage {
        const SIZES: [&str; 8] = [
            "batch", "heads", "kvheads", "head", "context", "page", "seqpages", "pages",
        ];
        let sizes = SIZES.map(|name| (name, dim(self.dims, name)));
        let cache = HALF * dim(self.dims, "pages") * dim(self.dims, "page") * self.model.keys();
        let inputs = [
            Q,
            of_layer(KPAGES, layer, cache),
            of_layer(VPAGES, layer, cache),
            Slot::Input(TABLE),
            Slot::Input(LENGTHS),
            new_keys,
            new_values,
        ];
        Stage::new(attention_decode_f16::newest::OP, &sizes, &inputs, &[ATTENDED])
    }

    /// Sums of a layer's matrices, by their input and their rows, with each of the activations that were rounded last: one
    /// matrix's after the other's in [`SUMS`].
    fn products(&self, layer: usize, matrices: &[(usize, usize)], inner: usize) -> Vec<Stage> {
        let weights = |(weights, rows): (usize, usize)| {
            let weights = [
                of_layer(weights, layer, rows * inner / 2),
                of_layer(weights + 1, layer, HALF * rows * (inner / BLOCK)),
            ];
            (weights, rows)
        };
        let matrices: Vec<_> = matrices.iter().copied().map(weights).collect();
        self.products_of(&matrices, inner, SUMS)
    }

    fn products_of(&self, matrices: &[([Slot; 2], usize)], inner: usize, sums: Slot) -> Vec<Stage> {
        let blocks = inner / BLOCK;
        let [x, x_scales] = self.rounded(inner);
        if self.batch == 1 {
            return vec![abreast::stage(matrices, blocks, [x, x_scales], sums)];
        }
        let product = |&([weights, scales], rows): &([Slot; 2], usize), sums: Slot| {
            let sizes = [
                ("m", self.batch),
                ("n", rows),
                ("blocks", blocks),
                ("block", BLOCK),
            ];
            Stage::of(&gemm_q4::WORKLOAD, &sizes, &[x, x_scales, weights, scales], sums)
        };
        let counts = matrices.iter().map(|(_, rows)| self.batch * rows);
        let sums = abreast::firsts(counts.clone())
            .zip(counts)
            .map(|(first, count)| sums.elements(first, count, SINGLE));
        matrices
            .iter()
            .zip(sums)
            .map(|(matrix, sums)| product(matrix, sums))
            .collect()
    }

    /// Halves to what products take.
    fn round(&self, x: Slot, width: usize) -> Stage {
        let sizes = [("blocks", self.batch * width / BLOCK)];
        Stage::new(quantize::OP, &sizes, &[x], &self.rounded(width))
    }

    fn rounded(&self, width: usize) -> [Slot; 2] {
        let elements = self.batch * width;
        [
            INTEGERS.elements(0, elements, 1),
            SCALES.elements(0, elements / BLOCK, HALF),
        ]
    }
}

/// Some of [`SUMS`] in f16.
fn narrowed(first: usize, elements: usize, y: Slot) -> Stage {
    let sums = SUMS.elements(first, elements, SINGLE);
    Stage::new(narrow::OP, &[("n", elements)], &[sums], &[y])
}

/// The share of a layer in an input.
fn of_layer(input: usize, layer: usize, bytes: usize) -> Slot {
    Slot::Input(input).elements(layer, 1, bytes)
}
