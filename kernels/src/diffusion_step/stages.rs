//! The pass as stages.

use attest::spec::Dims;

use super::Network;
use crate::modulate::{GATED, MODULATE, SILU, VECTORS};
use crate::stages::{Last, Op, Sequence, Stage};
use crate::workload::{Plan, Slot, Target};
use crate::{attention_prefill_f16, gelu_f16, gemm_f16};

/// Inputs by their place in the specification.
pub(super) const X: usize = 0;
pub(super) const CONDITIONING: usize = 1;
pub(super) const MODULATION: usize = 2;
pub(super) const MODULATION_BIAS: usize = 3;
pub(super) const QUERY: usize = 4;
pub(super) const KEY: usize = 5;
pub(super) const VALUE: usize = 6;
pub(super) const OUT: usize = 7;
pub(super) const UP: usize = 8;
pub(super) const DOWN: usize = 9;

/// A block's vectors by their place: each branch has a shift, a scale and a gate.
pub(super) const SHIFT: [usize; 2] = [0, 3];
pub(super) const GATE: [usize; 2] = [2, 5];

/// Activations between stages, by their place in scratch: silu(c) and what a block makes of it; the trunk before and after
/// attention, what modulation gives, queries, keys, values, what attention gives, a branch, the MLP's hidden layer before and
/// after GELU.
const ACTIVE: Slot = Slot::Scratch(0);
const VECTOR: Slot = Slot::Scratch(1);
const TRUNK: Slot = Slot::Scratch(2);
const MIDDLE: Slot = Slot::Scratch(3);
const NORMED: Slot = Slot::Scratch(4);
const Q: Slot = Slot::Scratch(5);
const K: Slot = Slot::Scratch(6);
const V: Slot = Slot::Scratch(7);
const ATTENDED: Slot = Slot::Scratch(8);
const BRANCH: Slot = Slot::Scratch(9);
const WIDE: Slot = Slot::Scratch(10);
const CURVED: Slot = Slot::Scratch(11);

const HALF: u64 = 2;

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

impl Network {
    /// Bytes of the activations.
    fn scratch(self) -> [u64; 12] {
        let (sample, row, wide) = (
            self.batch * self.hidden,
            self.rows() * self.hidden,
            self.rows() * self.ffn,
        );
        let elements = [
            sample,
            VECTORS * sample,
            row,
            row,
            row,
            row,
            row,
            row,
            row,
            row,
            wide,
            wide,
        ];
        elements.map(|elements| HALF * elements as u64)
    }

    fn stages(self) -> Vec<Stage> {
        let silu = step(
            SILU,
            &[("n", self.batch * self.hidden)],
            &[Slot::Input(CONDITIONING)],
            ACTIVE,
        );
        let blocks = (0..self.blocks).flat_map(|block| self.block(block));
        [silu].into_iter().chain(blocks).collect()
    }

    pub(super) fn block(self, block: usize) -> Vec<Stage> {
        let Self {
            batch, hidden, ffn, ..
        } = self;
        let rows = self.rows();
        let weights = |tensor: usize, elements: usize| {
            let bytes = HALF * elements as u64;
            Slot::Input(tensor).part(block as u64 * bytes, bytes)
        };
        let product = |tensor: usize, [m, n, k]: [usize; 3], x: Slot, y: Slot| {
            let sizes = [("m", m), ("n", n), ("k", k)];
            Stage::of(&gemm_f16::WORKLOAD, &sizes, &[x, weights(tensor, n * k)], y)
        };
        let bias = weights(MODULATION_BIAS, VECTORS * hidden);
        let of_vector = |vector| {
            [
                ("rows", rows),
                ("cols", hidden),
                ("tokens", self.tokens),
                ("vector", vector),
            ]
        };
        let modulated =
            |branch: usize, x: Slot| step(MODULATE, &of_vector(SHIFT[branch]), &[x, VECTOR, bias], NORMED);
        let joined = |branch: usize, x: Slot, y: Slot| {
            step(GATED, &of_vector(GATE[branch]), &[x, BRANCH, VECTOR, bias], y)
        };
        let from = if block == 0 { Slot::Input(X) } else { TRUNK };
        let to = if block + 1 == self.blocks {
            Slot::Output(0)
        } else {
            TRUNK
        };
        let mut stages = vec![
            product(MODULATION, [batch, VECTORS * hidden, hidden], ACTIVE, VECTOR),
            modulated(0, from),
            product(QUERY, [rows, hidden, hidden], NORMED, Q),
            product(KEY, [rows, hidden, hidden], NORMED, K),
            product(VALUE, [rows, hidden, hidden], NORMED, V),
        ];
        stages.extend((0..batch).map(|sample| self.attention(sample)));
        stages.extend([
            product(OUT, [rows, hidden, hidden], ATTENDED, BRANCH),
            joined(0, from, MIDDLE),
            modulated(1, MIDDLE),
            product(UP, [rows, ffn, hidden], NORMED, WIDE),
            Stage::of(
                &gelu_f16::WORKLOAD,
                &[("rows", rows), ("cols", ffn)],
                &[WIDE],
                CURVED,
            ),
            product(DOWN, [rows, hidden, ffn], CURVED, BRANCH),
            joined(1, MIDDLE, to),
        ]);
        stages
    }

    /// Tokens of a sample see each other alone.
    fn attention(self, sample: usize) -> Stage {
        let bytes = HALF * (self.tokens * self.hidden) as u64;
        let [q, k, v, o] = [Q, K, V, ATTENDED].map(|whole| whole.part(sample as u64 * bytes, bytes));
        let sizes = [
            ("tokens", self.tokens),
            ("heads", self.heads),
            ("kvheads", self.heads),
            ("head", self.head),
        ];
        step(attention_prefill_f16::UNMASKED, &sizes, &[q, k, v], o)
    }
}

fn step(op: Op, sizes: &[(&str, usize)], inputs: &[Slot], output: Slot) -> Stage {
    Stage::new(op, sizes, inputs, &[output])
}
