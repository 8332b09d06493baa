//! C = A Bᵀ on the CPU without repacking B, as dot products of its rows where they stand: for few rows of A, where repacking
//! costs more than the product, and for narrow elements, which are widened as they are read.
//!
//! A register tile has four rows of A and three of B, or one and four. Tasks take blocks of both, and steps of k that keep A's
//! four rows in the first-level cache while B's pass by from the second; for that A is repacked, which costs little where B has
//! many rows. A sum is made in eight lanes over every [`STEPS`] elements of k, whose sums are added in ascending order, whatever
//! the tiles and the threads are.

#![allow(
    unsafe_code,
    reason = "tasks write blocks of C, and tiles read vectors, through raw pointers"
)]

mod one;

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::{Element, Shape, borrow};
use crate::aligned::Buffer;

/// Steps of k at a time: four rows of A are 16 KiB, half of a first-level cache.
const STEPS: usize = 1024;

/// Rows of A and of B in a register tile: twelve sums, and three vectors of B with one of A, fill sixteen registers.
const HIGH: usize = 4;
const WIDE: usize = 3;

/// Rows of A and of B of a task: for [`STEPS`], A's are 128 KiB and B's, in halves, 96 KiB.
const ROWS: usize = 32;
const COLUMNS: usize = 48;

/// Elements of a vector.
const LANES: usize = 8;

thread_local! {
    /// A in f32, kept from call to call.
    static PACKED: RefCell<Option<Buffer>> = const { RefCell::new(None) };
}

/// Whether this processor has the instructions.
pub(super) fn are_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return crate::wide::has_avx2();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Blocks of C, which tasks write one each.
struct Blocks<C>(*mut C);

// SAFETY: no two tasks have elements in common; see `dots`.
unsafe impl<C: Send> Sync for Blocks<C> {}

/// A is `m * k`, B `n * k`, C `m * n`, all row-major, with a word for each element; `store` turns sums into elements of C.
///
/// # Panics
/// Where they are not [available](are_available).
pub(super) fn dots<E: Element, C: Send>(
    shape: Shape,
    a: &[E],
    b: &[E],
    c: &mut [C],
    store: impl Fn(&[f32], &mut [C]) + Sync,
) {
    let Shape { m, n, k } = shape;
    assert!(are_available() && E::PER_WORD == 1 && k > 0);
    assert!(a.len() == m * k && b.len() == n * k && c.len() == m * n);
    let mut packed = borrow(&PACKED, m * k);
    let words: &mut [f32] = bytemuck::cast_slice_mut(&mut packed.words_mut()[..m * k]);
    pack(words, a, k);
    let a = Packed { words, rows: m, k };
    let (down, across) = (m.div_ceil(ROWS), n.div_ceil(COLUMNS));
    let blocks = Blocks(c.as_mut_ptr());
    // Blocks of one part of B follow each other.
    (0..down * across)
        .into_par_iter()
        .with_max_len(1)
        .for_each(|task| {
            let blocks = &blocks;
            let rows = part(m, ROWS, task % down);
            let columns = part(n, COLUMNS, task / down);
            let mut sums = [0.0; ROWS * COLUMNS];
            let sums = &mut sums[..rows.len() * columns.len()];
            a.add_products(rows.clone(), &b[columns.start * k..columns.end * k], sums);
            for (row, sums) in rows.zip(sums.chunks(columns.len())) {
                // SAFETY: row < m and columns end at n or before, so these lie in C; no other task has the row's columns.
                let c = unsafe {
                    std::slice::from_raw_parts_mut(blocks.0.add(row * n + columns.start), sums.len())
                };
                store(sums, c);
            }
        });
    PACKED.set(Some(packed));
}

/// The `index`-th stretch of `each` in `0..count`.
fn part(count: usize, each: usize, index: usize) -> Range<usize> {
    index * each..count.min((index + 1) * each)
}

