//! On the CPU: rows of weights that stay in the cache over four tokens at a time.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::q4::{Activations, Block, ROWS as TOKENS, Weights, of_tokens};
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
    let x: &[_] = bytemuck::cast_slice(inputs[0]);
    let x = x
        .par_chunks(blocks)
        .zip(bytemuck::cast_slice(inputs[1]).par_chunks(blocks));
    let x: Vec<Activations<'_>> = x.map(|(x, scales)| Activations::new(x, scales)).collect();
    let (w, scales): (&[Block], &[u16]) = (bytemuck::cast_slice(inputs[2]), bytemuck::cast_slice(inputs[3]));
    let sums: &mut [f32] = bytemuck::cast_slice_mut(sums);
    let tasks = sums.par_chunks_mut(ROWS * m);
    tasks.enumerate().for_each(|(task, sums)| {
        let row = |row: usize| Weights::new(&w[row * blocks..][..blocks], &scales[row * blocks..][..blocks]);
        rows(sums, |at| row(task * ROWS + at), &x);
    });
    let y: &mut [f32] = bytemuck::cast_slice_mut(y);
    y.par_chunks_mut(n).enumerate().for_each(|(token, y)| {
        for (y, sums) in y.chunks_mut(ROWS).zip(sums.chunks(ROWS * m)) {
            y.copy_from_slice(&sums[token * y.len()..][..y.len()]);
        }
    });
}

/// Every token's sums with some rows.
fn rows<'a>(sums: &mut [f32], row: impl Fn(usize) -> Weights<'a>, x: &[Activations<'_>]) {
    let count = sums.len() / x.len();
    let (fours, rest) = x.as_chunks::<TOKENS>();
    let (sums, rest_sums) = sums.split_at_mut(fours.len() * TOKENS * count);
    for (sums, x) in sums.chunks_mut(TOKENS * count).zip(fours) {
        for at in 0..count {
            let of_row = of_tokens(row(at), x.each_ref());
            for (token, sum) in of_row.into_iter().enumerate() {
                sums[token * count + at] = sum;
            }
        }
    }
    for (sums, x) in rest_sums.chunks_mut(count).zip(rest) {
        for (at, sum) in sums.iter_mut().enumerate() {
            [*sum] = of_tokens(row(at), [x]);
        }
    }
}
