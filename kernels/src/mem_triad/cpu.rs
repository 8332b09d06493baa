//! On the CPU.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let b: &[f32] = bytemuck::cast_slice(inputs[0]);
    let c: &[f32] = bytemuck::cast_slice(inputs[1]);
    let y: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    let part = dim(dims, "n").div_ceil(rayon::current_num_threads());
    y.par_chunks_mut(part)
        .zip(b.par_chunks(part).zip(c.par_chunks(part)))
        .for_each(|(y, (b, c))| {
            for (y, (b, c)) in y.iter_mut().zip(b.iter().zip(c)) {
                *y = b + 0.5 * c;
            }
        });
}
