//! The same block in f64 by division, roots and a library's functions: what it stands for.

use super::{Block, Shape};

/// The whole output.
pub(super) fn output(block: &Block<'_>) -> Vec<f64> {
    let Shape {
        hidden,
        heads,
        width,
        ffn,
        ..
    } = block.shape;
    let t = &block.tensors;
    let x: Vec<f64> = t.x.iter().map(|&value| f64::from(value)).collect();
    let qkv = product(&norm(&x, &t.attention_norm), &t.qkv, hidden);
    let attended = attention(block.shape, &qkv);
    let x = plus(&x, &product(&attended, &t.out, heads * width));
    let h = norm(&x, &t.ffn_norm);
    let [gate, up] = [&t.gate, &t.up].map(|weights| product(&h, weights, hidden));
    let silu = |gate: f64| gate / (1.0 + (-gate).exp());
    let f: Vec<f64> = { gate.into_iter().zip(up) }
        .map(|(gate, up)| silu(gate) * up)
        .collect();
    plus(&x, &product(&f, &t.down, ffn))
}

/// Rows of `k` times the transposed matrix `b`.
fn product(a: &[f64], b: &[f32], k: usize) -> Vec<f64> {
    let cell =
        |row: &[f64], column: &[f32]| -> f64 { row.iter().zip(column).map(|(a, &b)| a * f64::from(b)).sum() };
    let rows = a.chunks(k);
    rows.flat_map(|row| b.chunks(k).map(move |column| cell(row, column)))
        .collect()
}

fn norm(x: &[f64], weights: &[f32]) -> Vec<f64> {
    let row = |row: &[f64]| {
        let root = (row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64 + 1e-5).sqrt();
        let scaled = row.iter().zip(weights);
        scaled
            .map(|(x, &weight)| x / root * f64::from(weight))
            .collect::<Vec<f64>>()
    };
    x.chunks(weights.len()).flat_map(row).collect()
}

/// Outputs of all heads of queries, from the rows of queries, keys and values.
fn attention(shape: Shape, qkv: &[f64]) -> Vec<f64> {
    let Shape {
        tokens,
        heads,
        kv,
        width,
        ..
    } = shape;
    let row = (heads + 2 * kv) * width;
    let head_of = |token: usize, head: usize| &qkv[token * row + head * width..][..width];
    let mut attended = Vec::with_capacity(tokens * heads * width);
    for (token, head) in (0..tokens).flat_map(|token| (0..heads).map(move |head| (token, head))) {
        let group = head / (heads / kv);
        let q = turned(head_of(token, head), token);
        let score = |j: usize| -> f64 {
            let key = turned(head_of(j, heads + group), j);
            q.iter().zip(key).map(|(q, k)| q * k).sum::<f64>() / (width as f64).sqrt()
        };
        let powers: Vec<f64> = (0..=token).map(|j| score(j).exp()).collect();
        let total: f64 = powers.iter().sum();
        let share = |d: usize| (0..=token).map(move |j| (j, d));
        let of = |(j, d): (usize, usize)| powers[j] / total * head_of(j, heads + kv + group)[d];
        attended.extend((0..width).map(|d| share(d).map(of).sum::<f64>()));
    }
    attended
}

/// Each pair of neighbours of a head, turned by the angle of its token and place.
fn turned(head: &[f64], token: usize) -> Vec<f64> {
    let pair = |i: usize| {
        let angle = token as f64 * 500_000f64.powf(-2.0 * i as f64 / head.len() as f64);
        let (a, b) = (head[2 * i], head[2 * i + 1]);
        [
            a * angle.cos() - b * angle.sin(),
            a * angle.sin() + b * angle.cos(),
        ]
    };
    (0..head.len() / 2).flat_map(pair).collect()
}

fn plus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
