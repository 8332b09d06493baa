//! The authority for `gemm.bf16.v1`: products and sums in f64.

use attest::spec::Dims;

use crate::elements::{bf16s, dot};
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let [n, k] = ["n", "k"].map(|name| dim(dims, name));
    let first = row.index as usize * k;
    let a: Vec<f64> = bf16s(inputs[0], first..first + k).map(f64::from).collect();
    (0..n)
        .map(|j| dot(&a, bf16s(inputs[1], j * k..(j + 1) * k).map(f64::from)))
        .collect()
}
