//! On the CPU: tasks of neighbouring rows, read in the order of memory. One stream a thread, fetched far ahead, is read faster
//! than several.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::q4::{BLOCK_BYTES, Rows, Tokens};
use crate::workload::dim;

/// Bytes of blocks of a task: few, so that threads end together.
const TASK: usize = 64 << 10;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let y = bytemuck::cast_slice_mut(outputs[0]);
    let matrix = Rows::new([inputs[0], inputs[1]], y);
    products(vec![matrix], [inputs[2], inputs[3]], dim(dims, "blocks"));
}

/// Of all matrices with the same activations, integers and scales.
pub(super) fn products(matrices: Vec<Rows<'_>>, [x, scales]: [&[u8]; 2], blocks: usize) {
    let x = Tokens::new(bytemuck::cast_slice(x), bytemuck::cast_slice(scales), blocks);
    let rows = (TASK / (blocks * BLOCK_BYTES).max(1)).max(1);
    let tasks = matrices
        .into_iter()
        .flat_map(|matrix| matrix.chunks(rows, blocks));
    let tasks: Vec<Rows<'_>> = tasks.collect();
    tasks
        .into_par_iter()
        .with_max_len(1)
        .for_each(|rows| x.of_rows(rows));
}
