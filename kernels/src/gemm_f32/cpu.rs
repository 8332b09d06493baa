//! On the CPU.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [n, k] = ["n", "k"].map(|name| dim(dims, name));
    let a: &[f32] = bytemuck::cast_slice(inputs[0]);
    let b: &[f32] = bytemuck::cast_slice(inputs[1]);
    let c: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    c.par_chunks_mut(n).zip(a.par_chunks(k)).for_each(|(c, a)| {
        for (c, b) in c.iter_mut().zip(b.chunks(k)) {
            *c = dot(a, b);
        }
    });
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0.0; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}
