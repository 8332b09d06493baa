//! On the CPU: a matrix product whose rows are output pixels, gathered on the fly.
//!
//! Weights are packed once into panels of as many output channels as a register tile has. Tasks then take some pixels and
//! some panels. For a block of input channels at a time, a task widens the part of the image under its pixels, padding
//! included, into the second-level cache, where the taps of a line of the kernel lie side by side, and multiplies it with its
//! panels.

#![allow(
    unsafe_code,
    reason = "register tiles take raw pointers, and tasks write disjoint parts of one output"
)]

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};

use attest::spec::Dims;
use half::f16;
use half::slice::HalfBitsSliceExt as _;
use rayon::prelude::*;

use super::tile::{Halves, Pixels, Sums, Taps, Tile};
use crate::aligned::Buffer;
use crate::halves::widen;
use crate::product::{borrow, panel};
use crate::workload::dim;

/// Steps of one block of input channels, about: a panel of 16 columns has 144 KiB, under a third of a second-level cache of 512 KiB,
/// and sums are read and written again for as many as there are blocks.
const STEPS: usize = 2304;

/// Words of the image that a task's pixels take up, about: with the lines around them under a third of a second-level cache of
/// 512 KiB.
const TASK_WORDS: usize = 24 << 10;

/// Pixels of a task, about. Its panels come from the last-level cache, which the fewest are enough to use; the more lines it has,
/// the fewer are widened for two tasks.
const TASK_PIXELS: RangeInclusive<usize> = 120..=336;

/// Tasks a thread, so that a thread that was held up does not hold up the others.
const TASKS_A_THREAD: usize = 8;

/// Stretches of whole lines a thread from which on one more of them for a thread than for another costs less than the lines
/// that are widened twice where stretches end anywhere.
const LINES_A_THREAD: usize = 64;

thread_local! {
    /// Kept from call to call: fresh pages cost more than packing does.
    static WEIGHTS: RefCell<Option<Buffer>> = const { RefCell::new(None) };
    static SPACE: RefCell<Space> = const { RefCell::new(Space { image: Vec::new(), sums: Vec::new() }) };
}

/// A task's part of the image and its sums.
struct Space {
    image: Vec<f32>,
    sums: Vec<f32>,
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let job = Job::new(dims, inputs);
    let words = job.taps() * job.cin * job.panels() * job.tile.columns;
    let mut weights = borrow(&WEIGHTS, words);
    job.pack(
        bytemuck::cast_slice::<u8, u16>(inputs[1]).reinterpret_cast(),
        &mut weights.words_mut()[..words],
    );
    let y: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    job.multiply(weights.words(), Output(y.as_mut_ptr()));
    WEIGHTS.set(Some(weights));
}

/// The output, of which tasks write disjoint parts.
#[derive(Clone, Copy)]
struct Output(*mut u16);

// SAFETY: see `Job::task`.
unsafe impl Sync for Output {}

struct Job<'a> {
    x: &'a [u16],
    pixels: usize,
    height: usize,
    width: usize,
    cin: usize,
    cout: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    oheight: usize,
    owidth: usize,
    tile: &'static Tile,
}

/// Output pixels of a task that lie side by side on lines of one image.
struct Piece {
    image: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    /// Lines before it in the task's part of the image.
    start: usize,
}

impl<'a> Job<'a> {
    fn new(dims: &Dims, inputs: &[&'a [u8]]) -> Self {
        let [
            batch,
            height,
            width,
            cin,
            cout,
            kernel,
            stride,
            pad,
            oheight,
            owidth,
        ] = super::NAMES.map(|name| dim(dims, name));
        Self {
            x: bytemuck::cast_slice(inputs[0]),
            pixels: batch * oheight * owidth,
            height,
            width,
            cin,
            cout,
            kernel,
            stride,
            pad,
            oheight,
            owidth,
            tile: Tile::widest(),
        }
    }

    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    fn panels(&self) -> usize {
        self.cout.div_ceil(self.tile.columns)
    }

    /// Input channels, in nearly equal blocks of whole vectors.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let cin = self.cin;
        let count = (self.taps() * cin).div_ceil(STEPS).clamp(1, cin);
        let size = cin.div_ceil(count).next_multiple_of(8);
        (0..cin)
            .step_by(size)
            .map(move |start| start..cin.min(start + size))
    }

