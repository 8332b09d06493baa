//! The authority for `attention.decode.f16.v1`: one query over all of its keys at once, in f64.

use attest::spec::Dims;

use super::{PAGE, Shape};
use crate::elements::{dot, f16s, u32s};
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let shape = Shape::of(dims);
    let (head, index) = (shape.head, row.index as usize);
    let sequence = index / shape.heads;
    let kvhead = index % shape.heads / shape.group();
    let q: Vec<f64> = wide(inputs[0], index * head, head).collect();
    let pages: Vec<u32> = u32s(
        inputs[3],
        sequence * shape.seqpages..(sequence + 1) * shape.seqpages,
    )
    .collect();
    let length = u32s(inputs[4], sequence..sequence + 1).next().unwrap_or_default() as usize;
    // Where the head of a token stands in both caches.
    let place = |token: usize| {
        let slot = pages[token / PAGE] as usize * dim(dims, "page") + token % PAGE;
        (slot * shape.kvheads + kvhead) * head
    };
    let scores: Vec<f64> = (0..length)
        .map(|token| dot(&q, wide(inputs[1], place(token), head)) / (head as f64).sqrt())
        .collect();
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.into_iter().map(|score| (score - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut mean = vec![0.0; head];
    for (token, weight) in weights.into_iter().enumerate() {
        let values = wide(inputs[2], place(token), head);
        for (mean, value) in mean.iter_mut().zip(values) {
            *mean += weight / total * value;
        }
    }
    mean
}

fn wide(halves: &[u8], first: usize, count: usize) -> impl ExactSizeIterator<Item = f64> {
    f16s(halves, first..first + count).map(f64::from)
}
