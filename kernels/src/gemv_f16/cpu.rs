//! On the CPU: four rows side by side, each the next of its own part of the task, widened in registers. That makes four streams
//! far apart for the processor to fetch ahead: neighbours, or more of them, are read more slowly.

use attest::spec::Dims;
use half::f16;
use rayon::prelude::*;

use crate::halves::widen;
use crate::workload::dim;

/// Rows that are summed side by side.
const STREAMS: usize = 4;

/// Rows of one task: 256 KiB of weights where a row has 4096.
const ROWS: usize = 8 * STREAMS;

/// Halves of a cache line.
const LINE: usize = 32;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let k = dim(dims, "k");
    let w: &[u16] = bytemuck::cast_slice(inputs[0]);
    let mut x = vec![0.0; k];
    widen(bytemuck::cast_slice(inputs[1]), &mut x);
    let y: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    y.par_chunks_mut(ROWS)
        .zip(w.par_chunks(ROWS * k))
        .with_max_len(1)
        .for_each(|(y, w)| rows(y, w, &x));
}

fn rows(y: &mut [f32], w: &[u16], x: &[f32]) {
    let row = |row: usize| &w[row * x.len()..][..x.len()];
    let part = y.len() / STREAMS;
    for at in 0..part {
        let sums = sums(
            std::array::from_fn::<_, STREAMS, _>(|stream| row(stream * part + at)),
            x,
        );
        for (stream, sum) in sums.into_iter().enumerate() {
            y[stream * part + at] = sum;
        }
    }
    for (at, y) in y.iter_mut().enumerate().skip(part * STREAMS) {
        [*y] = sums([row(at)], x);
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
    use std::arch::x86_64::{__m128i, _mm256_add_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_setzero_ps};

    use super::LINE;
    use crate::wide::{fetch, sum_of_lanes};

    /// Halves that are widened together.
    const LANES: usize = 8;

    /// Bytes between what is read of a row and what is fetched: with the other streams' what memory's latency takes.
    const AHEAD: usize = 512;

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }

    /// Two vectors of sums a row. Without closures: their code would not be made for these features.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn sums<const ROWS: usize>(w: [&[[u16; LINE]]; ROWS], x: &[[f32; LINE]]) -> [f32; ROWS] {
        let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
        for (at, x) in x.iter().enumerate() {
            for w in w {
                fetch(&w[at], AHEAD);
            }
            for (vector, x) in x.as_chunks::<LANES>().0.iter().enumerate() {
                for row in 0..ROWS {
                    let halves = w[row][at].as_chunks::<LANES>().0[vector];
                    let wide = _mm256_cvtph_ps(bytemuck::cast::<_, __m128i>(halves));
                    let sum = &mut sums[row][vector % 2];
                    *sum = _mm256_fmadd_ps(wide, bytemuck::cast(*x), *sum);
                }
            }
        }
        let mut totals = [0.0; ROWS];
        for (total, [even, odd]) in totals.iter_mut().zip(sums) {
            *total = sum_of_lanes(_mm256_add_ps(even, odd));
        }
        totals
    }
}
