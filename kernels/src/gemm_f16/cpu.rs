//! On the CPU.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::workload::dim;
use half::f16;

use crate::elements::f16s;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [n, k] = ["n", "k"].map(|name| dim(dims, name));
    let [a, b] = [inputs[0], inputs[1]].map(widened);
    let c: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    c.par_chunks_mut(n).zip(a.par_chunks(k)).for_each(|(c, a)| {
        for (c, b) in c.iter_mut().zip(b.chunks(k)) {
            let sum: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            *c = f16::from_f32(sum).to_bits();
        }
    });
}

fn widened(bytes: &[u8]) -> Vec<f32> {
    f16s(bytes, 0..bytes.len() / 2).collect()
}