    /// Panels of one block of input channels lie side by side, in each tap after tap. All blocks of a panel are packed at once, tap
    /// by tap: so weights are read in their order.
    fn pack(&self, weights: &[f16], packed: &mut [u32]) {
        let (taps, width, k) = (self.taps(), self.tile.columns, self.taps() * self.cin);
        let mut rest = packed;
        let mut panels: Vec<Vec<(Range<usize>, &mut [u32])>> = Vec::new();
        panels.resize_with(self.panels(), Vec::new);
        for channels in self.blocks() {
            let (block, after) = rest.split_at_mut(taps * channels.len() * self.panels() * width);
            let words = block.chunks_exact_mut(taps * channels.len() * width);
            for (panel, words) in panels.iter_mut().zip(words) {
                panel.push((channels.clone(), words));
            }
            rest = after;
        }
        panels
            .into_par_iter()
            .enumerate()
            .for_each(|(index, mut blocks)| {
                let rows = index * width..self.cout.min((index + 1) * width);
                for tap in 0..taps {
                    for (channels, words) in &mut blocks {
                        let words = &mut words[tap * channels.len() * width..][..channels.len() * width];
                        let steps = tap * self.cin + channels.start..tap * self.cin + channels.end;
                        panel(words, width, weights, k, rows.clone(), steps, self.tile.vectors);
                    }
                }
            });
    }

    /// Splits the output by pixels first, and by channels where the pixels are too few for all threads.
    fn multiply(&self, weights: &[u32], y: Output) {
        let threads = rayon::current_num_threads();
        let unit = self.unit(threads);
        let units = self.pixels.div_ceil(unit);
        let wanted = TASKS_A_THREAD * threads;
        let depth = self.blocks().map(|channels| channels.len()).max().unwrap_or(1);
        let pixels = (TASK_WORDS / depth).clamp(*TASK_PIXELS.start(), *TASK_PIXELS.end());
        // As many for each thread.
        let (down, across) = match self.pixels.div_ceil(pixels).min(units) {
            down if down >= wanted => (down.next_multiple_of(threads).min(units), 1),
            down => {
                let across = wanted.div_ceil(down).next_multiple_of(threads);
                (down, across.min(self.panels()))
            }
        };
        // Rayon splits a range once for each thread and steals whole parts: without a limit three tasks are one.
        (0..down * across)
            .into_par_iter()
            .with_max_len(1)
            .for_each(|task| {
                let part = |count: usize, parts: usize, index: usize| {
                    index * count / parts..(index + 1) * count / parts
                };
                let units = part(units, down, task / across);
                let pixels = units.start * unit..self.pixels.min(units.end * unit);
                let panels = part(self.panels(), across, task % across);
                SPACE.with_borrow_mut(|space| self.task(pixels, panels, weights, space, y));
            });
    }

    /// Pixels that tasks have a multiple of: whole tiles, and whole lines where few of them make whole tiles and there are many of
    /// those. Lines that two tasks share are seen by both, with as many above and below as the kernel has.
    fn unit(&self, threads: usize) -> usize {
        let rows = self.tile.rows;
        let lines = (1..=rows).find(|lines| (lines * self.owidth).is_multiple_of(rows));
        let pixels = lines.unwrap_or(rows) * self.owidth;
        if pixels <= *TASK_PIXELS.end() && self.pixels >= LINES_A_THREAD * threads * pixels {
            pixels
        } else {
            rows
        }
    }

    fn task(
        &self,
        pixels: Range<usize>,
        panels: Range<usize>,
        weights: &[u32],
        space: &mut Space,
        y: Output,
    ) {
        let (rows, width) = (self.tile.rows, self.tile.columns);
        let stride = panels.len() * width;
        let pieces = self.pieces(pixels.clone());
        let lines: usize = pieces.iter().map(|piece| self.seen(&piece.rows)).sum();
        let pitch = pieces
            .iter()
            .map(|piece| self.seen(&piece.columns))
            .max()
            .unwrap_or(0);
        space
            .sums
            .resize(pixels.len().next_multiple_of(rows) * stride, 0.0);
        let mut rest = weights;
        for channels in self.blocks() {
            let steps = self.taps() * channels.len();
            let (block, after) = rest.split_at(steps * self.panels() * width);
            rest = after;
            space.image.resize(lines * pitch * channels.len(), 0.0);
            for piece in &pieces {
                self.widen(piece, pitch, &channels, &mut space.image);
            }
            let firsts = self.firsts(&pieces, pitch, channels.len());
            let seen = Pixels::new(&space.image, &firsts, rows);
            let taps = Taps {
                lines: self.kernel,
                length: self.kernel * channels.len(),
                apart: pitch * channels.len(),
            };
            for (column, panel) in panels.clone().enumerate() {
                let b = &block[panel * width * steps..][..width * steps];
                for tile in 0..seen.tiles() {
                    let sums = Sums {
                        words: &mut space.sums[tile * rows * stride + column * width..],
                        stride,
                        first: channels.start == 0,
                    };
                    let first = pixels.start + tile * rows;
                    let y = (channels.end == self.cin).then(|| self.halves(y, first..pixels.end, panel));
                    // SAFETY: no other task has these channels of these pixels.
                    unsafe { self.tile.multiply(&taps, (&seen, tile), b, sums, y) };
                }
            }
        }
    }

