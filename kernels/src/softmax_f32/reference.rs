//! The authority for `softmax.f32.v1`.

use attest::spec::Dims;

use crate::elements::f32s;
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let cols = dim(dims, "cols");
    let first = row.index as usize * cols;
    let x: Vec<f64> = f32s(inputs[0], first..first + cols).map(f64::from).collect();
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = x.iter().map(|x| (x - max).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
