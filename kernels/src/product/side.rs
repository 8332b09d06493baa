//! An operand of a product as panels: rows of A, or rows of B, which are columns of C.

use std::ops::Range;

use rayon::prelude::*;

use super::pack::{Element, Operand};
use super::{STEPS, Threads};

#[derive(Clone)]
pub(super) struct Side<'a, E> {
    pub(super) operand: Operand<'a, E>,
    /// Its rows that take part.
    pub(super) rows: Range<usize>,
    /// Rows of a panel: those of a register tile, or its columns.
    pub(super) width: usize,
    /// Whether packing may use AVX2 and F16C.
    pub(super) vectors: bool,
}

impl<E: Element> Side<'_, E> {
    pub(super) fn panels(&self) -> usize {
        self.rows.len().div_ceil(self.width)
    }

    /// Rows of a panel, fewer in the last.
    pub(super) fn rows_of(&self, panel: usize) -> Range<usize> {
        let first = self.rows.start + panel * self.width;
        first..self.rows.end.min(first + self.width)
    }

    pub(super) fn pack(&self, words: &mut [u32], panel: usize, steps: Range<usize>) {
        let rows = self.rows_of(panel);
        self.operand.pack(words, self.width, rows, steps, self.vectors);
    }

    /// Panels of one block of steps lie side by side: block after block, in each panel after panel.
    pub(super) fn pack_all(&self, words: &mut [u32], steps: usize, threads: Threads) {
        let panels = self.panels() * self.width;
        let mut rest = &mut words[..steps * panels];
        let mut blocks = Vec::new();
        for steps in blocks_of(steps) {
            let (block, after) = rest.split_at_mut(steps.len() * panels);
            blocks.push((steps, block));
            rest = after;
        }
        if threads == Threads::One {
            for (steps, block) in blocks {
                let panels = block.chunks_mut(steps.len() * self.width).enumerate();
                panels.for_each(|(panel, words)| self.pack(words, panel, steps.clone()));
            }
            return;
        }
        blocks.into_par_iter().for_each(|(steps, block)| {
            let panels = block.par_chunks_mut(steps.len() * self.width).enumerate();
            panels.for_each(|(panel, words)| self.pack(words, panel, steps.clone()));
        });
    }
}

/// Blocks of [`STEPS`].
pub(super) fn blocks_of(steps: usize) -> impl Iterator<Item = Range<usize>> {
    (0..steps)
        .step_by(STEPS)
        .map(move |start| start..steps.min(start + STEPS))
}
