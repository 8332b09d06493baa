//! On the CPU: a stretch of tokens a task.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::workload::dim;

/// Bytes of output that are worth a task.
const TASK: usize = 64 << 10;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let row = 2 * dim(dims, "cols");
    let ids: &[u32] = bytemuck::cast_slice(inputs[1]);
    let tokens = TASK.div_ceil(row);
    let tasks = outputs[0]
        .par_chunks_mut(tokens * row)
        .zip(ids.par_chunks(tokens));
    tasks.for_each(|(y, ids)| {
        for (y, &id) in y.chunks_exact_mut(row).zip(ids) {
            y.copy_from_slice(&inputs[0][id as usize * row..][..row]);
        }
    });
}
