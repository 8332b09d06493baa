//! On the CPU: four rows side by side.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::q4::{Activations, BLOCK_BYTES, Block, ROWS, Weights, of_rows};
use crate::workload::dim;

/// Bytes of blocks of one task: short ones would begin too often, where nothing is fetched ahead.
const TASK: usize = 4 << 20;

/// Tasks of a thread, at least: enough that threads end together.
const TASKS: usize = 4;

/// Rows that are summed side by side, each the next of its own part of the task: neighbours are so short that both would lie
/// in one page, which the processor fetches ahead as one stream.
const STREAMS: usize = ROWS;

/// Weights and scales of a matrix, and where the sums of its rows go.
pub(super) struct Matrix<'a> {
    blocks: &'a [Block],
    scales: &'a [u16],
    y: &'a mut [f32],
}

impl<'a> Matrix<'a> {
    pub(super) fn new([blocks, scales]: [&'a [u8]; 2], y: &'a mut [f32]) -> Self {
        let (blocks, scales) = (bytemuck::cast_slice(blocks), bytemuck::cast_slice(scales));
        Self { blocks, scales, y }
    }

    fn run(self, x: &Activations<'_>, blocks: usize) {
        let Self { blocks: w, scales, y } = self;
        let row = |row: usize| {
            let part = row * blocks..(row + 1) * blocks;
            Weights::new(&w[part.clone()], &scales[part])
        };
        let part_rows = y.len() / STREAMS;
        for at in 0..part_rows {
            let rows = std::array::from_fn::<_, STREAMS, _>(|stream| row(stream * part_rows + at));
            for (stream, sum) in of_rows(rows, x).into_iter().enumerate() {
                y[stream * part_rows + at] = sum;
            }
        }
        for (at, y) in y.iter_mut().enumerate().skip(part_rows * STREAMS) {
            [*y] = of_rows([row(at)], x);
        }
    }

    /// Parts of so many rows, of which each has `blocks`.
    fn tasks(self, rows: usize, blocks: usize) -> impl Iterator<Item = Self> {
        let parts = self.y.chunks_mut(rows).enumerate();
        parts.map(move |(task, y)| {
            let part = task * rows * blocks..(task * rows + y.len()) * blocks;
            let (blocks, scales) = (&self.blocks[part.clone()], &self.scales[part]);
            Self { blocks, scales, y }
        })
    }
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let y = bytemuck::cast_slice_mut(outputs[0]);
    let matrix = Matrix::new([inputs[0], inputs[1]], y);
    products(vec![matrix], [inputs[2], inputs[3]], dim(dims, "blocks"));
}

/// Of all matrices with the same activations, integers and scales.
pub(super) fn products(matrices: Vec<Matrix<'_>>, [x, scales]: [&[u8]; 2], blocks: usize) {
    let x = Activations::new(bytemuck::cast_slice(x), bytemuck::cast_slice(scales));
    let rows_of_task = rows_of_a_task(matrices.iter().map(|matrix| matrix.y.len()).sum(), blocks);
    let tasks = matrices
        .into_iter()
        .flat_map(|matrix| matrix.tasks(rows_of_task, blocks));
    let tasks: Vec<Matrix<'_>> = tasks.collect();
    tasks
        .into_par_iter()
        .with_max_len(1)
        .for_each(|task| task.run(&x, blocks));
}

fn rows_of_a_task(rows: usize, blocks: usize) -> usize {
    let most = TASK / (blocks * BLOCK_BYTES).max(1);
    let shared = rows.div_ceil(TASKS * rayon::current_num_threads());
    most.min(shared).max(1).next_multiple_of(STREAMS)
}
