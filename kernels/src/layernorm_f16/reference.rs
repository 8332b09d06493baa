//! The authority for `layernorm.f16.v1`.

use attest::spec::Dims;

use crate::elements::f16s;
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let cols = dim(dims, "cols");
    let first = row.index as usize * cols;
    let x: Vec<f64> = f16s(inputs[0], first..first + cols).map(f64::from).collect();
    let mean = x.iter().sum::<f64>() / cols as f64;
    let squares: f64 = x.iter().map(|x| (x - mean) * (x - mean)).sum();
    let root = (squares / cols as f64 + super::EPSILON).sqrt();
    let [w, b] = [inputs[1], inputs[2]].map(|input| f16s(input, 0..cols).map(f64::from));
    let parts = x.iter().zip(w.zip(b));
    parts.map(|(x, (w, b))| (x - mean) / root * w + b).collect()
}
