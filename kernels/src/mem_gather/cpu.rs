//! On the CPU: reads do not wait for each other, so that a core has as many under way as it can hold.

use attest::spec::Dims;
use rayon::prelude::*;

use super::WIDTH;

/// Reads of one task: 1 MiB of output.
const TASK: usize = 1 << 15;

pub(super) fn run(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let table: &[[f32; WIDTH]] = bytemuck::cast_slice(inputs[0]);
    let chosen: &[u32] = bytemuck::cast_slice(inputs[1]);
    let y: &mut [[f32; WIDTH]] = bytemuck::cast_slice_mut(outputs[0]);
    y.par_chunks_mut(TASK)
        .zip(chosen.par_chunks(TASK))
        .for_each(|(y, chosen)| {
            for (y, &entry) in y.iter_mut().zip(chosen) {
                *y = table[entry as usize];
            }
        });
}
