//! The authority for `gemm.f32.exact.v1`: one product and one sum a step, each rounded to f32, k ascending.

use attest::spec::Dims;

use crate::elements::f32s;
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let [n, k] = ["n", "k"].map(|name| dim(dims, name));
    let first = row.index as usize * k;
    let a: Vec<f32> = f32s(inputs[0], first..first + k).collect();
    (0..n)
        .map(|j| f64::from(ordered_dot(&a, f32s(inputs[1], j * k..(j + 1) * k))))
        .collect()
}

fn ordered_dot(a: &[f32], b: impl Iterator<Item = f32>) -> f32 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}
