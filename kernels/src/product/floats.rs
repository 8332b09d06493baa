//! Products of floats by the way that is fastest for their rows, and sums narrowed on their way out.

use std::cell::RefCell;

use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use rayon::prelude::*;

use super::dots::{are_available, dots};
use super::{Element, Shape, Threads, Tile, borrow, product, product_by};
use crate::aligned::Buffer;
use crate::halves;
use crate::wide::wide;

thread_local! {
    /// Sums in f32, kept from call to call.
    static SUMS: RefCell<Option<Buffer>> = const { RefCell::new(None) };
}

/// A float of two bytes that f32 narrows to: the nearest, ties to even.
pub(crate) trait Narrow: Sync + Send {
    fn narrow(sums: &[f32], c: &mut [Self])
    where
        Self: Sized;
}

impl Narrow for f16 {
    fn narrow(sums: &[f32], c: &mut [Self]) {
        halves::narrow(sums, c.reinterpret_cast_mut());
    }
}

impl Narrow for bf16 {
    fn narrow(sums: &[f32], c: &mut [Self]) {
        to_bf16(sums, c);
    }
}

wide! {
    fn to_bf16(sums: &[f32], c: &mut [bf16]) {
        for (c, sum) in c.iter_mut().zip(sums) {
            let bits = sum.to_bits();
            let rounded = (bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16) as u16;
            let nan = (bits >> 16) as u16 | 0x40;
            *c = bf16::from_bits(if sum.is_nan() { nan } else { rounded });
        }
    }
}

/// C = A Bᵀ in f32, where sums may take their products in any order.
pub(crate) fn fused(shape: Shape, a: &[f32], b: &[f32], c: &mut [f32]) {
    match has_few_rows::<f32>(shape) {
        true => dots(shape, a, b, c, |sums, c| c.copy_from_slice(sums)),
        false => product(shape, a, b, bytemuck::cast_slice_mut(c), Tile::fused()),
    }
}

/// As [`fused`], with each sum narrowed once.
pub(crate) fn narrowed<E: Element, C: Narrow>(shape: Shape, a: &[E], b: &[E], c: &mut [C]) {
    narrowed_by(Threads::All, shape, a, b, c);
}

/// Whether [`dots`] takes less time.
fn has_few_rows<E: Element>(shape: Shape) -> bool {
    shape.m <= E::FEW_ROWS && shape.k > 0 && are_available()
}

/// [`narrowed`], by these threads.
pub(crate) fn narrowed_by<E: Element, C: Narrow>(
    threads: Threads,
    shape: Shape,
    a: &[E],
    b: &[E],
    c: &mut [C],
) {
    const STRIP: usize = 1 << 14;
    if threads == Threads::All && has_few_rows::<E>(shape) {
        return dots(shape, a, b, c, C::narrow);
    }
    let mut kept = borrow(&SUMS, shape.m * shape.n);
    let sums = &mut kept.words_mut()[..shape.m * shape.n];
    product_by(threads, shape, a, b, sums, Tile::fused());
    let sums: &[f32] = bytemuck::cast_slice(sums);
    match threads {
        Threads::One => C::narrow(sums, c),
        Threads::All => c
            .par_chunks_mut(STRIP)
            .zip(sums.par_chunks(STRIP))
            .for_each(|(c, sums)| C::narrow(sums, c)),
    }
    SUMS.set(Some(kept));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_become_the_nearest_bf16_and_ties_become_even() {
        let steps = (0..=u32::MAX)
            .step_by(0x3FFF)
            .chain((0..=u32::MAX).step_by(0x8000));
        let sums: Vec<f32> = steps.map(f32::from_bits).collect();
        let mut c = vec![bf16::ZERO; sums.len()];
        to_bf16(&sums, &mut c);
        for (sum, c) in sums.into_iter().zip(c) {
            assert_eq!(c.to_bits(), bf16::from_f32(sum).to_bits(), "{sum:e}");
        }
    }
}
