//! Conversions of f16, and elementwise work on it, in f32 by strips that stay in the first-level cache.

#![allow(
    unsafe_code,
    reason = "calling functions for F16C is unsafe without the check made before"
)]

use half::f16;
use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};
use rayon::prelude::*;

/// 8 KiB of f32 each.
const STRIP: usize = 2048;

/// f16 widened to f32, which is exact.
pub(crate) fn widen(halves: &[u16], singles: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if x86::converts() {
        // SAFETY: the processor has the instructions.
        return unsafe { x86::widen(halves, singles) };
    }
    halves.reinterpret_cast::<f16>().convert_to_f32_slice(singles);
}

/// f32 narrowed to the nearest f16, ties to even.
pub(crate) fn narrow(singles: &[f32], halves: &mut [u16]) {
    #[cfg(target_arch = "x86_64")]
    if x86::converts() {
        // SAFETY: the processor has the instructions.
        return unsafe { x86::narrow(singles, halves) };
    }
    halves
        .reinterpret_cast_mut::<f16>()
        .convert_from_f32_slice(singles);
}

/// Whole slices at a time: the conversions of `half` call a function for every eight elements.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m128i, __m256, _MM_FROUND_TO_NEAREST_INT, _mm256_cvtph_ps, _mm256_cvtps_ph};

    use bytemuck::cast;
    use half::f16;

    pub(super) fn converts() -> bool {
        is_x86_feature_detected!("avx") && is_x86_feature_detected!("f16c")
    }

    #[target_feature(enable = "avx,f16c")]
    pub(super) fn widen(halves: &[u16], singles: &mut [f32]) {
        assert_eq!(halves.len(), singles.len());
        let ((singles, last_singles), (halves, last_halves)) = (singles.as_chunks_mut(), halves.as_chunks());
        for (singles, halves) in singles.iter_mut().zip(halves) {
            *singles = cast::<__m256, [f32; 8]>(_mm256_cvtph_ps(cast::<[u16; 8], __m128i>(*halves)));
        }
        for (single, half) in last_singles.iter_mut().zip(last_halves) {
            *single = f16::from_bits(*half).to_f32();
        }
    }

    #[target_feature(enable = "avx,f16c")]
    pub(super) fn narrow(singles: &[f32], halves: &mut [u16]) {
        assert_eq!(halves.len(), singles.len());
        let ((singles, last_singles), (halves, last_halves)) = (singles.as_chunks(), halves.as_chunks_mut());
        for (singles, halves) in singles.iter().zip(halves) {
            let narrow = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(cast::<[f32; 8], __m256>(*singles));
            *halves = cast::<__m128i, [u16; 8]>(narrow);
        }
        for (single, half) in last_singles.iter().zip(last_halves) {
            *half = f16::from_f32(*single).to_bits();
        }
    }
}

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
                widen(&input[first..first + len], &mut wide[..len]);
            }
            f(strips.each_mut().map(|wide| &mut wide[..len]));
            narrow(&strips[0][..len], y);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole vectors and what is left of one, of every half that is a number.
    #[test]
    fn conversions_are_those_of_every_half() {
        let halves: Vec<u16> = (0..=u16::MAX)
            .filter(|bits| !f16::from_bits(*bits).is_nan())
            .collect();
        for len in [halves.len(), 13, 7, 0] {
            let mut singles = vec![f32::NAN; len];
            widen(&halves[..len], &mut singles);
            assert!(
                halves
                    .iter()
                    .zip(&singles)
                    .all(|(half, single)| f16::from_bits(*half).to_f32() == *single)
            );
            let mut back = vec![0x7E00; len];
            narrow(&singles, &mut back);
            assert_eq!(back, halves[..len]);
        }
    }

    #[test]
    fn ties_narrow_to_even() {
        let ulp = 1.0 / 1024.0;
        let singles: Vec<f32> = (0..19u8)
            .map(|half_ulps| 1.0 + f32::from(half_ulps) * ulp / 2.0)
            .collect();
        let mut halves = vec![0; singles.len()];
        narrow(&singles, &mut halves);
        let want = |single: &f32| f16::from_f32(*single).to_bits();
        assert!(singles.iter().map(want).eq(halves.iter().copied()));
        assert_eq!((halves[1], halves[3]), (0x3C00, 0x3C02));
    }
}
