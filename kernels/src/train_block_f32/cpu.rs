//! On the CPU: the launches of a GPU one by one, products by [`product`] on operands turned to lie along k.

use attest::spec::Dims;
use rayon::prelude::*;

use super::buffers::COUNT;
use super::{EPSILON, Sizes};
use crate::exp::exp;
use crate::product::{Shape, Tile, product};
use crate::wide::{maximum, sum_of, wide};

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = Sizes::of(dims);
    let inputs: Vec<&[f32]> = inputs.iter().map(|input| bytemuck::cast_slice(input)).collect();
    let [x, dy, table, norm1, wq, wk, wv, wo, norm2, gate, up, down] = inputs[..] else {
        unreachable!("the specification has twelve inputs")
    };
    let mut arrays = outputs
        .iter_mut()
        .map(|output| bytemuck::cast_slice_mut::<u8, f32>(output));
    let made: [&mut [f32]; OUTPUTS] = std::array::from_fn(|_| arrays.next().expect("the outputs"));
    let scratch: [&mut [f32]; COUNT] = std::array::from_fn(|_| arrays.next().expect("the plan's scratch"));
    let [y, dx, dnorm1, dwq, dwk, dwv, dwo, dnorm2, dgate, dup, ddown] = made;
    let [
        normal1,
        scale1,
        flat,
        flat_kv,
        query,
        key,
        value,
        probability,
        attention,
        middle,
        normal2,
        scale2,
        gated,
        upped,
        inner,
        dinner,
        dnormal,
        dmiddle,
        dattention,
        dscore,
        dquery,
        dkey,
        dvalue,
        turned_a,
        turned_b,
    ] = scratch;
    let (tokens, hidden) = (sizes.tokens, sizes.hidden);
    let (wide_q, wide_k) = (sizes.heads * sizes.width, sizes.kvheads * sizes.width);
    let mut products = Products { turned_a, turned_b };
    let heads = |count| Heads {
        tokens,
        count,
        width: sizes.width,
    };
    let (queries, keys) = (heads(sizes.heads), heads(sizes.kvheads));
    let factor = sizes.factor() as f32;

    norm(x, norm1, normal1, scale1, hidden);
    products.project(normal1, wq, flat, wide_q);
    queries.to_heads(flat, query, Some(table));
    products.project(normal1, wk, flat_kv, wide_k);
    keys.to_heads(flat_kv, key, Some(table));
    products.project(normal1, wv, flat_kv, wide_k);
    keys.to_heads(flat_kv, value, None);
    products.scores(sizes, query, key, probability);
    softmax(probability, tokens, factor);
    products.weighted(sizes, probability, value, dattention);
    queries.to_tokens(dattention, attention, None);
    products.project(attention, wo, middle, hidden);
    add(middle, x);
    norm(middle, norm2, normal2, scale2, hidden);
    products.project(normal2, gate, gated, sizes.inner);
    products.project(normal2, up, upped, sizes.inner);
    strips([inner], [gated, upped], |[inner], [gate, up]| {
        swiglu(inner, gate, up);
    });
    products.project(inner, down, y, hidden);
    add(y, middle);

    products.back(dy, down, dinner, hidden);
    products.gradient(dy, inner, ddown, tokens);
    strips([gated, upped], [dinner], |[gate, up], [dy]| {
        swiglu_back(gate, up, dy);
    });
    products.gradient(gated, normal2, dgate, tokens);
    products.gradient(upped, normal2, dup, tokens);
    products.back(gated, gate, dnormal, sizes.inner);
    products.back(upped, up, dmiddle, sizes.inner);
    add(dnormal, dmiddle);
    norm_weight(dnormal, middle, scale2, dnorm2);
    norm_back(dnormal, middle, scale2, norm2, dy, dmiddle);

    products.gradient(dmiddle, attention, dwo, tokens);
    products.back(dmiddle, wo, flat, hidden);
    queries.to_heads(flat, dattention, None);
    products.scores(sizes, dattention, value, dscore);
    products.gathered(sizes, probability, dattention, dvalue);
    softmax_back(probability, dscore, tokens, factor);
    products.weighted(sizes, dscore, key, dquery);
    products.gathered(sizes, dscore, query, dkey);
    queries.to_tokens(dquery, flat, Some(table));
    products.gradient(flat, normal1, dwq, tokens);
    products.back(flat, wq, dnormal, wide_q);
    for (gradient, turns, weight, dweight) in [(dkey, Some(table), wk, dwk), (dvalue, None, wv, dwv)] {
        keys.to_tokens(gradient, flat_kv, turns);
        products.gradient(flat_kv, normal1, dweight, tokens);
        products.back(flat_kv, weight, normal2, wide_k);
        add(dnormal, normal2);
    }
    norm_weight(dnormal, x, scale1, dnorm1);
    norm_back(dnormal, x, scale1, norm1, dmiddle, dx);
}

