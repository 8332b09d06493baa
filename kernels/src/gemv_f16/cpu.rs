//! On the CPU: tasks of neighbouring rows, widened in registers and read in the order of memory. One stream a thread, fetched
//! far ahead, is read faster than several.

use attest::spec::Dims;
use half::f16;
use rayon::prelude::*;

use crate::halves::widen;
#[cfg(target_arch = "x86_64")]
use crate::wide::{has_avx2, has_avx512};
use crate::workload::dim;

/// Bytes of weights of a task: few, so that threads end together.
const TASK: usize = 64 << 10;

/// Halves of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 32;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let k = dim(dims, "k");
    let w: &[u16] = bytemuck::cast_slice(inputs[0]);
    let mut x = vec![0.0; k];
    widen(bytemuck::cast_slice(inputs[1]), &mut x);
    let y: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    let rows = (TASK / (size_of::<u16>() * k)).max(1);
    y.par_chunks_mut(rows)
        .zip(w.par_chunks(rows * k))
        .with_max_len(1)
        .for_each(|(y, w)| {
            for (y, w) in y.iter_mut().zip(w.chunks(k)) {
                *y = product(w, &x);
            }
        });
}

/// Of a row with `x`.
fn product(w: &[u16], x: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        let ((lines, rest), (x_lines, x_rest)) = (w.as_chunks(), x.as_chunks());
        #[allow(
            unsafe_code,
            reason = "calling a function for AVX2 or AVX-512 is unsafe without the check just made"
        )]
        // SAFETY: the processor has AVX2, FMA and F16C, or AVX-512 as well.
        let sums = unsafe {
            if has_avx512() {
                x86::wide_product(lines, x_lines)
            } else {
                x86::product(lines, x_lines)
            }
        };
        return sums + sum(rest, x_rest);
    }
    sum(w, x)
}

fn sum(w: &[u16], x: &[f32]) -> f32 {
    let products = w.iter().zip(x).map(|(&w, x)| f16::from_bits(w).to_f32() * x);
    products.sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256, __m256i, _mm256_add_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_setzero_ps,
        _mm512_cvtph_ps, _mm512_fmadd_ps, _mm512_setzero_ps,
    };

    use super::LINE;
    use crate::wide::{AHEAD, fetch, sum_of_lanes};

    /// Halves that are widened together.
    const LANES: usize = 8;

    /// Each vector of a line has sums of its own.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn product(w: &[[u16; LINE]], x: &[[f32; LINE]]) -> f32 {
        let mut sums = [_mm256_setzero_ps(); LINE / LANES];
        for (w, x) in w.iter().zip(x) {
            fetch(w.as_ptr().wrapping_byte_add(AHEAD));
            let vectors = w.as_chunks::<LANES>().0.iter().zip(x.as_chunks::<LANES>().0);
            for (sum, (w, x)) in sums.iter_mut().zip(vectors) {
                let wide = _mm256_cvtph_ps(bytemuck::cast::<_, __m128i>(*w));
                *sum = _mm256_fmadd_ps(wide, bytemuck::cast(*x), *sum);
            }
        }
        total(sums)
    }

    /// [`product`] to the bit in half as many instructions, which weights that a cache holds would wait for.
    #[target_feature(enable = "avx512f")]
    pub(super) fn wide_product(w: &[[u16; LINE]], x: &[[f32; LINE]]) -> f32 {
        let mut sums = [_mm512_setzero_ps(); LINE / (2 * LANES)];
        for (w, x) in w.iter().zip(x) {
            fetch(w.as_ptr().wrapping_byte_add(AHEAD));
            let vectors = w
                .as_chunks::<{ 2 * LANES }>()
                .0
                .iter()
                .zip(x.as_chunks::<{ 2 * LANES }>().0);
            for (sum, (w, x)) in sums.iter_mut().zip(vectors) {
                let wide = _mm512_cvtph_ps(bytemuck::cast::<_, __m256i>(*w));
                *sum = _mm512_fmadd_ps(wide, bytemuck::cast(*x), *sum);
            }
        }
        total(bytemuck::cast(sums))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn total([a, b, c, d]: [__m256; LINE / LANES]) -> f32 {
        sum_of_lanes(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)))
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use attest::exact::stream::{Form, bytes};

    use super::*;

    #[test]
    fn wider_registers_give_the_same_bits() {
        if !has_avx512() {
            return;
        }
        let drawn = |name, form, count| bytes(&[3; 32], name, form, count);
        for lines in [1, 2, 7, 128] {
            let (w, x) = (
                drawn("w", Form::F16, lines * LINE),
                drawn("x", Form::F32, lines * LINE),
            );
            let (w, x) = (bytemuck::cast_slice(&w), bytemuck::cast_slice(&x));
            #[allow(unsafe_code, reason = "as in `product`")]
            // SAFETY: the processor has AVX2, FMA, F16C and AVX-512.
            let [narrow, wide] = unsafe { [x86::product(w, x), x86::wide_product(w, x)] };
            assert_eq!(narrow.to_bits(), wide.to_bits(), "{lines} lines");
        }
    }
}
