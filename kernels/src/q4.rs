//! Rows of 4-bit weights in blocks of 32, and rows of i8 activations in such blocks, on the CPU: eight blocks at a time. Blocks are
//! those of `gemv.q4.v1`.

mod tokens;
#[cfg(target_arch = "x86_64")]
mod vnni;
#[cfg(target_arch = "x86_64")]
mod x86;

use half::f16;

use crate::halves::widen;
#[cfg(target_arch = "x86_64")]
use crate::wide::has_avx2;
use crate::wide::wide;
pub(crate) use tokens::Tokens;

/// Weights of a block.
pub(crate) const BLOCK: usize = 32;
pub(crate) const BLOCK_BYTES: usize = BLOCK / 2;

/// Rows whose lanes are added up together: of weights one after the other, of activations side by side.
const ROWS: usize = 4;

/// Blocks whose scales fill a vector.
const GROUP: usize = 8;

pub(crate) type Block = [u8; BLOCK_BYTES];

/// A row of weights, in groups and the blocks that fill none: blocks, and the bits of their scales.
#[derive(Clone, Copy)]
struct Weights<'a> {
    groups: &'a [[Block; GROUP]],
    scales: &'a [[u16; GROUP]],
    rest: &'a [Block],
    rest_scales: &'a [u16],
}

/// A row of activations, as [`Weights`].
pub(crate) struct Activations<'a> {
    groups: Vec<Group>,
    rest: &'a [[i8; BLOCK]],
    rest_scales: &'a [u16],
}

/// Eight blocks in four pairs of neighbours, on cache lines.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Group {
    /// Of each pair the activations that low nibbles meet, and those that high ones do.
    low: [[i8; BLOCK]; GROUP / 2],
    high: [[i8; BLOCK]; GROUP / 2],
    /// First of each pair's first block, then of each second: scales, and 8 times the sum, by which a sum of products with
    /// nibbles exceeds the one with weights.
    scales: [f32; GROUP],
    excess: [i32; GROUP],
}

/// Rows of weights one after the other, and where their products with activations go.
pub(crate) struct Rows<'a> {
    blocks: &'a [Block],
    scales: &'a [u16],
    y: &'a mut [f32],
}

/// Products of some rows with a row of activations, which is as long as each of them.
fn of_rows(rows: Rows<'_>, x: &Activations<'_>) {
    let rows = grouped_of_rows(rows, x);
    if x.rest.is_empty() {
        return;
    }
    for row in 0..rows.y.len() {
        rows.y[row] += rest_sum(rows.row(row, x.blocks()), x);
    }
}

/// Products of one row of weights with some of activations, which are as long.
fn of_tokens<const N: usize>(w: Weights<'_>, x: [&Activations<'_>; N]) -> [f32; N] {
    let grouped = grouped_of_tokens(w, x.map(|x| &x.groups[..]));
    std::array::from_fn(|token| grouped[token] + rest_sum(w, x[token]))
}

/// What the groups give; gives the rows back.
fn grouped_of_rows<'a>(rows: Rows<'a>, x: &Activations<'_>) -> Rows<'a> {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        #[allow(
            unsafe_code,
            reason = "calling a function for AVX2 is unsafe without the check just made"
        )]
        // SAFETY: the processor has AVX2, FMA and F16C.
        return unsafe { x86::of_rows(rows, x) };
    }
    for row in 0..rows.y.len() {
        rows.y[row] = grouped_sum(rows.row(row, x.blocks()), &x.groups);
    }
    rows
}

fn grouped_of_tokens<const N: usize>(w: Weights<'_>, x: [&[Group]; N]) -> [f32; N] {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        #[allow(
            unsafe_code,
            reason = "calling a function for AVX2 is unsafe without the check just made"
        )]
        // SAFETY: the processor has AVX2, FMA and F16C.
        return unsafe { x86::of_tokens(w, x) };
    }
    x.map(|x| grouped_sum(w, x))
}

fn grouped_sum(w: Weights<'_>, x: &[Group]) -> f32 {
    let groups = w.groups.iter().zip(w.scales).zip(x);
    groups.map(|((w, scales), x)| x.sum_with(w, scales)).sum()
}