const OUTPUTS: usize = 11;

/// Elements of one task of elementwise work.
const STRIP: usize = 1 << 14;

/// Products, and memory for operands that must be transposed.
struct Products<'a> {
    turned_a: &'a mut [f32],
    turned_b: &'a mut [f32],
}

impl Products<'_> {
    /// Rows of x times the `to` rows of a weight.
    fn project(&self, x: &[f32], weight: &[f32], y: &mut [f32], to: usize) {
        along_k(x, weight, y, y.len() / to, to);
    }

    /// Rows of dy, `from` columns, times the `from` rows of a weight.
    fn back(&mut self, dy: &[f32], weight: &[f32], dx: &mut [f32], from: usize) {
        let to = weight.len() / from;
        let weight = transpose(weight, to, self.turned_b);
        along_k(dy, weight, dx, dy.len() / from, to);
    }

    /// Columns of dy times columns of x, both of `rows` rows.
    fn gradient(&mut self, dy: &[f32], x: &[f32], dw: &mut [f32], rows: usize) {
        let (m, n) = (dy.len() / rows, x.len() / rows);
        let dy = transpose(dy, m, self.turned_a);
        along_k(dy, transpose(x, n, self.turned_b), dw, m, n);
    }

    /// Each head's rows of `a` times those of its group's `b`.
    fn scores(&self, sizes: Sizes, a: &[f32], b: &[f32], c: &mut [f32]) {
        let (tokens, one) = (sizes.tokens, sizes.tokens * sizes.width);
        let heads = a.chunks(one).zip(c.chunks_mut(tokens * tokens));
        for (head, (a, c)) in heads.enumerate() {
            along_k(a, part(b, one, head / sizes.group()), c, tokens, tokens);
        }
    }

    /// Each head's scores times the rows of its group's `b`.
    fn weighted(&mut self, sizes: Sizes, scores: &[f32], b: &[f32], c: &mut [f32]) {
        let (tokens, one) = (sizes.tokens, sizes.tokens * sizes.width);
        let heads = scores.chunks(tokens * tokens).zip(c.chunks_mut(one));
        for (head, (scores, c)) in heads.enumerate() {
            let b = transpose(part(b, one, head / sizes.group()), sizes.width, self.turned_b);
            along_k(scores, b, c, tokens, sizes.width);
        }
    }

    /// Transposed scores of a group's heads times their rows of `b`, summed.
    fn gathered(&mut self, sizes: Sizes, scores: &[f32], b: &[f32], c: &mut [f32]) {
        let rows = sizes.group() * sizes.tokens;
        let groups = scores
            .chunks(rows * sizes.tokens)
            .zip(b.chunks(rows * sizes.width));
        for ((scores, b), c) in groups.zip(c.chunks_mut(sizes.tokens * sizes.width)) {
            self.gradient(scores, b, c, rows);
        }
    }
}

fn part(x: &[f32], elements: usize, index: usize) -> &[f32] {
    &x[index * elements..(index + 1) * elements]
}

/// C of `m * n` from `m` rows of A and `n` rows of B.
fn along_k(a: &[f32], b: &[f32], c: &mut [f32], m: usize, n: usize) {
    let k = a.len() / m;
    product::<f32>(
        Shape { m, n, k },
        a,
        b,
        bytemuck::cast_slice_mut(c),
        Tile::fused(),
    );
}

