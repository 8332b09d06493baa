//! On the CPU: products by register tiles whose sums are rounded in order, all else by rows.

use attest::exact::llm::math::{LANES, exp, reciprocal, rsqrt, silu, trim};
use attest::exact::llm::{EPSILON, Shape};
use attest::spec::Dims;
use rayon::prelude::*;

use crate::product::{self, Tile};
use crate::wide::wide;

/// Columns whose sums stay in registers.
const COLUMNS: usize = 32;

/// Elements of one task of what is done element by element.
const STRIP: usize = 1 << 13;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let shape = Shape::of(dims).expect("sizes within the limits");
    let Shape { hidden, ffn, .. } = shape;
    let queries = shape.queries();
    let input = |index: usize| -> &[f32] { bytemuck::cast_slice(inputs[index]) };
    let [y, normed, heads, attended, change, middle, gates, ups, keys] = outputs else {
        unreachable!("one output and eight scratch buffers")
    };
    let [y, normed, heads, attended] = [y, normed, heads, attended].map(floats);
    let [change, middle, gates, ups, keys] = [change, middle, gates, ups, keys].map(floats);
    let product = |a: &[f32], b: usize, c: &mut [f32], n: usize, k: usize| {
        let m = shape.tokens;
        let c = bytemuck::cast_slice_mut(c);
        product::product::<f32>(product::Shape { m, n, k }, a, input(b), c, Tile::rounded());
    };

    norm(input(0), input(1), normed);
    product(normed, 2, heads, queries + 2 * shape.keys(), hidden);
    turn(&shape, input(3), heads);
    transpose(&shape, heads, keys);
    attend(&shape, heads, keys, attended);
    product(attended, 4, change, hidden, queries);
    sum(input(0), change, middle);
    norm(middle, input(5), normed);
    product(normed, 6, gates, ffn, hidden);
    product(normed, 7, ups, ffn, hidden);
    gates
        .par_chunks_mut(STRIP)
        .zip(ups.par_chunks(STRIP))
        .for_each(|(gates, ups)| gate(gates, ups));
    product(gates, 8, change, hidden, ffn);
    sum(middle, change, y);
}

fn floats<'a>(bytes: &'a mut &mut [u8]) -> &'a mut [f32] {
    bytemuck::cast_slice_mut(bytes)
}

fn norm(x: &[f32], weights: &[f32], y: &mut [f32]) {
    let rows = x.par_chunks(weights.len());
    y.par_chunks_mut(weights.len())
        .zip(rows)
        .for_each(|(y, x)| norm_row(x, weights, y));
}

wide! {
    fn norm_row(x: &[f32], weights: &[f32], y: &mut [f32]) {
        let share = reciprocal(weights.len() as f32);
        let mut lanes = [0.0; LANES];
        for x in x.chunks(LANES) {
            for (lane, &x) in lanes.iter_mut().zip(x) {
                *lane += trim(x) * trim(x);
            }
        }
        let factor = rsqrt(total(lanes) * share + EPSILON);
        for ((y, &x), weight) in y.iter_mut().zip(x).zip(weights) {
            *y = trim(trim(x) * factor * weight);
        }
    }
}

/// The tree over the lanes.
#[inline(always)]
fn total(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        let (low, high) = lanes.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(&*high) {
            *low += high;
        }
        half /= 2;
    }
    lanes[0]
}

/// Turns queries and keys, scales queries, trims values.
fn turn(shape: &Shape, turns: &[f32], heads: &mut [f32]) {
    let (queries, keys) = (shape.queries(), shape.keys());
    let factor = rsqrt(shape.width as f32);
    let rows = heads.par_chunks_mut(queries + 2 * keys);
    rows.zip(turns.par_chunks(shape.width)).for_each(|(row, turns)| {
        let (turned, values) = row.split_at_mut(queries + keys);
        let turns = turns.as_chunks().0.iter().cycle();
        for (pair, [cos, sin]) in turned.as_chunks_mut().0.iter_mut().zip(turns) {
            let [a, b] = pair.map(trim);
            *pair = [trim(a * cos + -(b * sin)), trim(a * sin + b * cos)];
        }
        for query in &mut turned[..queries] {
            *query = trim(*query * factor);
        }
        for value in values {
            *value = trim(*value);
        }
    });
}

/// Keys with tokens side by side: `[kv][element][token]`.
fn transpose(shape: &Shape, heads: &[f32], keys: &mut [f32]) {
    let pitch = shape.queries() + 2 * shape.keys();
    let columns = keys.par_chunks_mut(shape.tokens).enumerate();
    columns.for_each(|(column, keys)| {
        let column = heads[shape.queries() + column..].iter().step_by(pitch);
        for (key, value) in keys.iter_mut().zip(column) {
            *key = *value;
        }
    });
}

fn attend(shape: &Shape, heads: &[f32], keys: &[f32], attended: &mut [f32]) {
    let Shape { tokens, width, .. } = *shape;
    let pitch = shape.queries() + 2 * shape.keys();
    let rows = attended.par_chunks_mut(width).enumerate();
    rows.for_each_init(
        || vec![0.0; tokens],
        |scores, (place, output)| {
            let (token, head) = (place / shape.heads, place % shape.heads);
            let group = head / (shape.heads / shape.kv);
            let query = &heads[token * pitch + head * width..][..width];
            let scores = &mut scores[..=token];
            combine(query, &keys[group * width * tokens..], tokens, scores);
            softmax(scores);
            let values = shape.queries() + shape.keys() + group * width;
            combine(scores, &heads[values..], pitch, output);
            output.iter_mut().for_each(|value| *value = trim(*value));
        },
    );
}

wide! {
    /// The sum of `factors` times rows of a matrix, `pitch` apart, from +0 in ascending order.
    fn combine(factors: &[f32], matrix: &[f32], pitch: usize, output: &mut [f32]) {
        let (blocks, rest) = output.as_chunks_mut::<COLUMNS>();
        let first_of_rest = blocks.len() * COLUMNS;
        for (index, block) in blocks.iter_mut().enumerate() {
            let mut sums = [0.0; COLUMNS];
            for (row, factor) in factors.iter().enumerate() {
                let row = &matrix[row * pitch + index * COLUMNS..][..COLUMNS];
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += factor * value;
                }
            }
            *block = sums;
        }
        rest.fill(0.0);
        for (row, factor) in factors.iter().enumerate() {
            let row = &matrix[row * pitch + first_of_rest..][..rest.len()];
            for (sum, value) in rest.iter_mut().zip(row) {
                *sum += factor * value;
            }
        }
    }
}

wide! {
    fn softmax(scores: &mut [f32]) {
        let larger = |a: f32, &b: &f32| if b > a { b } else { a };
        let largest = scores.iter().fold(f32::NEG_INFINITY, larger);
        let mut lanes = [0.0; LANES];
        for scores in scores.chunks_mut(LANES) {
            for (lane, score) in lanes.iter_mut().zip(scores) {
                *score = exp(*score + -largest);
                *lane += *score;
            }
        }
        let factor = reciprocal(total(lanes));
        for score in scores {
            *score = trim(*score * factor);
        }
    }
}

wide! {
    fn gate(gates: &mut [f32], ups: &[f32]) {
        for (gate, &up) in gates.iter_mut().zip(ups) {
            *gate = trim(silu(*gate) * trim(up));
        }
    }
}

fn sum(a: &[f32], b: &[f32], y: &mut [f32]) {
    let strips = a.par_chunks(STRIP).zip(b.par_chunks(STRIP));
    y.par_chunks_mut(STRIP).zip(strips).for_each(|(y, (a, b))| {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = a + b;
        }
    });
}
