//! On the CPU: one product a thread where there are plenty, otherwise one after the other on all threads.

use attest::spec::Dims;
use half::f16;
use half::slice::HalfBitsSliceExt as _;
use rayon::prelude::*;

use crate::product::{Shape, Threads, narrowed_by};
use crate::workload::dim;

/// Products a thread from which on each has one thread: the last of so many leave few threads without work.
const PLENTY: usize = 4;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [batch, m, n, k] = ["batch", "m", "n", "k"].map(|name| dim(dims, name));
    let [a, b] = [inputs[0], inputs[1]].map(bytemuck::cast_slice::<u8, u16>);
    let c: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    let one = |threads| {
        move |(z, c): (usize, &mut [u16])| {
            narrowed_by::<f16, f16>(
                threads,
                Shape { m, n, k },
                a[z * m * k..][..m * k].reinterpret_cast(),
                b[z * n * k..][..n * k].reinterpret_cast(),
                c.reinterpret_cast_mut(),
            );
        }
    };
    if batch >= PLENTY * rayon::current_num_threads() {
        c.par_chunks_mut(m * n).enumerate().for_each(one(Threads::One));
    } else {
        c.chunks_mut(m * n).enumerate().for_each(one(Threads::All));
    }
}
