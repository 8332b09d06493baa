//! C = A Bᵀ on the CPU, for every element type, by the blocking of Goto and van de Geijn (ACM TOMS 34, 2008).
//!
//! Both operands are repacked into 32-bit words, one a step of k: an f32, a narrower float widened to f32, or two i8 widened to i16.
//! The operand of fewer rows is packed first, into panels of as many as a register tile has, and shared: it is small and
//! every task reads it. Tasks take blocks of the other's rows: each packs its own for [`STEPS`] steps into the second-level
//! cache and multiplies them with every shared panel. A sum of C takes its products in ascending order of k whatever the
//! blocks and the threads are.

#![allow(
    unsafe_code,
    reason = "register tiles are written with vector instructions on raw pointers"
)]

mod batch;
mod blocks;
mod dots;
mod floats;
pub(crate) mod grid;
mod pack;
mod side;
mod tile;

#[cfg(target_arch = "x86_64")]
mod x86;

use std::cell::RefCell;

use crate::aligned::Buffer;
pub(crate) use batch::{Batch, Matrices};
use blocks::{Job, Output};
pub(crate) use floats::{fused, narrowed, narrowed_by};
use pack::Operand;
pub(crate) use pack::{Element, panel};
use side::Side;
pub(crate) use tile::{MOST_WORDS, Tile};

/// Steps of one block: C is read and written once for so many products.
const STEPS: usize = 1024;

/// Bytes of shared panels: a part of the last-level cache, and few rows where k is large.
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
    static PACKED_OWN: RefCell<Option<Buffer>> = const { RefCell::new(None) };
    static PACKED_SHARED: RefCell<Option<Buffer>> = const { RefCell::new(None) };
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
    let side = |operand, rows, width| Side {
        operand,
        rows: 0..rows,
        width,
        vectors: tile.vectors,
    };
    let (a, b) = (side(a, shape.m, tile.rows), side(b, shape.n, tile.columns));
    let owns_a = shape.m >= shape.n;
    let (own, shared) = if owns_a { (a, b) } else { (b, a) };
    let (all, width) = (shared.rows.end, shared.width);
    let rows = (PACKED_BYTES / (4 * steps)).max(width) / width * width;
    let mut packed = borrow(&PACKED_SHARED, steps * rows.min(all.next_multiple_of(width)));
    for start in (0..all).step_by(rows) {
        let job = Job {
            steps,
            own: own.clone(),
            shared: Side {
                rows: start..all.min(start + rows),
                ..shared
            },
            owns_a,
            c,
            tile,
            threads,
        };
        job.shared.pack_all(packed.words_mut(), steps, threads);
        job.multiply(packed.words());
    }
    PACKED_SHARED.set(Some(packed));
}

#[cfg(test)]
mod tests;
