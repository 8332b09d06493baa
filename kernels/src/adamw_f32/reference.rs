//! The authority for `adamw.f32.v1`.

use attest::spec::Dims;

use super::{BETAS, EPSILON, LEARNING_RATE, WEIGHT_DECAY, corrections};
use crate::elements::{f32s, vector_row};
use crate::workload::Row;

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let range = vector_row(dims, row);
    let [p, g, m, v] = [0, 1, 2, 3].map(|index| f32s(inputs[index], range.clone()).map(f64::from));
    let stepped = p
        .zip(g)
        .zip(m.zip(v))
        .map(|((p, g), (m, v))| step([p, g, m, v])[row.output]);
    stepped.collect()
}

/// A parameter and its moments after the step.
pub(crate) fn step([p, g, m, v]: [f64; 4]) -> [f64; 3] {
    let [rate, root] = corrections();
    let m = BETAS[0] * m + (1.0 - BETAS[0]) * g;
    let v = BETAS[1] * v + (1.0 - BETAS[1]) * g * g;
    let p = p - LEARNING_RATE * WEIGHT_DECAY * p - rate * m / (v.sqrt() * root + EPSILON);
    [p, m, v]
}
