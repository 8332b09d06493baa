//! On the CPU: one row a task.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::exp::exp;
use crate::wide::{maximum, sum_of, wide};
use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let cols = dim(dims, "cols");
    let x: &[f32] = bytemuck::cast_slice(inputs[0]);
    let y: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    y.par_chunks_mut(cols)
        .zip(x.par_chunks(cols))
        .for_each(|(y, x)| softmax(x, y));
}

wide! {
    fn softmax(x: &[f32], y: &mut [f32]) {
        let max = maximum(x);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = exp(x - max);
        }
        let scale = (1.0 / sum_of(y, |y| y)) as f32;
        for y in y {
            *y *= scale;
        }
    }
}
