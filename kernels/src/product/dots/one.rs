//! Products of one row of A: some rows of B side by side, so that no sum waits for the one before it, while those that follow
//! are fetched as one stream, in the order of memory, which is faster than a stream of each.

use super::{Element, LANES, STEPS};

/// Rows of B side by side.
const WIDE: usize = 4;

/// Vectors between two branches: their elements are a cache line of bytes.
const UNROLLED: usize = 64 / LANES;

/// Adds the products of `a`, whole vectors, with the first of each row of `b` to `sums`.
pub(super) fn add_products<E: Element>(sums: &mut [f32], a: &[f32], b: &[E], k: usize) {
    for (b, sums) in b.chunks(WIDE * k).zip(sums.chunks_mut(WIDE)) {
        for (stretch, a) in a.chunks(STEPS).enumerate() {
            let (a, first) = (a.as_chunks().0, stretch * STEPS);
            match sums.len() {
                1 => add_rows::<E, 1>(sums, a, b, k, first),
                2 => add_rows::<E, 2>(sums, a, b, k, first),
                3 => add_rows::<E, 3>(sums, a, b, k, first),
                _ => add_rows::<E, WIDE>(sums, a, b, k, first),
            }
        }
    }
}

/// Adds the products of `a` with each of W rows, from their element `first` on.
fn add_rows<E: Element, const W: usize>(
    sums: &mut [f32],
    a: &[[f32; LANES]],
    b: &[E],
    k: usize,
    first: usize,
) {
    assert!(sums.len() == W && b.len() == W * k && first + a.len() * LANES <= k);
    #[cfg(target_arch = "x86_64")]
    {
        // As much of the next W rows as is read of these by now.
        let next = b.as_ptr().wrapping_add(W * (k + first));
        // SAFETY: `dots` has checked for the instructions, and each row has as many vectors from `first` on as `a`.
        let stretch = unsafe { x86::products::<E, W>(a, b[first..].as_ptr(), k, next) };
        sums.iter_mut().zip(stretch).for_each(|(sum, more)| *sum += more);
    }
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("{} elements on another architecture", b.len());
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_setzero_ps};

    use super::{Element, LANES, UNROLLED};
    use crate::wide::{fetch, sum_of_lanes};

    /// Of `a` with W rows of `k` elements; as many lines as are read of these are fetched from `next` on.
    ///
    /// # Safety
    /// The processor has AVX2, FMA and F16C, and each row as many vectors as `a`.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) unsafe fn products<E: Element, const W: usize>(
        a: &[[f32; LANES]],
        b: *const E,
        k: usize,
        next: *const E,
    ) -> [f32; W] {
        let (groups, rest) = a.as_chunks::<UNROLLED>();
        let mut sums = [_mm256_setzero_ps(); W];
        for (group, a) in groups.iter().enumerate() {
            for line in 0..W * size_of::<E>() {
                let line = group * W * size_of::<E>() + line;
                fetch(next.wrapping_byte_add(64 * line));
            }
            for (vector, a) in a.iter().enumerate() {
                let b = b.wrapping_add((group * UNROLLED + vector) * LANES);
                for (row, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: the vector is there, as the caller promises.
                    let b = unsafe { E::words(b.add(row * k)) };
                    *sum = _mm256_fmadd_ps(bytemuck::cast(*a), b, *sum);
                }
            }
        }
        for (vector, a) in rest.iter().enumerate() {
            let b = b.wrapping_add((groups.len() * UNROLLED + vector) * LANES);
            for (row, sum) in sums.iter_mut().enumerate() {
                // SAFETY: as above.
                let b = unsafe { E::words(b.add(row * k)) };
                *sum = _mm256_fmadd_ps(bytemuck::cast(*a), b, *sum);
            }
        }
        sums.map(|sum| sum_of_lanes(sum))
    }
}
