//! The authority for `sampling.topk.v1`: columns sorted by their logits, weights by the definition's integers.

use attest::spec::Dims;
use rayon::prelude::*;

use super::{drawn, logits_of};
use crate::elements::u32s;
use crate::workload::{Row, VECTOR_ROW, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let (index, rows) = (row.index as usize, dim(dims, "rows"));
    if row.output == 0 {
        let (logits, _) = logits_of(dims, inputs, index);
        return largest(&logits, dim(dims, "k"))
            .into_iter()
            .map(f64::from)
            .collect();
    }
    let first = index * VECTOR_ROW as usize;
    let tokens = (first..rows.min(first + VECTOR_ROW as usize)).into_par_iter();
    tokens.map(|row| f64::from(token(dims, inputs, row))).collect()
}

fn token(dims: &Dims, inputs: &[&[u8]], row: usize) -> u32 {
    let (logits, scale) = logits_of(dims, inputs, row);
    let columns = largest(&logits, dim(dims, "k"));
    let draw = u32s(inputs[2], row..row + 1).next().expect("one a row");
    let logits = columns.iter().map(|&column| logits[column as usize]);
    columns[drawn(logits, scale, draw)]
}

/// Columns of the `k` largest.
fn largest(logits: &[f32], k: usize) -> Vec<u32> {
    let mut columns: Vec<u32> = (0..logits.len() as u32).collect();
    let order = |a: &u32, b: &u32| {
        let [x, y] = [a, b].map(|&column| logits[column as usize]);
        y.total_cmp(&x).then(a.cmp(b))
    };
    columns.select_nth_unstable_by(k - 1, order);
    columns.truncate(k);
    columns.sort_unstable_by(order);
    columns
}
