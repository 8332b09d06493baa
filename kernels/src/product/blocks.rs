//! A product's blocks, shared among threads.

use std::ops::Range;

use rayon::prelude::*;

use super::pack::{self, Element, Operand};
use super::tile::MOST_WORDS;
use super::{PACKED_A, STEPS, Shape, Threads, Tile, borrow};

/// Rows of A that a task packs at a time, at most: 48 * 1024 words are 192 KiB, under half of a second-level cache of
/// 512 KiB.
const BLOCK_ROWS: usize = 48;

/// Tasks a thread, so that a thread that was held up does not hold up the others: at the end one of two threads waits for
/// half a task, 1 % of the time. Measured on two threads, twice as many as 24 are worth 2 % of a product of 512.
const TASKS_A_THREAD: usize = 48;

/// The same where rows are too few and columns are shared too: each task packs the rows of A anew.
const SHARED_TASKS_A_THREAD: usize = 24;

#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) start: *mut u32,
    pub(super) stride: usize,
    /// Whether products are added to what is there.
    pub(super) keep: bool,
    /// What A is multiplied with when it is packed.
    pub(super) factor: f32,
}

// SAFETY: tasks write disjoint blocks of C; see `Job::multiply`.
unsafe impl Sync for Output {}

/// Some columns of C.
pub(super) struct Job<'a, E> {
    pub(super) shape: Shape,
    pub(super) steps: usize,
    pub(super) columns: Range<usize>,
    pub(super) a: Operand<'a, E>,
    pub(super) c: Output,
    pub(super) tile: &'a Tile,
    pub(super) threads: Threads,
}

impl<E: Element> Job<'_, E> {
    fn panels(&self) -> usize {
        self.columns.len().div_ceil(self.tile.columns)
    }

    /// Panels of one block of steps lie side by side: block after block, in each panel after panel.
    pub(super) fn pack_b(&self, b: Operand<E>, packed: &mut [u32]) {
        let (panels, width) = (self.panels(), self.tile.columns);
        let mut rest = &mut packed[..self.steps * panels * width];
        let mut blocks = Vec::new();
        for steps in blocks_of(self.steps) {
            let (block, after) = rest.split_at_mut(steps.len() * panels * width);
            blocks.push((steps, block));
            rest = after;
        }
        let pack = |steps: Range<usize>, panel: usize, words: &mut [u32]| {
            let first = self.columns.start + panel * width;
            let rows = first..self.columns.end.min(first + width);
            b.pack(words, width, rows, steps, self.tile.vectors);
        };
        if self.threads == Threads::One {
            for (steps, block) in blocks {
                let panels = block.chunks_mut(steps.len() * width).enumerate();
                panels.for_each(|(panel, words)| pack(steps.clone(), panel, words));
            }
            return;
        }
        blocks.into_par_iter().for_each(|(steps, block)| {
            let panels = block.par_chunks_mut(steps.len() * width).enumerate();
            panels.for_each(|(panel, words)| pack(steps.clone(), panel, words));
        });
    }

    /// Splits C into blocks of whole tiles, by rows first, and by columns where the rows are too few for all threads.
    pub(super) fn multiply(&self, packed_b: &[u32]) {
        let threads = rayon::current_num_threads();
        let row_tiles = self.shape.m.div_ceil(self.tile.rows);
        if self.threads == Threads::One {
            let blocks = self.shape.m.div_ceil(BLOCK_ROWS).min(row_tiles);
            let blocks = (0..blocks).map(|block| share(row_tiles, blocks, block));
            return blocks.for_each(|rows| self.block(packed_b, rows, 0..self.panels()));
        }
        let by_cache = self.shape.m.div_ceil(BLOCK_ROWS).next_multiple_of(threads);
        let row_blocks = by_cache.max(TASKS_A_THREAD * threads).min(row_tiles);
        let column_blocks = (SHARED_TASKS_A_THREAD * threads)
            .div_ceil(row_blocks)
            .min(self.panels());
        // Rayon splits a range once for each thread and steals whole parts: without a limit three tasks are one.
        let tasks = (0..row_blocks * column_blocks).into_par_iter().with_max_len(1);
        tasks.for_each(|task| {
            let rows = share(row_tiles, row_blocks, task / column_blocks);
            let panels = share(self.panels(), column_blocks, task % column_blocks);
            self.block(packed_b, rows, panels);
        });
    }

    /// One block of C: tiles `tiles` down, panels `panels` across, all of k.
    fn block(&self, packed_b: &[u32], tiles: Range<usize>, panels: Range<usize>) {
        let (height, width) = (self.tile.rows, self.tile.columns);
        let mut packed_a = borrow(&PACKED_A, tiles.len() * height * STEPS.min(self.steps));
        for steps in blocks_of(self.steps) {
            let a = &mut packed_a.words_mut()[..tiles.len() * height * steps.len()];
            for (tile, words) in tiles.clone().zip(a.chunks_exact_mut(height * steps.len())) {
                let rows = tile * height..self.shape.m.min((tile + 1) * height);
                self.a.pack(words, height, rows, steps.clone(), self.tile.vectors);
            }
            if self.c.factor != 1.0 {
                pack::scale(a, self.c.factor);
            }
            let b = &packed_b[steps.start * self.panels() * width..];
            for panel in panels.clone() {
                let b = &b[panel * width * steps.len()..][..width * steps.len()];
                for (tile, a) in tiles.clone().zip(a.chunks_exact(height * steps.len())) {
                    self.one_tile(a, b, tile, panel, steps.start == 0 && !self.c.keep);
                }
            }
        }
        PACKED_A.set(Some(packed_a));
    }

    fn one_tile(&self, a: &[u32], b: &[u32], tile: usize, panel: usize, first: bool) {
        let (height, width) = (self.tile.rows, self.tile.columns);
        let (row, column) = (tile * height, self.columns.start + panel * width);
        let rows = height.min(self.shape.m - row);
        let columns = width.min(self.columns.end - column);
        // SAFETY: row < m and column < n, so the tile's corner lies inside C.
        let corner = unsafe { self.c.start.add(row * self.c.stride + column) };
        if rows == height && columns == width {
            // SAFETY: the whole tile lies inside C, and no other task has it.
            unsafe { self.tile.multiply(a, b, corner, self.c.stride, first) };
            return;
        }
        let mut edge = [0u32; MOST_WORDS];
        // SAFETY: rows and columns stay inside C, whose tile no other task has, and inside `edge`.
        unsafe {
            for row in 0..rows {
                let (c, edge) = (
                    corner.add(row * self.c.stride),
                    edge.as_mut_ptr().add(row * width),
                );
                c.copy_to_nonoverlapping(edge, columns);
            }
            self.tile.multiply(a, b, edge.as_mut_ptr(), width, first);
            for row in 0..rows {
                let (c, edge) = (corner.add(row * self.c.stride), edge.as_ptr().add(row * width));
                c.copy_from_nonoverlapping(edge, columns);
            }
        }
    }
}

fn blocks_of(steps: usize) -> impl Iterator<Item = Range<usize>> {
    (0..steps)
        .step_by(STEPS)
        .map(move |start| start..steps.min(start + STEPS))
}

/// Part `index` of `parts` nearly equal parts of `0..count`.
fn share(count: usize, parts: usize, index: usize) -> Range<usize> {
    index * count / parts..(index + 1) * count / parts
}
