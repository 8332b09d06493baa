//! The authority for `llm.decode.v1`: one token in f64, from the weights as they are stored, nothing narrowed or rounded in
//! between.

use attest::spec::Dims;

use super::BLOCK;
use super::stages::*;
use crate::attention_decode_f16::PAGE;
use crate::elements::{f16s, f32s, u32s};
use crate::forward::{dot, in_parallel};
use crate::llama::{Model, normed, turn};
use crate::workload::dim;

pub(super) fn outputs(dims: &Dims, inputs: &[&[u8]]) -> Vec<Vec<f64>> {
    Step::of(dims, inputs).outputs()
}

struct Step<'a> {
    model: Model,
    inputs: &'a [&'a [u8]],
    turns: Vec<f32>,
    /// Where each token of the cache stands, in tokens.
    places: Vec<usize>,
    /// Tokens for which a layer's cache has room.
    room: usize,
}

impl<'a> Step<'a> {
    fn of(dims: &Dims, inputs: &'a [&'a [u8]]) -> Self {
        let model = Model::of(dims);
        let pages: Vec<u32> = u32s(inputs[TABLE], 0..dim(dims, "seqpages")).collect();
        let length = u32s(inputs[LENGTHS], 0..1).next().unwrap_or_default() as usize;
        let place = |token: usize| pages[token / PAGE] as usize * PAGE + token % PAGE;
        Self {
            model,
            inputs,
            turns: f32s(inputs[TURNS], 0..model.head).collect(),
            places: (0..length).map(place).collect(),
            room: dim(dims, "pages") * PAGE,
        }
    }

    /// Logits, the keys of all layers, the values.
    fn outputs(&self) -> Vec<Vec<f64>> {
        let Model {
            layers,
            hidden,
            ffn,
            vocab,
            ..
        } = self.model;
        let id = u32s(self.inputs[IDS], 0..1).next().unwrap_or_default() as usize;
        let mut x = self.halves(EMBEDDING, id, hidden);
        let (mut keys, mut values) = (vec![], vec![]);
        for layer in 0..layers {
            let h = normed(&x, &self.halves(ATTENTION_NORM, layer, hidden));
            let [mut q, mut k] = [(QUERY, self.model.queries()), (KEY, self.model.keys())]
                .map(|(matrix, rows)| self.product(matrix, layer, rows, &h));
            let v = self.product(VALUE, layer, self.model.keys(), &h);
            for head in [&mut q, &mut k]
                .into_iter()
                .flat_map(|all| all.chunks_exact_mut(self.model.head))
            {
                turn(head, &self.turns);
            }
            let attended = self.attention(layer, &q, [&k, &v]);
            add(&mut x, &self.product(OUT, layer, hidden, &attended));
            let h = normed(&x, &self.halves(FFN_NORM, layer, hidden));
            let [gate, up] = [GATE, UP].map(|matrix| self.product(matrix, layer, ffn, &h));
            let gated = { gate.into_iter().zip(up) }.map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up);
            add(
                &mut x,
                &self.product(DOWN, layer, hidden, &gated.collect::<Vec<_>>()),
            );
            keys.extend(k);
            values.extend(v);
        }
        let h = normed(&x, &self.halves(NORM, 0, hidden));
        vec![self.product(LOGITS, 0, vocab, &h), keys, values]
    }

    /// Every query over the cache and the new token.
    fn attention(&self, layer: usize, q: &[f64], new: [&[f64]; 2]) -> Vec<f64> {
        let Model {
            heads, kvheads, head, ..
        } = self.model;
        let one = |query: usize| {
            let kvhead = query / (heads / kvheads);
            let tokens = |cache: usize, new: &[f64]| -> Vec<Vec<f64>> {
                let place = |place: &usize| (layer * self.room + place) * kvheads + kvhead;
                let cached = self.places.iter().map(|at| self.halves(cache, place(at), head));
                cached
                    .chain([new[kvhead * head..(kvhead + 1) * head].to_vec()])
                    .collect()
            };
            let q = &q[query * head..(query + 1) * head];
            let scores = tokens(KPAGES, new[0])
                .into_iter()
                .map(|k| dot(q, &k) / (head as f64).sqrt());
            let scores: Vec<f64> = scores.collect();
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
            let sum: f64 = weights.iter().sum();
            let mut mean = vec![0.0; head];
            for (weight, v) in weights.iter().zip(tokens(VPAGES, new[1])) {
                let values = mean.iter_mut().zip(v);
                values.for_each(|(mean, v)| *mean += weight / sum * v);
            }
            mean
        };
        in_parallel(heads, one).concat()
    }

    /// A layer's matrix of `rows` rows times `x`.
    fn product(&self, matrix: usize, layer: usize, rows: usize, x: &[f64]) -> Vec<f64> {
        let blocks = x.len() / BLOCK;
        in_parallel(rows, |row| {
            dot(&self.weights(matrix, layer * rows + row, blocks), x)
        })
    }

    /// A row of a matrix: see `gemv.q4.v1`.
    fn weights(&self, matrix: usize, row: usize, blocks: usize) -> Vec<f64> {
        const BYTES: usize = BLOCK / 2;
        let bytes = self.inputs[matrix][row * blocks * BYTES..][..blocks * BYTES].chunks_exact(BYTES);
        let mut weights = Vec::with_capacity(blocks * BLOCK);
        for (bytes, scale) in bytes.zip(self.halves(matrix + 1, row, blocks)) {
            let weight = |nibble: u8| (f64::from(nibble) - 8.0) * scale;
            weights.extend(bytes.iter().map(|byte| weight(byte & 15)));
            weights.extend(bytes.iter().map(|byte| weight(byte >> 4)));
        }
        weights
    }

    fn halves(&self, input: usize, row: usize, width: usize) -> Vec<f64> {
        f16s(self.inputs[input], row * width..(row + 1) * width)
            .map(f64::from)
            .collect()
    }
}

fn add(x: &mut [f64], y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}