    /// The tile of the output at the first of these pixels, or what there is of one.
    fn halves(&self, y: Output, pixels: Range<usize>, panel: usize) -> Halves {
        let (rows, width) = (self.tile.rows, self.tile.columns);
        let channel = panel * width;
        Halves {
            // SAFETY: inside the output.
            start: unsafe { y.0.add(pixels.start * self.cout + channel) },
            stride: self.cout,
            rows: rows.min(pixels.len()),
            columns: width.min(self.cout - channel),
        }
    }

    /// Input pixels along a side that so many output pixels see.
    fn seen(&self, out: &Range<usize>) -> usize {
        (out.len() - 1) * self.stride + self.kernel
    }

    /// Parts of lines and stretches of whole ones.
    fn pieces(&self, pixels: Range<usize>) -> Vec<Piece> {
        let (mut at, mut start, mut pieces) = (pixels.start, 0, Vec::new());
        while at < pixels.end {
            let (line, column, left) = (at / self.owidth, at % self.owidth, pixels.end - at);
            let row = line % self.oheight;
            let (rows, columns) = match column == 0 && left >= self.owidth {
                true => (row..self.oheight.min(row + left / self.owidth), 0..self.owidth),
                false => (row..row + 1, column..self.owidth.min(column + left)),
            };
            at += rows.len() * columns.len();
            let image = line / self.oheight;
            let lines = self.seen(&rows);
            pieces.push(Piece {
                image,
                rows,
                columns,
                start,
            });
            start += lines;
        }
        pieces
    }

    /// Writes what a piece sees of the image, and zeros for the padding, in lines of `pitch` pixels.
    fn widen(&self, piece: &Piece, pitch: usize, channels: &Range<usize>, image: &mut [f32]) {
        let (depth, columns) = (channels.len(), self.seen(&piece.columns));
        let left = piece.columns.start * self.stride;
        let inside = self.pad.saturating_sub(left).min(columns)
            ..(self.width + self.pad).saturating_sub(left).min(columns);
        for line in 0..self.seen(&piece.rows) {
            let target = &mut image[(piece.start + line) * pitch * depth..][..columns * depth];
            let row = (piece.rows.start * self.stride + line).checked_sub(self.pad);
            let Some(row) = row.filter(|&row| row < self.height && !inside.is_empty()) else {
                target.fill(0.0);
                continue;
            };
            target[..inside.start * depth].fill(0.0);
            target[inside.end * depth..].fill(0.0);
            let target = &mut target[inside.start * depth..inside.end * depth];
            let first = (piece.image * self.height + row) * self.width + left + inside.start - self.pad;
            let source = &self.x[first * self.cin..][..inside.len() * self.cin];
            if depth == self.cin {
                widen(source, target);
                continue;
            }
            for (target, source) in target.chunks_exact_mut(depth).zip(source.chunks_exact(self.cin)) {
                widen(&source[channels.clone()], target);
            }
        }
    }

    /// Where the first tap of each pixel is.
    fn firsts(&self, pieces: &[Piece], pitch: usize, depth: usize) -> Vec<usize> {
        let pixels = pieces.iter().map(|piece| piece.rows.len() * piece.columns.len());
        let mut firsts = Vec::with_capacity(pixels.sum());
        for piece in pieces {
            for row in 0..piece.rows.len() {
                let line = (piece.start + row * self.stride) * pitch;
                firsts.extend((0..piece.columns.len()).map(|column| (line + column * self.stride) * depth));
            }
        }
        firsts
    }
}
