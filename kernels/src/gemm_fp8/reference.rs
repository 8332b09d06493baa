//! The authority for `gemm.fp8.v1`: products and sums in f64.

use attest::spec::Dims;

use crate::elements::{dot, e4m3s};
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let [n, k] = ["n", "k"].map(|name| dim(dims, name));
    let first = row.index as usize * k;
    let a: Vec<f64> = e4m3s(inputs[0], first..first + k).map(f64::from).collect();
    (0..n)
        .map(|j| dot(&a, e4m3s(inputs[1], j * k..(j + 1) * k).map(f64::from)))
        .collect()
}
