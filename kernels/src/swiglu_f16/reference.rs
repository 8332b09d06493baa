//! The authority for `swiglu.f16.v1`.

use attest::spec::Dims;

use crate::elements::f16s;
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let cols = dim(dims, "cols");
    let first = row.index as usize * cols;
    let [a, b] = [inputs[0], inputs[1]].map(|input| f16s(input, first..first + cols).map(f64::from));
    a.zip(b).map(|(a, b)| a / (1.0 + (-a).exp()) * b).collect()
}
