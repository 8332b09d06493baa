//! The authority for `mem.gather.v1`.

use attest::spec::Dims;

use super::WIDTH;
use crate::elements::{f32s, u32s};
use crate::workload::Row;

pub(super) fn row(_dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let read = row.index as usize;
    let chosen = u32s(inputs[1], read..read + 1);
    let entries =
        chosen.flat_map(|entry| f32s(inputs[0], entry as usize * WIDTH..(entry as usize + 1) * WIDTH));
    entries.map(f64::from).collect()
}
