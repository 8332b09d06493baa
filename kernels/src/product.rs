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
mod tests;
