//! On the CPU: four rows side by side.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::q4::{Activations, BLOCK_BYTES, ROWS as STREAMS, Rows, of_streams};
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
    let x = Activations::new(bytemuck::cast_slice(x), bytemuck::cast_slice(scales));
    let mut tasks = vec![];
    for matrix in matrices {
        let whole = matrix.len() / STREAMS * STREAMS;
        let (streams, rest) = matrix.split_at(whole, blocks);
        tasks.extend(tasks_of(streams, blocks));
        of_streams([rest], &x);
    }
    tasks
        .into_par_iter()
        .with_max_len(1)
        .for_each(|task| of_streams(task, &x));
}

/// Each thread's share, and in it a quarter for each stream: neighbours are so short that both would lie in one page, which the
/// processor fetches ahead as one stream. A task goes on where the one before it ends, in what has been fetched ahead.
fn tasks_of(matrix: Rows<'_>, blocks: usize) -> impl Iterator<Item = [Rows<'_>; STREAMS]> {
    let shares = rayon::current_num_threads();
    let share = matrix
        .len()
        .div_ceil(shares)
        .next_multiple_of(STREAMS)
        .max(STREAMS);
    let rows = (TASK / STREAMS / (blocks * BLOCK_BYTES).max(1)).max(1);
    matrix.chunks(share, blocks).flat_map(move |share| {
        let quarter = share.len() / STREAMS;
        let mut quarters = share.chunks(quarter, blocks);
        let mut streams: [_; STREAMS] =
            std::array::from_fn(|_| quarters.next().expect("four").chunks(rows, blocks));
        std::iter::from_fn(move || {
            let [a, b, c, d] = streams.each_mut().map(Iterator::next);
            Some([a?, b?, c?, d?])
        })
    })
}
