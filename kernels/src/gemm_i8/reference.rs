//! The authority for `gemm.i8.v1`: sums in i64, far from its limits.

use attest::spec::Dims;

use crate::elements::i8s;
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let [n, k] = ["n", "k"].map(|name| dim(dims, name));
    let first = row.index as usize * k;
    let a: Vec<i64> = i8s(inputs[0], first..first + k).map(i64::from).collect();
    (0..n)
        .map(|j| dot_i64(&a, i8s(inputs[1], j * k..(j + 1) * k)) as f64)
        .collect()
}

fn dot_i64(a: &[i64], b: impl Iterator<Item = i8>) -> i64 {
    a.iter().zip(b).map(|(a, b)| a * i64::from(b)).sum()
}
