//! The authority for `attention.prefill.f16.v1`: scores, softmax and sums in f64, one query at a time.

use attest::spec::Dims;

use super::Sizes;
use crate::elements::{dot, f16s};
use crate::workload::Row;

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let sizes = Sizes::of(dims);
    let (head, index) = (sizes.head, row.index as usize);
    let (token, kvhead) = (index / sizes.heads, index % sizes.heads / sizes.group());
    let vector =
        |input: usize, index: usize| f16s(inputs[input], index * head..(index + 1) * head).map(f64::from);
    let key = |token: usize| token * sizes.kvheads + kvhead;
    let q: Vec<f64> = vector(0, index).collect();
    let scores: Vec<f64> = (0..=token)
        .map(|seen| dot(&q, vector(1, key(seen))) / (head as f64).sqrt())
        .collect();
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut total, mut sums) = (0.0, vec![0.0; head]);
    for (seen, score) in scores.into_iter().enumerate() {
        let weight = (score - top).exp();
        total += weight;
        for (sum, v) in sums.iter_mut().zip(vector(2, key(seen))) {
            *sum += weight * v;
        }
    }
    sums.into_iter().map(|sum| sum / total).collect()
}
