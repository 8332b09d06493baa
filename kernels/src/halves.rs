//! Elementwise work on f16, in f32 by strips that stay in the first-level cache.

use half::f16;
use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};
use rayon::prelude::*;

/// 8 KiB of f32 each.
const STRIP: usize = 2048;

/// Elements of one task.
const PART: usize = 32 * STRIP;

/// Widens strips of the inputs, lets `f` work on them in place, and narrows the first of them into `y`.
pub(crate) fn map_into<const N: usize>(
    y: &mut [u16],
    inputs: [&[u16]; N],
    f: impl Fn([&mut [f32]; N]) + Sync,
) {
    y.par_chunks_mut(PART).enumerate().for_each(|(part, y)| {
        let mut strips = [[0.0; STRIP]; N];
        for (strip, y) in y.chunks_mut(STRIP).enumerate() {
            let (first, len) = (part * PART + strip * STRIP, y.len());
            for (wide, input) in strips.iter_mut().zip(inputs) {
                let narrow: &[f16] = input[first..first + len].reinterpret_cast();
                narrow.convert_to_f32_slice(&mut wide[..len]);
            }
            f(strips.each_mut().map(|wide| &mut wide[..len]));
            y.reinterpret_cast_mut::<f16>()
                .convert_from_f32_slice(&strips[0][..len]);
        }
    });
}
