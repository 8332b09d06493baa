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
            *c = a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b);
        }
    });
}
