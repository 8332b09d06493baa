//! A product's blocks, shared among threads.

use std::ops::Range;

use rayon::prelude::*;

use super::pack::Element;
use super::side::{Side, blocks_of};
use super::tile::MOST_WORDS;
use super::{PACKED_OWN, STEPS, Threads, Tile, borrow};

/// Rows that a task packs at a time, at most: 48 * 1024 words are 192 KiB, under half of a second-level cache of 512 KiB.
const BLOCK_ROWS: usize = 48;

/// Tasks a thread, so that a thread that was held up does not hold up the others: at the end one of two threads waits for
/// half a task, 1 % of the time. Measured on two threads, 24 take 0.9 % more at 512 by 512 by 512, in the median of 1500 pairs.
const TASKS_A_THREAD: usize = 48;

/// The same where the tasks' own rows are too few and the shared ones are divided too: each task packs its own anew.
/// 48 take 4 % more at 256 by 256 by 256 and a quarter more at 100 by 200 by 4000.
const SHARED_TASKS_A_THREAD: usize = 24;

#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) start: *mut u32,
    pub(super) stride: usize,
    /// Whether products are added to what is there.
    pub(super) keep: bool,
}

// SAFETY: tasks write disjoint blocks of C; see `Job::multiply`.
unsafe impl Sync for Output {}

/// A product of all of one side with some of the other, whose panels every task reads.
pub(super) struct Job<'a, E> {
    pub(super) steps: usize,
    /// What tasks divide among themselves and pack.
    pub(super) own: Side<'a, E>,
    /// What is packed before.
    pub(super) shared: Side<'a, E>,
    /// Whether tasks own rows of A, not of B.
    pub(super) owns_a: bool,
    pub(super) c: Output,
    pub(super) tile: &'a Tile,
    pub(super) threads: Threads,
}

impl<E: Element> Job<'_, E> {
    /// Splits C into blocks of whole tiles, by the own side first, and by the shared one where that is too little for all
    /// threads.
    pub(super) fn multiply(&self, packed: &[u32]) {
        let threads = rayon::current_num_threads();
        let (own, shared) = (self.own.panels(), self.shared.panels());
        let by_cache = self.own.rows.len().div_ceil(BLOCK_ROWS);
        if self.threads == Threads::One {
            let parts = by_cache.min(own);
            return (0..parts).for_each(|part| self.block(packed, share(own, parts, part), 0..shared));
        }
        let parts = by_cache
            .next_multiple_of(threads)
            .max(TASKS_A_THREAD * threads)
            .min(own);
        let shared_parts = (SHARED_TASKS_A_THREAD * threads).div_ceil(parts).min(shared);
        // Rayon splits a range once for each thread and steals whole parts: without a limit three tasks are one.
        let tasks = (0..parts * shared_parts).into_par_iter().with_max_len(1);
        tasks.for_each(|task| {
            let own = share(own, parts, task / shared_parts);
            self.block(packed, own, share(shared, shared_parts, task % shared_parts));
        });
    }

    /// One block of C: these panels of the own side and of the shared one, all of k.
    fn block(&self, packed: &[u32], own: Range<usize>, shared: Range<usize>) {
        let width = self.own.width;
        let mut kept = borrow(&PACKED_OWN, own.len() * width * STEPS.min(self.steps));
        for steps in blocks_of(self.steps) {
            let words = &mut kept.words_mut()[..own.len() * width * steps.len()];
            for (panel, words) in own.clone().zip(words.chunks_exact_mut(width * steps.len())) {
                self.own.pack(words, panel, steps.clone());
            }
            let (panel_words, first) = (self.shared.width * steps.len(), steps.start == 0 && !self.c.keep);
            let packed = &packed[steps.start * self.shared.panels() * self.shared.width..];
            let panels = packed.chunks_exact(panel_words).enumerate();
            for (theirs, packed) in panels.take(shared.end).skip(shared.start) {
                for (panel, words) in own.clone().zip(words.chunks_exact(width * steps.len())) {
                    if self.owns_a {
                        self.one_tile((panel, words), (theirs, packed), first);
                    } else {
                        self.one_tile((theirs, packed), (panel, words), first);
                    }
                }
            }
        }
        PACKED_OWN.set(Some(kept));
    }

    /// Panels of A and of B.
    fn one_tile(&self, (down, a): (usize, &[u32]), (across, b): (usize, &[u32]), first: bool) {
        let (of_a, of_b) = match self.owns_a {
            true => (&self.own, &self.shared),
            false => (&self.shared, &self.own),
        };
        let (rows, columns) = (of_a.rows_of(down), of_b.rows_of(across));
        // SAFETY: both start inside C, and so does the tile.
        let corner = unsafe { self.c.start.add(rows.start * self.c.stride + columns.start) };
        let (height, width) = (self.tile.rows, self.tile.columns);
        if rows.len() == height && columns.len() == width {
            // SAFETY: the whole tile lies inside C, and no other task has it.
            unsafe { self.tile.multiply(a, b, corner, self.c.stride, first) };
            return;
        }
        let mut edge = [0u32; MOST_WORDS];
        // SAFETY: rows and columns stay inside C, whose tile no other task has, and inside `edge`.
        unsafe {
            for row in 0..rows.len() {
                let (c, edge) = (
                    corner.add(row * self.c.stride),
                    edge.as_mut_ptr().add(row * width),
                );
                c.copy_to_nonoverlapping(edge, columns.len());
            }
            self.tile.multiply(a, b, edge.as_mut_ptr(), width, first);
            for row in 0..rows.len() {
                let (c, edge) = (corner.add(row * self.c.stride), edge.as_ptr().add(row * width));
                c.copy_from_nonoverlapping(edge, columns.len());
            }
        }
    }
}

/// Part `index` of `parts` nearly equal parts of `0..count`.
fn share(count: usize, parts: usize, index: usize) -> Range<usize> {
    index * count / parts..(index + 1) * count / parts
}
