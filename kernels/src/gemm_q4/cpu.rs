//! On the CPU: rows of weights that stay in the cache over some tokens at a time.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::q4::{Block, Tokens};
use crate::workload::dim;

/// Rows of one task: 72 KiB of weights where a row has 4096.
const ROWS: usize = 32;

/// Bytes of what tasks leave: sums of each token for the rows of a task, task after task.
pub(super) fn scratch_bytes(m: usize, n: usize) -> u64 {
    (size_of::<f32>() * m * n) as u64
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [m, n, blocks] = ["m", "n", "blocks"].map(|name| dim(dims, name));
    let [y, sums] = outputs else {
        unreachable!("an output and the plan's scratch")
    };
    let x = Tokens::new(
        bytemuck::cast_slice(inputs[0]),
        bytemuck::cast_slice(inputs[1]),
        blocks,
    );
    let (w, scales): (&[Block], &[u16]) = (bytemuck::cast_slice(inputs[2]), bytemuck::cast_slice(inputs[3]));
    let sums: &mut [f32] = bytemuck::cast_slice_mut(sums);
    let tasks = sums.par_chunks_mut(ROWS * m);
    tasks.enumerate().with_max_len(1).for_each(|(task, sums)| {
        let row = |at: usize| {
            let part = (task * ROWS + at) * blocks..(task * ROWS + at + 1) * blocks;
            (&w[part.clone()], &scales[part])
        };
        x.products(row, sums);
    });
    let y: &mut [f32] = bytemuck::cast_slice_mut(y);
    y.par_chunks_mut(n).enumerate().for_each(|(token, y)| {
        for (y, sums) in y.chunks_mut(ROWS).zip(sums.chunks(ROWS * m)) {
            y.copy_from_slice(&sums[token * y.len()..][..y.len()]);
        }
    });
}
