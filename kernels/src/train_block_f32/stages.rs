//! A block as stages, one of a stack or alone.

use attest::spec::Dims;

use super::buffers::{Buffer, scratch};
use super::norm::{NORM, NORM_BACK, NORM_WEIGHT};
use super::softmax::{SOFTMAX, SOFTMAX_BACK};
use super::swiglu::{SWIGLU, SWIGLU_BACK};
use super::turn::{TO_HEADS, TO_TOKENS, TURN, TURNED};
use super::{Sizes, WEIGHTS};
use crate::matmul::Order::{AcrossK, AlongK};
use crate::matmul::{Operand, Order, Product};
use crate::stages::{Last, Sequence, Stage};
use crate::workload::{Plan, Slot, Target};

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    sequence(dims).plan(target)
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    static LAST: Last = Last::none();
    LAST.of(dims, sequence).run(inputs, outputs);
}

fn sequence(dims: &Dims) -> Sequence {
    let sizes = Sizes::of(dims);
    Sequence::new(
        Block::alone(sizes).stages(),
        scratch(sizes, 1).to_vec(),
        2 + WEIGHTS,
    )
}

/// A block, and where its arrays are. Those between its stages are the first of the scratch.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    pub(crate) sizes: Sizes,
    /// Its place in the stack.
    pub(crate) layer: usize,
    pub(crate) x: Slot,
    pub(crate) y: Slot,
    pub(crate) dy: Slot,
    /// May be `dy`.
    pub(crate) dx: Slot,
    pub(crate) table: Slot,
    pub(crate) weights: [Slot; WEIGHTS],
    pub(crate) gradients: [Slot; WEIGHTS],
}

/// A weight's place among the weights and the gradients.
const NORM1: usize = 0;
const WQ: usize = 1;
const WK: usize = 2;
const WV: usize = 3;
const WO: usize = 4;
const NORM2: usize = 5;
const GATE: usize = 6;
const UP: usize = 7;
const DOWN: usize = 8;

impl Block {
    /// Inputs and outputs in the specification's order.
    fn alone(sizes: Sizes) -> Self {
        Self {
            sizes,
            layer: 0,
            x: Slot::Input(0),
            y: Slot::Output(0),
            dy: Slot::Input(1),
            dx: Slot::Output(1),
            table: Slot::Input(2),
            weights: std::array::from_fn(|weight| Slot::Input(3 + weight)),
            gradients: std::array::from_fn(|weight| Slot::Output(2 + weight)),
        }
    }

    fn stages(self) -> Vec<Stage> {
        self.forward().into_iter().chain(self.backward()).collect()
    }

    pub(crate) fn forward(self) -> Vec<Stage> {
        use Buffer::{
            Attention, Flat, FlatKv, Gate, Inner, Key, Middle, Normal1, Normal2, Probability, Query, Scale1,
            Scale2, Up, Value,
        };
        let Sizes {
            heads,
            kvheads,
            hidden,
            inner,
            ..
        } = self.sizes;
        let (query, key) = (self.sizes.query(), self.sizes.key());
        vec![
            self.norm(self.x, NORM1, Normal1, Scale1),
            self.project(Normal1, WQ, Flat, [query, hidden]).stage(),
            self.turn(Flat, Query, heads, TO_HEADS | TURNED),
            self.project(Normal1, WK, FlatKv, [key, hidden]).stage(),
            self.turn(FlatKv, Key, kvheads, TO_HEADS | TURNED),
            self.project(Normal1, WV, Value, [key, hidden]).stage(),
            Product {
                factor: self.sizes.factor() as f32,
                ..self.scores(Query, (self.by_heads(Key), AlongK), Probability)
            }
            .stage(),
            Stage::new(SOFTMAX, &self.score_rows(), &[], &[self.at(Probability)]),
            Product {
                c: self.by_tokens(Attention, heads),
                ..self.weighted(Probability, self.by_tokens(Value, kvheads), Attention)
            }
            .stage(),
            self.project(Attention, WO, Middle, [hidden, query])
                .plus(self.x)
                .stage(),
            self.norm(self.at(Middle), NORM2, Normal2, Scale2),
            self.project(Normal2, GATE, Gate, [inner, hidden]).stage(),
            self.project(Normal2, UP, Up, [inner, hidden]).stage(),
            Stage::new(
                SWIGLU,
                &self.inner_elements(),
                &[Gate, Up].map(|buffer| self.at(buffer)),
                &[self.at(Inner)],
            ),
            Product {
                c: Operand::whole(self.y, hidden),
                ..self.project(Inner, DOWN, Inner, [hidden, inner])
            }
            .plus(self.at(Middle))
            .stage(),
        ]
    }

    pub(crate) fn backward(self) -> Vec<Stage> {
        let mut stages = self.backward_mlp();
        stages.extend(self.backward_attention());
        stages
    }

