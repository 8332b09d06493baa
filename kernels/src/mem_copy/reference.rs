//! The authority for `mem.copy.v1`.

use attest::spec::Dims;

use crate::elements::{f32s, vector_row};
use crate::workload::Row;

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    f32s(inputs[0], vector_row(dims, row)).map(f64::from).collect()
}