/// The columns of a matrix as rows.
fn transpose<'a>(from: &[f32], columns: usize, to: &'a mut [f32]) -> &'a [f32] {
    const BLOCK: usize = 16;
    let rows = from.len() / columns;
    let to = &mut to[..from.len()];
    to.par_chunks_mut(BLOCK * rows)
        .enumerate()
        .for_each(|(block, to)| {
            let first = block * BLOCK;
            for start in (0..rows).step_by(BLOCK) {
                let end = rows.min(start + BLOCK);
                for (column, to) in to.chunks_mut(rows).enumerate() {
                    for (row, to) in (start..end).zip(&mut to[start..end]) {
                        *to = from[row * columns + first + column];
                    }
                }
            }
        });
    to
}

/// Heads that stand side by side in rows of tokens, or one matrix after the other.
#[derive(Clone, Copy)]
struct Heads {
    tokens: usize,
    count: usize,
    width: usize,
}

impl Heads {
    /// Turned forwards where there is a table.
    fn to_heads(self, from: &[f32], to: &mut [f32], table: Option<&[f32]>) {
        to.par_chunks_mut(self.width).enumerate().for_each(|(index, to)| {
            let (head, token) = (index / self.tokens, index % self.tokens);
            to.copy_from_slice(part(from, self.width, token * self.count + head));
            if let Some(table) = table {
                turn(to, part(table, self.width, token), 1.0);
            }
        });
    }

    /// Turned backwards where there is a table.
    fn to_tokens(self, from: &[f32], to: &mut [f32], table: Option<&[f32]>) {
        to.par_chunks_mut(self.width).enumerate().for_each(|(index, to)| {
            let (token, head) = (index / self.count, index % self.count);
            to.copy_from_slice(part(from, self.width, head * self.tokens + token));
            if let Some(table) = table {
                turn(to, part(table, self.width, token), -1.0);
            }
        });
    }
}

fn turn(head: &mut [f32], angles: &[f32], direction: f32) {
    for (pair, angle) in head.chunks_exact_mut(2).zip(angles.chunks_exact(2)) {
        let (a, b, cosine, sine) = (pair[0], pair[1], angle[0], direction * angle[1]);
        pair[0] = a * cosine - b * sine;
        pair[1] = a * sine + b * cosine;
    }
}

/// x += y
fn add(x: &mut [f32], y: &[f32]) {
    strips([x], [y], |[x], [y]| {
        x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
    });
}

/// `f` on strips of arrays of one length.
fn strips<const M: usize, const N: usize>(
    targets: [&mut [f32]; M],
    sources: [&[f32]; N],
    f: impl Fn([&mut [f32]; M], [&[f32]; N]) + Sync,
) {
    let count = targets[0].len().div_ceil(STRIP);
    let mut targets = targets.map(|target| target.chunks_mut(STRIP));
    let strips: Vec<[&mut [f32]; M]> = (0..count)
        .map(|_| {
            targets
                .each_mut()
                .map(|target| target.next().expect("one length"))
        })
        .collect();
    strips.into_par_iter().enumerate().for_each(|(index, targets)| {
        let range = index * STRIP..index * STRIP + targets[0].len();
        f(targets, sources.map(|source| &source[range.clone()]));
    });
}

fn norm(x: &[f32], weight: &[f32], y: &mut [f32], scale: &mut [f32], cols: usize) {
    let rows = x.par_chunks(cols).zip(y.par_chunks_mut(cols));
    rows.zip(scale)
        .for_each(|((x, y), scale)| *scale = norm_row(x, weight, y));
}

wide! {
    fn norm_row(x: &[f32], weight: &[f32], y: &mut [f32]) -> f32 {
        let mean = sum_of(x, |x| x * x) / x.len() as f64;
        let scale = (1.0 / (mean + EPSILON).sqrt()) as f32;
        for (y, (x, weight)) in y.iter_mut().zip(x.iter().zip(weight)) {
            *y = x * scale * weight;
        }
        scale
    }
}

