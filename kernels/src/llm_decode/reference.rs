//! The authority for `llm.decode.v2`: one token of each sequence in f64, from the weights as they are stored, nothing narrowed or rounded in
//! between.

use attest::spec::Dims;

use super::BLOCK;
use super::stages::*;
use crate::attention_decode_f16::PAGE;
use crate::elements::{f16s, f32s, u32s};
use crate::forward::{Rows, attended, in_parallel, product};
use crate::llama::{Model, normed, turn};
use crate::workload::dim;

pub(super) fn outputs(dims: &Dims, inputs: &[&[u8]]) -> Vec<Vec<f64>> {
    Step::of(dims, inputs).outputs()
}

struct Step<'a> {
    model: Model,
    inputs: &'a [&'a [u8]],
    ids: Vec<u32>,
    /// Of each sequence its row.
    turns: Vec<f32>,
    /// Where each token of each sequence's cache stands, in tokens.
    places: Vec<Vec<usize>>,
    /// Tokens for which a layer's cache has room.
    room: usize,
}

impl<'a> Step<'a> {
    fn of(dims: &Dims, inputs: &'a [&'a [u8]]) -> Self {
        let model = Model::of(dims);
        let [batch, seqpages] = ["batch", "seqpages"].map(|name| dim(dims, name));
        let pages: Vec<u32> = u32s(inputs[TABLE], 0..batch * seqpages).collect();
        let places = |(pages, length): (&[u32], u32)| {
            let place = |token: usize| pages[token / PAGE] as usize * PAGE + token % PAGE;
            (0..length as usize).map(place).collect()
        };
        Self {
            model,
            inputs,
            ids: u32s(inputs[IDS], 0..batch).collect(),
            turns: f32s(inputs[TURNS], 0..batch * model.head).collect(),
            places: pages
                .chunks(seqpages)
                .zip(u32s(inputs[LENGTHS], 0..batch))
                .map(places)
                .collect(),
            room: dim(dims, "pages") * PAGE,
        }
    }

    /// Logits, the keys of all layers, the values, of every sequence in each.
    fn outputs(&self) -> Vec<Vec<f64>> {
        let Model {
            layers,
            hidden,
            ffn,
            vocab,
            ..
        } = self.model;
        let embedded = |&id: &u32| self.halves(EMBEDDING, id as usize, hidden);
        let mut x: Rows = self.ids.iter().map(embedded).collect();
        let (mut keys, mut values) = (vec![], vec![]);
        for layer in 0..layers {
            let h = self.normed(&x, ATTENTION_NORM, layer);
            let [q, k] = [(QUERY, self.model.queries()), (KEY, self.model.keys())]
                .map(|(matrix, rows)| self.turned(self.product(matrix, layer, rows, &h)));
            let v = self.product(VALUE, layer, self.model.keys(), &h);
            let attended = { q.iter().zip(&k).zip(&v).enumerate() }
                .map(|(sequence, ((q, k), v))| self.attention(layer, sequence, q, [k, v]))
                .collect();
            add(&mut x, &self.product(OUT, layer, hidden, &attended));
            let h = self.normed(&x, FFN_NORM, layer);
            let [gate, up] = [GATE, UP].map(|matrix| self.product(matrix, layer, ffn, &h));
            let gated = gate.into_iter().zip(up).map(|(gate, up)| {
                let pairs = gate.into_iter().zip(up);
                pairs
                    .map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up)
                    .collect()
            });
            let gated: Rows = gated.collect();
            add(&mut x, &self.product(DOWN, layer, hidden, &gated));
            keys.extend(k.concat());
            values.extend(v.concat());
        }
        let h = self.normed(&x, NORM, 0);
        vec![self.product(LOGITS, 0, vocab, &h).concat(), keys, values]
    }

    fn normed(&self, x: &Rows, weights: usize, layer: usize) -> Rows {
        let weights = self.halves(weights, layer, self.model.hidden);
        x.iter().map(|x| normed(x, &weights)).collect()
    }

    fn turned(&self, mut rows: Rows) -> Rows {
        let head = self.model.head;
        for (row, turns) in rows.iter_mut().zip(self.turns.chunks_exact(head)) {
            row.chunks_exact_mut(head).for_each(|head| turn(head, turns));
        }
        rows
    }

    /// Every query of a sequence over its cache and its new token.
    fn attention(&self, layer: usize, sequence: usize, q: &[f64], new: [&[f64]; 2]) -> Vec<f64> {
        let Model {
            heads, kvheads, head, ..
        } = self.model;
        let one = |query: usize| {
            let kvhead = query / (heads / kvheads);
            let tokens = |cache: usize, new: &[f64]| -> Rows {
                let place = |place: &usize| (layer * self.room + place) * kvheads + kvhead;
                let cached = self.places[sequence]
                    .iter()
                    .map(|at| self.halves(cache, place(at), head));
                cached
                    .chain([new[kvhead * head..(kvhead + 1) * head].to_vec()])
                    .collect()
            };
            let (keys, values) = (tokens(KPAGES, new[0]), tokens(VPAGES, new[1]));
            let q = &q[query * head..(query + 1) * head];
            attended(
                q,
                keys.iter().map(Vec::as_slice),
                values.iter().map(Vec::as_slice),
            )
        };
        in_parallel(heads, one).concat()
    }

    /// A layer's matrix of `rows` rows times every row of `x`.
    fn product(&self, matrix: usize, layer: usize, rows: usize, x: &Rows) -> Rows {
        let blocks = x[0].len() / BLOCK;
        product(x, rows, |row| self.weights(matrix, layer * rows + row, blocks))
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

fn add(x: &mut [Vec<f64>], y: &[Vec<f64>]) {
    let pairs = x.iter_mut().flatten().zip(y.iter().flatten());
    pairs.for_each(|(x, y)| *x += y);
}
