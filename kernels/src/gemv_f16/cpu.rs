//! On the CPU: eight rows side by side, which are eight streams for the processor to fetch ahead, widened in registers.

use attest::spec::Dims;
use half::f16;
use rayon::prelude::*;

use crate::elements::f16s;
use crate::workload::dim;

/// Rows that are summed side by side.
const STREAMS: usize = 8;

/// Rows of one task: 256 KiB of weights where a row has 4096.
const ROWS: usize = 4 * STREAMS;

/// Halves of a cache line.
const LINE: usize = 32;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let k = dim(dims, "k");
    let w: &[u16] = bytemuck::cast_slice(inputs[0]);
    let x: Vec<f32> = f16s(inputs[1], 0..k).collect();
    let y: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    y.par_chunks_mut(ROWS)
        .zip(w.par_chunks(ROWS * k))
        .for_each(|(y, w)| rows(y, w, &x));
}

fn rows(y: &mut [f32], w: &[u16], x: &[f32]) {
    let row = |row: usize| &w[row * x.len()..][..x.len()];
    let (groups, rest) = y.as_chunks_mut::<STREAMS>();
    let grouped = groups.len() * STREAMS;
    for (group, y) in groups.iter_mut().enumerate() {
        *y = sums(std::array::from_fn(|stream| row(group * STREAMS + stream)), x);
    }
    for (at, y) in rest.iter_mut().enumerate() {
        [*y] = sums([row(grouped + at)], x);
    }
}

/// Products of some rows with `x`.
fn sums<const ROWS: usize>(w: [&[u16]; ROWS], x: &[f32]) -> [f32; ROWS] {
    #[cfg(target_arch = "x86_64")]
    if x86::is_available() {
        let (x_lines, x_rest) = x.as_chunks();
        let split = w.map(|w| w.as_chunks());
        #[allow(
            unsafe_code,
            reason = "calling a function for AVX2 is unsafe without the check just made"
        )]
        // SAFETY: the processor has AVX2, FMA and F16C.
        let lines = unsafe { x86::sums(split.map(|(lines, _)| lines), x_lines) };
        return std::array::from_fn(|row| lines[row] + sum(split[row].1, x_rest));
    }
    w.map(|w| sum(w, x))
}

fn sum(w: &[u16], x: &[f32]) -> f32 {
    let products = w.iter().zip(x).map(|(&w, x)| f16::from_bits(w).to_f32() * x);
    products.sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m128i, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_setzero_ps};

    use super::LINE;
    use crate::wide::sum_of_lanes;

    /// Halves that are widened together.
    const LANES: usize = 8;

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }

    /// One vector of sums a row. Without closures: their code would not be made for these features.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn sums<const ROWS: usize>(w: [&[[u16; LINE]]; ROWS], x: &[[f32; LINE]]) -> [f32; ROWS] {
        let mut sums = [_mm256_setzero_ps(); ROWS];
        for (at, x) in x.iter().enumerate() {
            for (vector, x) in x.as_chunks::<LANES>().0.iter().enumerate() {
                for row in 0..ROWS {
                    let halves = w[row][at].as_chunks::<LANES>().0[vector];
                    let wide = _mm256_cvtph_ps(bytemuck::cast::<_, __m128i>(halves));
                    sums[row] = _mm256_fmadd_ps(wide, bytemuck::cast(*x), sums[row]);
                }
            }
        }
        let mut totals = [0.0; ROWS];
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = sum_of_lanes(sum);
        }
        totals
    }
}