fn norm_back(dy: &[f32], x: &[f32], scale: &[f32], weight: &[f32], more: &[f32], dx: &mut [f32]) {
    let cols = weight.len();
    let rows = dy.par_chunks(cols).zip(x.par_chunks(cols)).zip(scale);
    let targets = more.par_chunks(cols).zip(dx.par_chunks_mut(cols));
    rows.zip(targets)
        .for_each(|(((dy, x), &scale), (more, dx))| norm_back_row(dy, x, scale, weight, more, dx));
}

wide! {
    fn norm_back_row(dy: &[f32], x: &[f32], scale: f32, weight: &[f32], more: &[f32], dx: &mut [f32]) {
        for (dx, ((dy, x), weight)) in dx.iter_mut().zip(dy.iter().zip(x).zip(weight)) {
            *dx = dy * weight * (x * scale);
        }
        let mean = (sum_of(dx, |product| product) / x.len() as f64) as f32;
        let sources = dy.iter().zip(x).zip(weight.iter().zip(more));
        for (dx, ((dy, x), (weight, more))) in dx.iter_mut().zip(sources) {
            *dx = more + scale * (dy * weight - x * scale * mean);
        }
    }
}

/// Sums over the rows, by strips of columns.
fn norm_weight(dy: &[f32], x: &[f32], scale: &[f32], dw: &mut [f32]) {
    const COLUMNS: usize = 128;
    let cols = dw.len();
    dw.par_chunks_mut(COLUMNS).enumerate().for_each(|(strip, dw)| {
        let range = strip * COLUMNS..strip * COLUMNS + dw.len();
        dw.fill(0.0);
        for ((dy, x), scale) in dy.chunks(cols).zip(x.chunks(cols)).zip(scale) {
            for (dw, (dy, x)) in dw.iter_mut().zip(dy[range.clone()].iter().zip(&x[range.clone()])) {
                *dw += dy * (x * scale);
            }
        }
    });
}

/// Of scores times `factor`: row i of a head keeps its first i + 1 columns.
fn softmax(scores: &mut [f32], tokens: usize, factor: f32) {
    scores
        .par_chunks_mut(tokens)
        .enumerate()
        .for_each(|(row, scores)| {
            let (seen, unseen) = scores.split_at_mut(row % tokens + 1);
            unseen.fill(0.0);
            softmax_row(seen, factor);
        });
}

wide! {
    fn softmax_row(x: &mut [f32], factor: f32) {
        let top = maximum(x);
        for x in x.iter_mut() {
            *x = exp((*x - top) * factor);
        }
        let share = (1.0 / sum_of(x, |x| x)) as f32;
        for x in x {
            *x *= share;
        }
    }
}

/// In place, times `factor`.
fn softmax_back(probability: &[f32], dscore: &mut [f32], tokens: usize, factor: f32) {
    let rows = probability.par_chunks(tokens).zip(dscore.par_chunks_mut(tokens));
    rows.for_each(|(p, dx)| softmax_back_row(p, dx, factor));
}

wide! {
    fn softmax_back_row(p: &[f32], dx: &mut [f32], factor: f32) {
        for (dx, p) in dx.iter_mut().zip(p) {
            *dx *= p;
        }
        let sum = sum_of(dx, |product| product) as f32;
        for (dx, p) in dx.iter_mut().zip(p) {
            *dx = (*dx - p * sum) * factor;
        }
    }
}

wide! {
    fn swiglu(inner: &mut [f32], gate: &[f32], up: &[f32]) {
        for (inner, (gate, up)) in inner.iter_mut().zip(gate.iter().zip(up)) {
            *inner = gate / (1.0 + exp(-gate)) * up;
        }
    }
}

wide! {
    /// Gate and up become their gradients.
    fn swiglu_back(gate: &mut [f32], up: &mut [f32], dy: &[f32]) {
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            let share = 1.0 / (1.0 + exp(-*gate));
            let dgate = dy * *up * (share * (1.0 + *gate * (1.0 - share)));
            *up = dy * (*gate * share);
            *gate = dgate;
        }
    }
}