    fn backward_mlp(self) -> Vec<Stage> {
        use Buffer::{DInner, DMiddle, DNormal, Gate, Inner, Middle, Normal2, Scale2, Up};
        let Sizes { hidden, inner, .. } = self.sizes;
        let middle = self.at(Middle);
        vec![
            self.back(self.dy, DOWN, DInner, [inner, hidden]).stage(),
            self.gradient(self.dy, Inner, DOWN, [hidden, inner]),
            Stage::new(
                SWIGLU_BACK,
                &self.inner_elements(),
                &[self.at(DInner)],
                &[Gate, Up].map(|buffer| self.at(buffer)),
            ),
            self.gradient(self.at(Gate), Normal2, GATE, [inner, hidden]),
            self.gradient(self.at(Up), Normal2, UP, [inner, hidden]),
            self.back(self.at(Gate), GATE, DNormal, [hidden, inner]).stage(),
            self.back(self.at(Up), UP, DNormal, [hidden, inner])
                .plus(self.at(DNormal))
                .stage(),
            self.norm_weight(middle, Scale2, NORM2),
            self.norm_back(middle, Scale2, NORM2, self.dy, self.at(DMiddle)),
        ]
    }

    fn backward_attention(self) -> Vec<Stage> {
        use Buffer::{
            Attention, DAttention, DKey, DMiddle, DNormal, DQuery, DScore, DValue, Flat, FlatKv, Key,
            Normal1, Probability, Query, Scale1, Value,
        };
        let Sizes {
            heads,
            kvheads,
            hidden,
            ..
        } = self.sizes;
        let (query, key) = (self.sizes.query(), self.sizes.key());
        let factor = self.sizes.factor() as f32;
        let (middle, normal) = (self.at(DMiddle), self.at(DNormal));
        vec![
            self.gradient(middle, Attention, WO, [hidden, query]),
            self.back(middle, WO, Flat, [query, hidden]).stage(),
            self.turn(Flat, DAttention, heads, TO_HEADS),
            self.scores(DAttention, (self.by_tokens(Value, kvheads), AlongK), DScore)
                .stage(),
            Product {
                c: self.by_tokens(DValue, kvheads),
                ..self.gathered(Probability, DAttention, DValue)
            }
            .stage(),
            Stage::new(
                SOFTMAX_BACK,
                &self.score_rows(),
                &[self.at(Probability)],
                &[self.at(DScore)],
            ),
            Product {
                factor,
                ..self.weighted(DScore, self.by_heads(Key), DQuery)
            }
            .stage(),
            Product {
                factor,
                ..self.gathered(DScore, Query, DKey)
            }
            .stage(),
            self.turn(DQuery, Flat, heads, TO_TOKENS | TURNED),
            self.turn(DKey, FlatKv, kvheads, TO_TOKENS | TURNED),
            self.gradient(self.at(Flat), Normal1, WQ, [query, hidden]),
            self.gradient(self.at(FlatKv), Normal1, WK, [key, hidden]),
            self.gradient(self.at(DValue), Normal1, WV, [key, hidden]),
            self.back(self.at(Flat), WQ, DNormal, [hidden, query]).stage(),
            self.back(self.at(FlatKv), WK, DNormal, [hidden, key])
                .plus(normal)
                .stage(),
            self.back(self.at(DValue), WV, DNormal, [hidden, key])
                .plus(normal)
                .stage(),
            self.norm_weight(self.x, Scale1, NORM1),
            self.norm_back(self.x, Scale1, NORM1, middle, self.dx),
        ]
    }

    fn at(self, buffer: Buffer) -> Slot {
        buffer.slot(self.sizes, self.layer)
    }

    /// Rows of `from` columns times a weight's rows: `to` columns.
    fn project(self, x: Buffer, weight: usize, y: Buffer, [to, from]: [usize; 2]) -> Product {
        let (x, weight) = ((self.at(x), AlongK), (self.weights[weight], AlongK));
        Product::plain([self.sizes.tokens, to, from], x, weight, self.at(y))
    }

    /// What a projection passes back to its `to` columns from its `from` rows of weights.
    fn back(self, dy: Slot, weight: usize, dx: Buffer, [to, from]: [usize; 2]) -> Product {
        let (dy, weight) = ((dy, AlongK), (self.weights[weight], AcrossK));
        Product::plain([self.sizes.tokens, to, from], dy, weight, self.at(dx))
    }

    /// The gradient of a weight of `rows * columns`.
    fn gradient(self, dy: Slot, x: Buffer, weight: usize, [rows, columns]: [usize; 2]) -> Stage {
        let (dy, x) = ((dy, AcrossK), (self.at(x), AcrossK));
        Product::plain([rows, columns, self.sizes.tokens], dy, x, self.gradients[weight]).stage()
    }

    /// Matrices of `tokens * width`, one a head.
    fn by_heads(self, buffer: Buffer) -> Operand {
        Operand {
            slot: self.at(buffer),
            pitch: self.sizes.width,
            stride: self.sizes.tokens * self.sizes.width,
        }
    }

