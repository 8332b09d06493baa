//! On the CPU.

use attest::spec::Dims;
use half::f16;
use rayon::prelude::*;

use crate::elements::f16s;
use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let cols = dim(dims, "cols");
    let w: Vec<f32> = f16s(inputs[1], 0..cols).collect();
    outputs[0]
        .par_chunks_mut(2 * cols)
        .zip(inputs[0].par_chunks(2 * cols))
        .for_each(|(y, x)| normalize(x, &w, bytemuck::cast_slice_mut(y)));
}

fn normalize(x: &[u8], w: &[f32], y: &mut [u16]) {
    let x: Vec<f32> = f16s(x, 0..w.len()).collect();
    let squares: f32 = x.iter().map(|x| x * x).sum();
    let root = (squares / w.len() as f32 + super::EPSILON as f32).sqrt();
    for (y, (x, w)) in y.iter_mut().zip(x.iter().zip(w)) {
        *y = f16::from_f32(x / root * w).to_bits();
    }
}