fn rest_sum(w: Weights<'_>, x: &Activations<'_>) -> f32 {
    let scales = w.rest_scales.iter().zip(x.rest_scales).map(|(w, x)| {
        let [w, x] = [w, x].map(|&bits| f16::from_bits(bits).to_f32());
        w * x
    });
    let sums = w.rest.iter().zip(x.rest).map(|(w, x)| integer_sum(w, x) as f32);
    scales.zip(sums).map(|(scale, sum)| scale * sum).sum()
}

fn integer_sum(w: &Block, x: &[i8; BLOCK]) -> i32 {
    let product = |nibble: u8, x: i8| (i32::from(nibble) - 8) * i32::from(x);
    let of_byte = |at: usize| product(w[at] & 15, x[at]) + product(w[at] >> 4, x[at + BLOCK_BYTES]);
    (0..BLOCK_BYTES).map(of_byte).sum()
}

/// The block of a group whose scale stands at `place`.
fn block_at(place: usize) -> usize {
    place % (GROUP / 2) * 2 + place / (GROUP / 2)
}

impl<'a> Rows<'a> {
    pub(crate) fn new([blocks, scales]: [&'a [u8]; 2], y: &'a mut [f32]) -> Self {
        let (blocks, scales) = (bytemuck::cast_slice(blocks), bytemuck::cast_slice(scales));
        Self { blocks, scales, y }
    }

    /// Parts of so many rows, each of so many blocks.
    pub(crate) fn chunks(self, rows: usize, blocks: usize) -> impl Iterator<Item = Self> {
        let Self { blocks: w, scales, y } = self;
        let w = w.chunks(rows * blocks).zip(scales.chunks(rows * blocks));
        let parts = y.chunks_mut(rows).zip(w);
        parts.map(|(y, (blocks, scales))| Self { blocks, scales, y })
    }

    #[inline]
    fn row(&self, row: usize, blocks: usize) -> Weights<'a> {
        let part = row * blocks..(row + 1) * blocks;
        Weights::new((&self.blocks[part.clone()], &self.scales[part]))
    }
}

impl<'a> Weights<'a> {
    #[inline]
    fn new((blocks, scales): (&'a [Block], &'a [u16])) -> Self {
        let ((groups, rest), (scales, rest_scales)) = (blocks.as_chunks(), scales.as_chunks());
        Self {
            groups,
            scales,
            rest,
            rest_scales,
        }
    }
}

impl<'a> Activations<'a> {
    pub(crate) fn new(x: &'a [[i8; BLOCK]], scales: &'a [u16]) -> Self {
        let ((blocks, rest), (scales, rest_scales)) = (x.as_chunks(), scales.as_chunks::<GROUP>());
        let mut wide = vec![[0.0; GROUP]; scales.len()];
        widen(scales.as_flattened(), wide.as_flattened_mut());
        let mut groups = vec![Group::default(); blocks.len()];
        fill(&mut groups, blocks, &wide);
        Self {
            groups,
            rest,
            rest_scales,
        }
    }

    fn blocks(&self) -> usize {
        self.groups.len() * GROUP + self.rest.len()
    }
}

wide! {
    fn fill(groups: &mut [Group], x: &[[[i8; BLOCK]; GROUP]], scales: &[[f32; GROUP]]) {
        for (group, (x, scales)) in groups.iter_mut().zip(x.iter().zip(scales)) {
            group.fill(x, scales);
        }
    }
}

impl Group {
    #[inline(always)]
    fn fill(&mut self, x: &[[i8; BLOCK]; GROUP], scales: &[f32; GROUP]) {
        for pair in 0..GROUP / 2 {
            for place in 0..2 {
                let (low, high) = x[2 * pair + place].split_at(BLOCK_BYTES);
                let half = place * BLOCK_BYTES..(place + 1) * BLOCK_BYTES;
                self.low[pair][half.clone()].copy_from_slice(low);
                self.high[pair][half].copy_from_slice(high);
            }
        }
        for place in 0..GROUP {
            let block = block_at(place);
            self.scales[place] = scales[block];
            self.excess[place] = 8 * x[block].iter().map(|&x| i32::from(x)).sum::<i32>();
        }
    }