/// Stretches of [`STEPS`] of all rows, one after the other, whole vectors of them; of each, four rows after four, side by side
/// by vectors. What k leaves of a vector follows, row by row.
fn pack<E: Element>(words: &mut [f32], a: &[E], k: usize) {
    let (rows, whole) = (a.len() / k, k / LANES * LANES);
    let (words, rest) = words.split_at_mut(rows * whole);
    words
        .par_chunks_mut(rows * STEPS)
        .enumerate()
        .for_each(|(stretch, words)| {
            let steps = part(whole, STEPS, stretch);
            let fours = words.par_chunks_mut(HIGH * steps.len()).enumerate();
            fours.for_each(|(four, words)| {
                let high = words.len() / steps.len();
                for row in 0..high {
                    let a = &a[(four * HIGH + row) * k..][steps.clone()];
                    let vectors = words.as_chunks_mut().0.iter_mut().skip(row).step_by(high);
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: `dots` has checked for the instructions.
                    unsafe {
                        x86::widen(vectors, a.as_chunks().0);
                    }
                    #[cfg(not(target_arch = "x86_64"))]
                    unreachable!("{} vectors on another architecture", vectors.count());
                }
            });
        });
    if whole < k {
        for (rest, a) in rest.chunks_exact_mut(k - whole).zip(a.chunks_exact(k)) {
            let a = a[whole..].chunks(1).map(|a| f32::from_bits(E::word(a)));
            rest.iter_mut().zip(a).for_each(|(rest, a)| *rest = a);
        }
    }
}

struct Packed<'a> {
    words: &'a [f32],
    rows: usize,
    k: usize,
}

impl Packed<'_> {
    /// Adds the products of some rows with all of `b` to `sums`, a row for each.
    fn add_products<E: Element>(&self, rows: Range<usize>, b: &[E], sums: &mut [f32]) {
        match self.rows {
            1 => one::add_products(sums, &self.words[..self.k / LANES * LANES], b, self.k),
            _ => self.add_stretches(rows.clone(), b, sums),
        }
        self.add_rest(rows, b, sums);
    }

    /// Of whole vectors, stretch after stretch.
    fn add_stretches<E: Element>(&self, rows: Range<usize>, b: &[E], sums: &mut [f32]) {
        let (columns, whole) = (b.len() / self.k, self.k / LANES * LANES);
        for first in (0..whole).step_by(STEPS) {
            let steps = first..whole.min(first + STEPS);
            let stretch = &self.words[first * self.rows..][..steps.len() * self.rows];
            let some = &stretch[rows.start * steps.len()..rows.end * steps.len()];
            let fours = some.chunks(HIGH * steps.len());
            for (a, sums) in fours.zip(sums.chunks_mut(HIGH * columns)) {
                match a.len() / steps.len() {
                    1 => add_rows::<E, 1>(sums, a, b, self.k, first),
                    2 => add_rows::<E, 2>(sums, a, b, self.k, first),
                    3 => add_rows::<E, 3>(sums, a, b, self.k, first),
                    _ => add_rows::<E, HIGH>(sums, a, b, self.k, first),
                }
            }
        }
    }

    /// Of what k leaves of a vector.
    fn add_rest<E: Element>(&self, rows: Range<usize>, b: &[E], sums: &mut [f32]) {
        let (columns, whole) = (b.len() / self.k, self.k / LANES * LANES);
        let rest = self.k - whole;
        for (row, sums) in rows.zip(sums.chunks_mut(columns)) {
            let a = &self.words[whole * self.rows + row * rest..][..rest];
            for (b, sum) in b.chunks_exact(self.k).zip(sums) {
                let b = b[whole..].chunks(1).map(|b| f32::from_bits(E::word(b)));
                *sum += a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            }
        }
    }
}

