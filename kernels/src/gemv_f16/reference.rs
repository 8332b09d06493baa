//! The authority for `gemv.f16.v1`: products and sums in f64.

use attest::spec::Dims;

use crate::elements::{dot, f16s, vector_row};
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let k = dim(dims, "k");
    let x: Vec<f64> = f16s(inputs[1], 0..k).map(f64::from).collect();
    let weights = |row: usize| f16s(inputs[0], row * k..(row + 1) * k).map(f64::from);
    vector_row(dims, row).map(|row| dot(&x, weights(row))).collect()
}
