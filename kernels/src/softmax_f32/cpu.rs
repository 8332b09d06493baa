//! On the CPU: one row a task.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::exp::exp;
use crate::wide::{sum_of, wide};
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

#[inline(always)]
fn maximum(x: &[f32]) -> f32 {
    const LANES: usize = 32;
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, larger);
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, x);
        }
    }
    lanes.into_iter().fold(rest, larger)
}
