//! On the CPU: one token a task, its heads widened to f32 beside the first-level cache.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::halves::{narrow, widen};
use crate::wide::wide;
use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [heads, width] = ["heads", "width"].map(|name| dim(dims, name));
    let x: &[u16] = bytemuck::cast_slice(inputs[0]);
    let turns: &[f32] = bytemuck::cast_slice(inputs[1]);
    let y: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    let token = heads * width;
    let tasks = y.par_chunks_mut(token).zip(x.par_chunks(token));
    tasks.zip(turns.par_chunks(width)).for_each_init(
        || vec![0.0; token],
        |all, ((y, x), turns)| {
            widen(x, all);
            all.chunks_exact_mut(width).for_each(|head| turn(head, turns));
            narrow(all, y);
        },
    );
}

wide! {
    fn turn(head: &mut [f32], turns: &[f32]) {
        let (pairs, _) = head.as_chunks_mut();
        let (turns, _) = turns.as_chunks();
        for ([a, b], [cos, sin]) in pairs.iter_mut().zip(turns) {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        }
    }
}
