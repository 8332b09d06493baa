//! The authority for `rmsnorm.f16.v1`.

use attest::spec::Dims;

use crate::elements::f16s;
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let cols = dim(dims, "cols");
    let first = row.index as usize * cols;
    let x: Vec<f64> = f16s(inputs[0], first..first + cols).map(f64::from).collect();
    let squares: f64 = x.iter().map(|x| x * x).sum();
    let root = (squares / cols as f64 + super::EPSILON).sqrt();
    let w = f16s(inputs[1], 0..cols).map(f64::from);
    x.iter().zip(w).map(|(x, w)| x / root * w).collect()
}
