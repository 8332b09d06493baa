//! The authority for `embedding.gather.f16.v1`.

use attest::spec::Dims;

use crate::elements::{f16s, u32s};
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let (cols, token) = (dim(dims, "cols"), row.index as usize);
    let ids = u32s(inputs[1], token..token + 1);
    let chosen = ids.flat_map(|id| f16s(inputs[0], id as usize * cols..(id as usize + 1) * cols));
    chosen.map(f64::from).collect()
}
