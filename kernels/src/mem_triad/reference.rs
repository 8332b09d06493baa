//! The authority for `mem.triad.v1`: the f64 sum of two f32 is exact here, so one rounding to f32 remains.

use attest::spec::Dims;

use crate::elements::{f32s, vector_row};
use crate::workload::Row;

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let range = vector_row(dims, row);
    f32s(inputs[0], range.clone())
        .zip(f32s(inputs[1], range))
        .map(|(b, c)| f64::from((f64::from(b) + 0.5 * f64::from(c)) as f32))
        .collect()
}
