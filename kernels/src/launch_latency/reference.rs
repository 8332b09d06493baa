//! The authority for `launch.latency.v1`.

use attest::spec::Dims;

use crate::elements::u32s;
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], _row: Row) -> Vec<f64> {
    let launches = dim(dims, "launches") as f64;
    u32s(inputs[0], 0..1).map(|x| f64::from(x) + launches).collect()
}