    fn sum_with(&self, w: &[Block; GROUP], scales: &[u16; GROUP]) -> f32 {
        let product = |nibble: u8, x: i8| i32::from(nibble) * i32::from(x);
        let block = |place: usize| {
            let (pair, first) = (place % (GROUP / 2), place / (GROUP / 2) * BLOCK_BYTES);
            let x = self.low[pair][first..].iter().zip(&self.high[pair][first..]);
            let nibbles = w[block_at(place)].iter().zip(x);
            let sum: i32 = nibbles
                .map(|(w, (low, high))| product(w & 15, *low) + product(w >> 4, *high))
                .sum();
            let scale = f16::from_bits(scales[block_at(place)]).to_f32();
            scale * self.scales[place] * (sum - self.excess[place]) as f32
        };
        (0..GROUP).map(block).sum()
    }
}

#[cfg(test)]
mod tests {
    use attest::exact::stream::{Form, bytes};

    use super::*;

    /// With scales of 1 every sum is an integer that f32 holds, so any order gives the same.
    const ONES: [u16; GROUP] = [0x3C00; GROUP];

    fn of_all<const N: usize>(w: [(&[Block], &[u16]); N], x: &Activations<'_>) -> [f32; N] {
        let (blocks, scales) = (
            w.map(|(blocks, _)| blocks).concat(),
            w.map(|(_, scales)| scales).concat(),
        );
        let mut y = [f32::NAN; N];
        let rows = Rows {
            blocks: &blocks,
            scales: &scales,
            y: &mut y,
        };
        of_rows(rows, x);
        y
    }

    fn expect_one_sum(w: &[Block; GROUP], x: &[[i8; BLOCK]; GROUP]) {
        let want: i32 = w.iter().zip(x).map(|(w, x)| integer_sum(w, x)).sum();
        let x = Activations::new(x, &ONES);
        assert_eq!(x.groups[0].sum_with(w, &ONES), want as f32);
        assert_eq!(of_all([(w, &ONES); ROWS + 1], &x), [want as f32; ROWS + 1]);
        assert_eq!(
            of_tokens(Weights::new((w, &ONES)), [&x; ROWS]),
            [want as f32; ROWS]
        );
    }

    #[test]
    fn a_group_is_the_sum_of_its_blocks_with_vectors_and_without() {
        let drawn = |name| bytes(&[5; 32], name, Form::I8, GROUP * BLOCK);
        let (w, x) = (drawn("w"), drawn("x"));
        expect_one_sum(
            &bytemuck::pod_read_unaligned(&w[..GROUP * BLOCK_BYTES]),
            &bytemuck::pod_read_unaligned(&x),
        );
    }

    #[test]
    fn a_row_alone_has_the_bits_that_it_has_among_others() {
        const BLOCKS: usize = 3 * GROUP + 5;
        let drawn = |name, form, len| bytes(&[6; 32], name, form, len);
        let w: Vec<Block> = bytemuck::cast_slice(&drawn("w", Form::I8, ROWS * BLOCKS * BLOCK_BYTES)).to_vec();
        let x: Vec<[i8; BLOCK]> = bytemuck::cast_slice(&drawn("x", Form::I8, ROWS * BLOCKS * BLOCK)).to_vec();
        let scales: Vec<u16> = (0..ROWS * BLOCKS).map(|at| 0x2C00 + 7 * at as u16).collect();
        let part = |row: usize| row * BLOCKS..(row + 1) * BLOCKS;
        let w: [_; ROWS] = std::array::from_fn(|row| (&w[part(row)], &scales[part(row)]));
        let x: [_; ROWS] = std::array::from_fn(|row| Activations::new(&x[part(row)], &scales[part(row)]));
        for x in &x {
            assert_eq!(of_all(w, x), w.map(|w| of_all([w], x)[0]));
        }
        for w in w.map(Weights::new) {
            assert_eq!(
                of_tokens(w, x.each_ref()),
                x.each_ref().map(|x| of_tokens(w, [x])[0])
            );
        }
    }

    #[test]
    fn the_largest_sums_fit() {
        for (w, x) in [(0xFF, -128), (0xFF, 127), (0x00, -128), (0x00, 127)] {
            expect_one_sum(&[[w; BLOCK_BYTES]; GROUP], &[[x; BLOCK]; GROUP]);
        }
    }
}