    /// The same of `heads` heads side by side in each row.
    fn by_tokens(self, buffer: Buffer, heads: usize) -> Operand {
        Operand {
            slot: self.at(buffer),
            pitch: heads * self.sizes.width,
            stride: self.sizes.width,
        }
    }

    /// A matrix of `tokens * tokens` for each head.
    fn by_scores(self, buffer: Buffer) -> Operand {
        Operand {
            slot: self.at(buffer),
            pitch: self.sizes.tokens,
            stride: self.sizes.tokens * self.sizes.tokens,
        }
    }

    /// Each head's rows of `a` times those of its group's `b`.
    fn scores(self, a: Buffer, b: (Operand, Order), c: Buffer) -> Product {
        let Sizes { tokens, width, .. } = self.sizes;
        Product {
            sizes: [tokens, tokens, width],
            a: (self.by_heads(a), AlongK),
            b,
            c: self.by_scores(c),
            addend: None,
            factor: 1.0,
            batch: self.sizes.heads,
            group: self.sizes.group(),
        }
    }

    /// Each head's scores times the rows of its group's `b`.
    fn weighted(self, scores: Buffer, b: Operand, c: Buffer) -> Product {
        let Sizes { tokens, width, .. } = self.sizes;
        Product {
            sizes: [tokens, width, tokens],
            a: (self.by_scores(scores), AlongK),
            b: (b, AcrossK),
            c: self.by_heads(c),
            ..self.scores(c, (b, AcrossK), c)
        }
    }

    /// Transposed scores of a group's heads times their rows of `b`, summed: a group's matrices follow each other, so that
    /// the sum over heads and tokens is one.
    fn gathered(self, scores: Buffer, b: Buffer, c: Buffer) -> Product {
        let Sizes { tokens, width, .. } = self.sizes;
        let group = |operand: Operand| Operand {
            stride: operand.stride * self.sizes.group(),
            ..operand
        };
        Product {
            sizes: [tokens, width, self.sizes.group() * tokens],
            a: (group(self.by_scores(scores)), AcrossK),
            b: (group(self.by_heads(b)), AcrossK),
            c: self.by_heads(c),
            addend: None,
            factor: 1.0,
            batch: self.sizes.kvheads,
            group: 1,
        }
    }

    fn norm(self, x: Slot, weight: usize, y: Buffer, scale: Buffer) -> Stage {
        let to = [self.at(y), self.at(scale)];
        norm(self.sizes, x, self.weights[weight], to)
    }

    fn norm_weight(self, x: Slot, scale: Buffer, weight: usize) -> Stage {
        let from = [self.at(Buffer::DNormal), x, self.at(scale)];
        norm_weight(self.sizes, from, self.gradients[weight])
    }

    fn norm_back(self, x: Slot, scale: Buffer, weight: usize, more: Slot, dx: Slot) -> Stage {
        let from = [
            self.at(Buffer::DNormal),
            x,
            self.at(scale),
            self.weights[weight],
            more,
        ];
        norm_back(self.sizes, &from, dx)
    }

    fn turn(self, from: Buffer, to: Buffer, heads: usize, flags: usize) -> Stage {
        let Sizes { tokens, width, .. } = self.sizes;
        let sizes = [
            ("tokens", tokens),
            ("heads", heads),
            ("width", width),
            ("flags", flags),
        ];
        Stage::new(TURN, &sizes, &[self.at(from), self.table], &[self.at(to)])
    }

    fn score_rows(self) -> [(&'static str, usize); 2] {
        let Sizes { tokens, heads, .. } = self.sizes;
        [("rows", heads * tokens), ("cols", tokens)]
    }

    fn inner_elements(self) -> [(&'static str, usize); 1] {
        [("n", self.sizes.tokens * self.sizes.inner)]
    }
}

fn rows(sizes: Sizes) -> [(&'static str, usize); 2] {
    [("rows", sizes.tokens), ("cols", sizes.hidden)]
}

/// Norm of rows of x, and the scale of each.
pub(crate) fn norm(sizes: Sizes, x: Slot, weight: Slot, to: [Slot; 2]) -> Stage {
    Stage::new(NORM, &rows(sizes), &[x, weight], &to)
}

/// The gradient of a norm's weights from that of its rows, x and the scales.
pub(crate) fn norm_weight(sizes: Sizes, from: [Slot; 3], dw: Slot) -> Stage {
    Stage::new(NORM_WEIGHT, &rows(sizes), &from, &[dw])
}

/// The gradient of x from that of the norm's rows, x, the scales and the weights, and what is added to it if anything is.
pub(crate) fn norm_back(sizes: Sizes, from: &[Slot], dx: Slot) -> Stage {
    let [rows, cols] = rows(sizes);
    let added = ("added", usize::from(from.len() == 5));
    Stage::new(NORM_BACK, &[rows, cols, added], from, &[dx])
}
