//! C = A Bᵀ on the CPU, for every element type, by the blocking of Goto and van de Geijn (ACM TOMS 34, 2008).
//!
//! Both operands are repacked into 32-bit words, one a step of k: an f32, a narrower float widened to f32, or two i8 widened to i16.
//! B is packed once into panels of as many columns as a register tile has. Tasks then take blocks of rows: each packs
//! its rows of A for [`STEPS`] steps into the second-level cache and multiplies them with every panel of B. A sum of C
//! takes its products in ascending order of k whatever the blocks and the threads are.

#![allow(
    unsafe_code,
    reason = "register tiles are written with vector instructions on raw pointers"
)]

mod batch;
mod blocks;
pub(crate) mod grid;
mod narrowed;
mod pack;
mod tile;

#[cfg(target_arch = "x86_64")]
mod x86;

use std::cell::RefCell;

use crate::aligned::Buffer;
pub(crate) use batch::{Batch, Matrices};
use blocks::{Job, Output};
pub(crate) use narrowed::{narrowed, narrowed_by};
use pack::Operand;
pub(crate) use pack::{Element, panel};
pub(crate) use tile::{MOST_WORDS, Tile};

/// Steps of one block: C is read and written once for so many products.
const STEPS: usize = 1024;

/// Bytes of packed B: a share of the last-level cache, and small where k is large.
const PACKED_BYTES: usize = 16 << 20;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
}

/// Who computes a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// Those of the current pool share it.
    All,
    /// The caller's does, as one of many that have a product each.
    One,
}

thread_local! {
    /// Kept from call to call: fresh pages cost more than packing does.
    static PACKED_A: RefCell<Option<Buffer>> = const { RefCell::new(None) };
    static PACKED_B: RefCell<Option<Buffer>> = const { RefCell::new(None) };
}

/// A buffer of at least `words`, reused from the last call on this thread, in use until it is handed back.
pub(crate) fn borrow(cell: &'static std::thread::LocalKey<RefCell<Option<Buffer>>>, words: usize) -> Buffer {
    let bytes = words * size_of::<u32>();
    let kept = cell.with_borrow_mut(Option::take);
    kept.filter(|buffer| buffer.bytes().len() >= bytes)
        .unwrap_or_else(|| Buffer::new(bytes).expect("memory for packed operands"))
}

/// Words of C as f32 or i32 bits. A is `m * k`, B is `n * k`, C is `m * n`, all row-major.
pub(crate) fn product<E: Element>(shape: Shape, a: &[E], b: &[E], c: &mut [u32], tile: &Tile) {
    product_by(Threads::All, shape, a, b, c, tile);
}

/// [`product`], by these threads.
pub(crate) fn product_by<E: Element>(
    threads: Threads,
    shape: Shape,
    a: &[E],
    b: &[E],
    c: &mut [u32],
    tile: &Tile,
) {
    let Shape { m, n, k } = shape;
    assert!(a.len() == m * k && b.len() == n * k && c.len() == m * n);
    let c = Output {
        start: c.as_mut_ptr(),
        stride: n,
        keep: false,
        factor: 1.0,
    };
    // SAFETY: C is whole, and nobody else's.
    unsafe { product_into(threads, shape, Operand::rows(a, k), Operand::rows(b, k), c, tile) };
}

