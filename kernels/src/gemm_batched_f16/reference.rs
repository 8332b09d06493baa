//! The authority for `gemm.batched.f16.v1`: products and sums in f64.

use attest::spec::Dims;

use crate::elements::{dot, f16s};
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name));
    let index = row.index as usize;
    let a: Vec<f64> = f16s(inputs[0], index * k..(index + 1) * k)
        .map(f64::from)
        .collect();
    let first = index / m * n;
    (first..first + n)
        .map(|j| dot(&a, f16s(inputs[1], j * k..(j + 1) * k).map(f64::from)))
        .collect()
}
