//! On the CPU.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let cols = dim(dims, "cols");
    let x: &[f32] = bytemuck::cast_slice(inputs[0]);
    let y: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    y.par_chunks_mut(cols)
        .zip(x.par_chunks(cols))
        .for_each(|(y, x)| softmax(x, y));
}

fn softmax(x: &[f32], y: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (y, x) in y.iter_mut().zip(x) {
        *y = (x - max).exp();
        sum += f64::from(*y);
    }
    let scale = (1.0 / sum) as f32;
    y.iter_mut().for_each(|y| *y *= scale);
}