/// [`product`] of operands that stand in any order.
///
/// # Safety
/// C lies in memory that nobody else uses.
unsafe fn product_into<E: Element>(
    threads: Threads,
    shape: Shape,
    a: Operand<E>,
    b: Operand<E>,
    c: Output,
    tile: &Tile,
) {
    if shape.k == 0 {
        // SAFETY: rows of C, as the caller promises.
        let rows = (0..shape.m).map(|row| unsafe { c.start.add(row * c.stride) });
        return rows.for_each(|row| {
            if !c.keep {
                // SAFETY: as above; the bits of 0 and of 0.0 are zeros.
                unsafe { row.write_bytes(0, shape.n) };
            }
        });
    }
    let steps = shape.k.div_ceil(E::PER_WORD);
    let columns = (PACKED_BYTES / (4 * steps)).max(tile.columns) / tile.columns * tile.columns;
    let mut packed_b = borrow(
        &PACKED_B,
        steps * columns.min(shape.n.next_multiple_of(tile.columns)),
    );
    for start in (0..shape.n).step_by(columns) {
        let job = Job {
            shape,
            steps,
            columns: start..shape.n.min(start + columns),
            a,
            c,
            tile,
            threads,
        };
        job.pack_b(b, packed_b.words_mut());
        job.multiply(packed_b.words());
    }
    PACKED_B.set(Some(packed_b));
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    /// The shape of the AVX-512 tiles in plain Rust, so that packing and edges are tried everywhere.
    static TALL: Tile = Tile {
        rows: 14,
        columns: 32,
        vectors: cfg!(target_arch = "x86_64"),
        multiply: |steps, a, b, c, stride, first| {
            for (row, column) in (0..14).flat_map(|row| (0..32).map(move |column| (row, column))) {
                // SAFETY: the contract of `Multiply`.
                unsafe {
                    let c = c.add(row * stride + column);
                    let start = if first { 0.0 } else { f32::from_bits(*c) };
                    *c = (0..steps)
                        .map(|step| [*a.add(step * 14 + row), *b.add(step * 32 + column)].map(f32::from_bits))
                        .fold(start, |sum, [a, b]| sum + a * b)
                        .to_bits();
                }
            }
        },
    };

    const SHAPES: [[usize; 3]; 7] = [
        [1, 1, 1],
        [6, 16, 8],
        [14, 32, 24],
        [15, 33, 17],
        [29, 95, 41],
        [3, 7, 2 * STEPS + 9],
        [113, 67, STEPS + 1],
    ];

    fn integers(count: usize, step: usize) -> impl Iterator<Item = i32> {
        (0..count).map(move |i| (i * step % 255) as i32 - 127)
    }

    fn plain(m: usize, n: usize, k: usize, a: &[i32], b: &[i32]) -> Vec<i32> {
        let cell = |i: usize, j: usize| (0..k).map(|step| a[i * k + step] * b[j * k + step]).sum();
        (0..m * n)
            .map(|cell_index| cell(cell_index / n, cell_index % n))
            .collect()
    }

    /// Every tile this processor runs, on small integers, whose sums are exact in any order and type.
    #[test]
    fn every_tile_multiplies_every_element_type_exactly() {
        for [m, n, k] in SHAPES {
            let (a, b): (Vec<i32>, Vec<i32>) = (integers(m * k, 7).collect(), integers(n * k, 11).collect());
            let want = plain(m, n, k, &a, &b);
            let shape = Shape { m, n, k };
            let mut c = vec![u32::MAX; m * n];
            let to_f32 = |values: &[i32]| values.iter().map(|&v| v as f32).collect::<Vec<f32>>();
            let to_f16 = |values: &[i32]| {
                values
                    .iter()
                    .map(|&v| f16::from_f32(v as f32))
                    .collect::<Vec<f16>>()
            };
            let to_bf16 = |values: &[i32]| {
                values
                    .iter()
                    .map(|&v| bf16::from_f32(v as f32))
                    .collect::<Vec<bf16>>()
            };
            let to_i8 = |values: &[i32]| values.iter().map(|&v| v as i8).collect::<Vec<i8>>();
            let floats = |c: &[u32]| {
                c.iter()
                    .map(|&bits| f32::from_bits(bits) as i32)
                    .collect::<Vec<i32>>()
            };
            for tile in [Tile::fused(), Tile::rounded(), Tile::portable_rounded(), &TALL] {
                product(shape, &to_f32(&a), &to_f32(&b), &mut c, tile);
                assert_eq!(floats(&c), want, "f32, {shape:?}, {} rows", tile.rows);
                product(shape, &to_f16(&a), &to_f16(&b), &mut c, tile);
                assert_eq!(floats(&c), want, "f16, {shape:?}, {} rows", tile.rows);
                product(shape, &to_bf16(&a), &to_bf16(&b), &mut c, tile);
                assert_eq!(floats(&c), want, "bf16, {shape:?}, {} rows", tile.rows);
            }
            for tile in [Tile::integer(), Tile::portable_integer()] {
                product(shape, &to_i8(&a), &to_i8(&b), &mut c, tile);
                let sums: Vec<i32> = c.iter().map(|bits| bits.cast_signed()).collect();
                assert_eq!(sums, want, "i8, {shape:?}, {} rows", tile.rows);
            }
        }
    }

    #[test]
    fn one_thread_gives_the_bits_of_all() {
        for [m, n, k] in SHAPES {
            let [a, b] = [(m * k, 13), (n * k, 29)].map(|(count, step)| {
                integers(count, step)
                    .map(|v| v as f32 / 97.0)
                    .collect::<Vec<f32>>()
            });
            let [all, one] = [Threads::All, Threads::One].map(|threads| {
                let mut c = vec![u32::MAX; m * n];
                product_by(threads, Shape { m, n, k }, &a, &b, &mut c, Tile::rounded());
                c
            });
            assert_eq!(all, one, "{m} x {n} x {k}");
        }
    }

    #[test]
    fn the_most_negative_bytes_do_not_saturate() {
        let k = 1000;
        for tile in [Tile::integer(), Tile::portable_integer()] {
            let mut c = [0];
            product(
                Shape { m: 1, n: 1, k },
                &vec![-128i8; k],
                &vec![-128i8; k],
                &mut c,
                tile,
            );
            assert_eq!(c[0], 128 * 128 * 1000);
        }
    }

    /// Blocks and threads must not change a rounded sum: k ascends whatever the shape of the tile.
    #[test]
    fn rounded_sums_have_the_same_bits_from_every_tile() {
        let (m, n, k) = (31, 45, 2 * STEPS + 77);
        let [a, b] = [(m * k, 13), (n * k, 29)].map(|(count, step)| {
            integers(count, step)
                .map(|v| v as f32 / 97.0)
                .collect::<Vec<f32>>()
        });
        let mut want = vec![0; m * n];
        product(Shape { m, n, k }, &a, &b, &mut want, Tile::portable_rounded());
        for tile in [Tile::rounded(), &TALL] {
            let mut c = vec![0; m * n];
            product(Shape { m, n, k }, &a, &b, &mut c, tile);
            assert_eq!(c, want, "{} rows", tile.rows);
        }
    }
}
