//! The authority: a forward pass in f64, from the weights as they are stored, nothing narrowed in between.

use super::Model;
use crate::elements::f16s;
use crate::forward::{Rows, attended, dot, in_parallel, product};

/// One layer's share of each stack of weights, or a whole tensor, by its place in [`super::WEIGHTS`].
pub(crate) struct Weights<'a> {
    model: Model,
    tensors: &'a [&'a [u8]],
    /// Cosine and sine of each pair's angle, for each token.
    turns: &'a [f32],
}

const EMBEDDING: usize = 0;
const ATTENTION_NORM: usize = 1;
const QUERY: usize = 2;
const KEY: usize = 3;
const VALUE: usize = 4;
const OUT: usize = 5;
const FFN_NORM: usize = 6;
const GATE: usize = 7;
const UP: usize = 8;
const DOWN: usize = 9;
const NORM: usize = 10;
const LOGITS: usize = 11;

/// That of `rmsnorm.f16.v1`.
const EPSILON: f64 = 1e-5;

impl<'a> Weights<'a> {
    /// `tensors` in the order of [`super::WEIGHTS`].
    pub(crate) fn new(model: Model, tensors: &'a [&'a [u8]], turns: &'a [f32]) -> Self {
        Self {
            model,
            tensors,
            turns,
        }
    }

    /// Logits after the last of `ids`: `vocab` of them.
    pub(crate) fn logits(&self, ids: &[u32]) -> Vec<f64> {
        let Model { layers, hidden, .. } = self.model;
        let embedded = |&id: &u32| self.row(EMBEDDING, id as usize, hidden);
        let mut x: Rows = ids.iter().map(embedded).collect();
        for layer in 0..layers {
            x = self.layer(layer, x);
        }
        let last = x.pop().expect("a token");
        let last = vec![normed(&last, &self.row(NORM, 0, hidden))];
        self.product(LOGITS, 0, self.model.vocab, &last).swap_remove(0)
    }

    fn layer(&self, layer: usize, x: Rows) -> Rows {
        let Model { hidden, ffn, .. } = self.model;
        let norm = self.row(ATTENTION_NORM, layer, hidden);
        let h: Rows = x.iter().map(|x| normed(x, &norm)).collect();
        let attention = self.attention(layer, &h);
        let y = added(x, &self.product(OUT, layer, hidden, &attention));
        let norm = self.row(FFN_NORM, layer, hidden);
        let h: Rows = y.iter().map(|y| normed(y, &norm)).collect();
        let [gate, up] = [GATE, UP].map(|tensor| self.product(tensor, layer, ffn, &h));
        let gated = gate.into_iter().zip(up).map(|(gate, up)| {
            let pairs = gate.into_iter().zip(up);
            pairs
                .map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up)
                .collect()
        });
        let gated: Rows = gated.collect();
        added(y, &self.product(DOWN, layer, hidden, &gated))
    }

    fn attention(&self, layer: usize, h: &Rows) -> Rows {
        let (model, head) = (self.model, self.model.head);
        let turned = |mut rows: Rows| {
            for (token, row) in rows.iter_mut().enumerate() {
                let turns = &self.turns[token * head..][..head];
                row.chunks_exact_mut(head).for_each(|head| turn(head, turns));
            }
            rows
        };
        let q = turned(self.product(QUERY, layer, model.queries(), h));
        let k = turned(self.product(KEY, layer, model.keys(), h));
        let v = self.product(VALUE, layer, model.keys(), h);
        let group = model.heads / model.kvheads;
        let one = |token: usize, query: usize| {
            let at = query / group * head..(query / group + 1) * head;
            let q = &q[token][query * head..(query + 1) * head];
            let [keys, values] = [&k, &v].map(|rows| rows[..=token].iter().map(|row| &row[at.clone()]));
            attended(q, keys, values)
        };
        in_parallel(h.len(), |token| {
            (0..model.heads).flat_map(|query| one(token, query)).collect()
        })
    }

    /// Every row of `x` times the transposed matrix of `rows` rows that a layer has.
    fn product(&self, tensor: usize, layer: usize, rows: usize, x: &Rows) -> Rows {
        let inner = x[0].len();
        product(x, rows, |row| self.row(tensor, layer * rows + row, inner))
    }

    fn row(&self, tensor: usize, row: usize, width: usize) -> Vec<f64> {
        let row = row * width..(row + 1) * width;
        f16s(self.tensors[tensor], row).map(f64::from).collect()
    }
}

/// Neighbours of a head turned by a token's angles, whose cosines and sines are those of `rope.f16.v1`.
pub(crate) fn turn(head: &mut [f64], turns: &[f32]) {
    for (pair, turn) in head.chunks_exact_mut(2).zip(turns.chunks_exact(2)) {
        let [cos, sin] = [turn[0], turn[1]].map(f64::from);
        let [a, b] = [pair[0], pair[1]];
        (pair[0], pair[1]) = (a * cos - b * sin, a * sin + b * cos);
    }
}

pub(crate) fn normed(x: &[f64], w: &[f64]) -> Vec<f64> {
    let square = dot(x, x) / x.len() as f64;
    let scale = 1.0 / (square + EPSILON).sqrt();
    x.iter().zip(w).map(|(x, w)| x * scale * w).collect()
}

fn added(mut x: Rows, y: &Rows) -> Rows {
    let pairs = x.iter_mut().flatten().zip(y.iter().flatten());
    pairs.for_each(|(x, y)| *x += y);
    x
}