/// Adds the products of H rows, packed, with all of `b`, from element `first` of its rows on.
fn add_rows<E: Element, const H: usize>(sums: &mut [f32], a: &[f32], b: &[E], k: usize, first: usize) {
    let (columns, vectors) = (b.len() / k, a.len() / (H * LANES));
    assert!(a.len() == H * vectors * LANES && first + vectors * LANES <= k);
    for column in (0..columns).step_by(WIDE) {
        let width = (columns - column).min(WIDE);
        let b = &b[column * k + first..];
        let mut tile = [[0.0; WIDE]; H];
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `dots` has checked for the instructions. Each row of `b` is there from `first` on, and has the vectors.
        unsafe {
            match width {
                1 => x86::tile::<E, H, 1>(&mut tile, a.as_ptr(), b.as_ptr(), k, vectors),
                2 => x86::tile::<E, H, 2>(&mut tile, a.as_ptr(), b.as_ptr(), k, vectors),
                _ => x86::tile::<E, H, WIDE>(&mut tile, a.as_ptr(), b.as_ptr(), k, vectors),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("{} elements on another architecture", b.len());
        for (row, tile) in tile.iter().enumerate() {
            let sums = &mut sums[row * columns + column..][..width];
            sums.iter_mut().zip(tile).for_each(|(sum, more)| *sum += more);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps};

    use super::{Element, LANES, WIDE};
    use crate::wide::{fetch, sum_of_lanes};

    /// # Safety
    /// The processor has AVX2 and F16C.
    #[target_feature(enable = "avx2,f16c")]
    pub(super) unsafe fn widen<'a, E: Element>(
        words: impl Iterator<Item = &'a mut [f32; LANES]>,
        a: &[[E; LANES]],
    ) {
        for (words, a) in words.zip(a) {
            // SAFETY: eight elements are there.
            *words = bytemuck::cast(unsafe { E::words(a.as_ptr()) });
        }
    }

    /// Sums of products of H rows, packed, with W rows of `k` elements. As many rows after those are fetched ahead: of each
    /// only a part is read, at whose end the processor foresees no more.
    ///
    /// # Safety
    /// The processor has AVX2, FMA and F16C, and each row `vectors` vectors.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) unsafe fn tile<E: Element, const H: usize, const W: usize>(
        tile: &mut [[f32; WIDE]; H],
        a: *const f32,
        b: *const E,
        k: usize,
        vectors: usize,
    ) {
        let vectors_of_a_line = const { 64 / (LANES * size_of::<E>()) };
        let mut sums = [[_mm256_setzero_ps(); W]; H];
        for vector in 0..vectors {
            if vector % vectors_of_a_line == 0 {
                for column in W..2 * W {
                    fetch(b.wrapping_add(column * k + vector * LANES));
                }
            }
            let mut wide = [_mm256_setzero_ps(); W];
            // SAFETY: the vectors are there, as the caller promises.
            unsafe {
                for (column, wide) in wide.iter_mut().enumerate() {
                    *wide = E::words(b.add(column * k + vector * LANES));
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let a = _mm256_loadu_ps(a.add((vector * H + row) * LANES));
                    for (sum, wide) in sums.iter_mut().zip(wide) {
                        *sum = _mm256_fmadd_ps(a, wide, *sum);
                    }
                }
            }
        }
        for row in 0..H {
            for column in 0..W {
                tile[row][column] = sum_of_lanes(sums[row][column]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    /// Small integers, whose sums are exact in any order.
    fn drawn(count: usize, by: usize) -> Vec<f16> {
        let number = |at: usize| (at * by % 7) as f32 - 3.0;
        (0..count).map(|at| f16::from_f32(number(at))).collect()
    }

    #[test]
    fn a_row_alone_has_the_bits_that_it_has_among_others() {
        if !are_available() {
            return;
        }
        let drawn = |count: usize, by: usize| -> Vec<f32> {
            (0..count).map(|at| (at * by % 251) as f32 / 97.0 - 1.0).collect()
        };
        let shapes = [1, 2, 3, COLUMNS + 5]
            .into_iter()
            .flat_map(|n| [LANES - 1, 3 * LANES, 2 * STEPS + 9 * LANES + 3].map(|k| (n, k)));
        for (n, k) in shapes {
            let (a, b) = (drawn((HIGH + 1) * k, 13), drawn(n * k, 29));
            let product = |a: &[f32]| {
                let m = a.len() / k;
                let mut c = vec![f32::NAN; m * n];
                dots(Shape { m, n, k }, a, &b, &mut c, |sums, c| {
                    c.copy_from_slice(sums);
                });
                c
            };
            let alone = a.chunks(k).flat_map(product);
            assert!(alone.eq(product(&a)), "{n} x {k}");
        }
    }

    #[test]
    fn every_row_meets_every_other_whatever_blocks_they_fill() {
        if !are_available() {
            return;
        }
        let shapes = [1, HIGH + 1, ROWS + 3].into_iter().flat_map(|m| {
            [1, WIDE + 1, COLUMNS + 2].map(|n| [5, LANES, 2 * STEPS + LANES + 3].map(|k| Shape { m, n, k }))
        });
        for shape in shapes.flatten() {
            let Shape { m, n, k } = shape;
            let (a, b) = (drawn(m * k, 5), drawn(n * k, 11));
            let mut c = vec![f32::NAN; m * n];
            dots(shape, &a, &b, &mut c, |sums, c| c.copy_from_slice(sums));
            for (a, c) in a.chunks(k).zip(c.chunks(n)) {
                for (b, c) in b.chunks(k).zip(c) {
                    let products = a.iter().zip(b).map(|(a, b)| a.to_f32() * b.to_f32());
                    assert_eq!(products.sum::<f32>(), *c, "{shape:?}");
                }
            }
        }
    }
}
