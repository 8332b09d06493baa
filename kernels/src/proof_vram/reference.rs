//! The authority for `proof.vram.v1`: a lane recomputed without a table.

use attest::exact::vram::Vram;
use attest::spec::Dims;

use super::{keys_of, params};
use crate::workload::Row;

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let [entry_key, lane_key] = keys_of(inputs[0]);
    let work = Vram::with_keys(entry_key, lane_key, params(dims)).expect("devices refuse other sizes");
    let state = work.lane(row.index).expect("a row of the output");
    state.iter().map(|byte| f64::from(byte.cast_signed())).collect()
}
