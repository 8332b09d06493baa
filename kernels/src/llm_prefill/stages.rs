//! The network as stages.

use attest::spec::Dims;

use crate::llama::Model;
use crate::residual;
use crate::specify::dims_of;
use crate::stages::{Last, Sequence, Stage};
use crate::workload::{Plan, Slot, Target, Workload, dim};
use crate::{
    attention_prefill_f16, embedding_gather_f16, gemm_f16, gemv_f16, rmsnorm_f16, rope_f16, swiglu_f16,
};

/// Inputs by their place in the specification.
const EMBEDDING: usize = 0;
pub(super) const IDS: usize = 1;
pub(super) const TURNS: usize = 2;
const ATTENTION_NORM: usize = 3;
const QUERY: usize = 4;
const KEY: usize = 5;
const VALUE: usize = 6;
const OUT: usize = 7;
const FFN_NORM: usize = 8;
const GATE: usize = 9;
const UP: usize = 10;
const DOWN: usize = 11;
const NORM: usize = 12;
const LOGITS: usize = 13;

/// Activations between stages, by their place in scratch: the trunk before and after attention, what a norm gives, queries,
/// keys and values, the first two before they are turned, what attention gives, a branch, gate and up and their product.
const TRUNK: Slot = Slot::Scratch(0);
const MIDDLE: Slot = Slot::Scratch(1);
const NORMED: Slot = Slot::Scratch(2);
const Q: Slot = Slot::Scratch(3);
const K: Slot = Slot::Scratch(4);
const V: Slot = Slot::Scratch(5);
const Q_TURNED: Slot = Slot::Scratch(6);
const K_TURNED: Slot = Slot::Scratch(7);
const ATTENDED: Slot = Slot::Scratch(8);
const BRANCH: Slot = Slot::Scratch(9);
const GATES: Slot = Slot::Scratch(10);
const UPS: Slot = Slot::Scratch(11);
const GATED: Slot = Slot::Scratch(12);

const HALF: u64 = 2;

struct Network {
    model: Model,
    tokens: usize,
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
    Sequence::new(network.stages(), network.scratch().to_vec(), 1)
}

/// What a stage cannot run.
pub(super) fn limits(dims: &Dims) -> Option<String> {
    sequence(dims).refusal()
}

impl Network {
    fn of(dims: &Dims) -> Self {
        Self {
            model: Model::of(dims),
            tokens: dim(dims, "tokens"),
        }
    }

    /// Bytes of the activations.
    fn scratch(&self) -> [u64; 13] {
        let Model { hidden, ffn, .. } = self.model;
        let (queries, keys) = (self.model.queries(), self.model.keys());
        let widths = [
            hidden, hidden, hidden, queries, keys, keys, queries, keys, queries, hidden, ffn, ffn, ffn,
        ];
        widths.map(|width| HALF * (self.tokens * width) as u64)
    }

    fn stages(&self) -> Vec<Stage> {
        let Model { hidden, vocab, .. } = self.model;
        let embed = stage(
            &embedding_gather_f16::WORKLOAD,
            &[("vocabulary", vocab), ("cols", hidden), ("tokens", self.tokens)],
            &[Slot::Input(EMBEDDING), Slot::Input(IDS)],
            TRUNK,
        );
        let layers = (0..self.model.layers).flat_map(|layer| self.layer(layer));
        let row = HALF * hidden as u64;
        let last = TRUNK.part((self.tokens as u64 - 1) * row, row);
        let end = [
            stage(
                &rmsnorm_f16::WORKLOAD,
                &[("rows", 1), ("cols", hidden)],
                &[last, Slot::Input(NORM)],
                NORMED.part(0, row),
            ),
            stage(
                &gemv_f16::WORKLOAD,
                &[("n", vocab), ("k", hidden)],
                &[Slot::Input(LOGITS), NORMED.part(0, row)],
                Slot::Output(0),
            ),
        ];
        [embed].into_iter().chain(layers).chain(end).collect()
    }

    fn layer(&self, layer: usize) -> [Stage; 15] {
        let Model {
            hidden,
            heads,
            kvheads,
            head,
            ffn,
            ..
        } = self.model;
        let (queries, keys, tokens) = (self.model.queries(), self.model.keys(), self.tokens);
        let product = |weights: usize, [rows, inner]: [usize; 2], x: Slot, y: Slot| {
            let sizes = [("m", tokens), ("n", rows), ("k", inner)];
            let weights = of_layer(weights, layer, rows * inner);
            stage(&gemm_f16::WORKLOAD, &sizes, &[x, weights], y)
        };
        let norm = |weights: usize, x: Slot| {
            let sizes = [("rows", tokens), ("cols", hidden)];
            let weights = of_layer(weights, layer, hidden);
            stage(&rmsnorm_f16::WORKLOAD, &sizes, &[x, weights], NORMED)
        };
        let turn = |heads: usize, x: Slot, y: Slot| {
            let sizes = [("tokens", tokens), ("heads", heads), ("width", head)];
            stage(&rope_f16::WORKLOAD, &sizes, &[x, Slot::Input(TURNS)], y)
        };
        let join = |trunk: Slot, sum: Slot| Stage {
            op: residual::OP,
            dims: dims_of(&[("n", (tokens * hidden) as u64)]),
            inputs: vec![trunk, BRANCH],
            outputs: vec![sum],
        };
        [
            norm(ATTENTION_NORM, TRUNK),
            product(QUERY, [queries, hidden], NORMED, Q),
            product(KEY, [keys, hidden], NORMED, K),
            product(VALUE, [keys, hidden], NORMED, V),
            turn(heads, Q, Q_TURNED),
            turn(kvheads, K, K_TURNED),
            self.attention(),
            product(OUT, [hidden, queries], ATTENDED, BRANCH),
            join(TRUNK, MIDDLE),
            norm(FFN_NORM, MIDDLE),
            product(GATE, [ffn, hidden], NORMED, GATES),
            product(UP, [ffn, hidden], NORMED, UPS),
            stage(
                &swiglu_f16::WORKLOAD,
                &[("rows", tokens), ("cols", ffn)],
                &[GATES, UPS],
                GATED,
            ),
            product(DOWN, [hidden, ffn], GATED, BRANCH),
            join(MIDDLE, TRUNK),
        ]
    }

    fn attention(&self) -> Stage {
        let sizes = [
            ("tokens", self.tokens),
            ("heads", self.model.heads),
            ("kvheads", self.model.kvheads),
            ("head", self.model.head),
        ];
        let inputs = [Q_TURNED, K_TURNED, V];
        stage(&attention_prefill_f16::WORKLOAD, &sizes, &inputs, ATTENDED)
    }
}

/// The share of a layer in a stack of weights of `elements` each.
fn of_layer(weights: usize, layer: usize, elements: usize) -> Slot {
    let bytes = HALF * elements as u64;
    Slot::Input(weights).part(layer as u64 * bytes, bytes)
}

fn stage(workload: &'static Workload, sizes: &[(&str, usize)], inputs: &[Slot], output: Slot) -> Stage {
    Stage::of(workload, sizes, inputs, output)
}
