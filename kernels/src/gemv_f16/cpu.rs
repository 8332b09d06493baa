//! On the CPU: a row is one stream of weights, widened in registers.

use attest::spec::Dims;
use half::f16;
use rayon::prelude::*;

use crate::elements::f16s;
use crate::workload::dim;

/// Rows of one task: 128 KiB of weights where a row has 4096.
const ROWS: usize = 16;

/// Halves that are widened together, and sums carried side by side for them.
const LANES: usize = 8;
const STREAMS: usize = 4;

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
    #[cfg(target_arch = "x86_64")]
    if x86::is_available() {
        #[allow(
            unsafe_code,
            reason = "calling a function for F16C is unsafe without the check just made"
        )]
        // SAFETY: the processor has AVX2, FMA and F16C.
        return unsafe { x86::rows(y, w, x) };
    }
    for (y, w) in y.iter_mut().zip(w.chunks_exact(x.len())) {
        *y = row(w, x, |halves| halves.map(|bits| f16::from_bits(bits).to_f32()));
    }
}

/// One sum of products, `LANES * STREAMS` partial sums at a time.
#[inline(always)]
fn row(w: &[u16], x: &[f32], widen: impl Fn([u16; LANES]) -> [f32; LANES]) -> f32 {
    let mut sums = [[0.0f32; LANES]; STREAMS];
    let (w_blocks, w_rest) = w.as_chunks::<{ LANES * STREAMS }>();
    let (x_blocks, x_rest) = x.as_chunks::<{ LANES * STREAMS }>();
    for (w, x) in w_blocks.iter().zip(x_blocks) {
        let (w, x) = (w.as_chunks::<LANES>().0, x.as_chunks::<LANES>().0);
        for stream in 0..STREAMS {
            let wide = widen(w[stream]);
            for lane in 0..LANES {
                sums[stream][lane] = wide[lane].mul_add(x[stream][lane], sums[stream][lane]);
            }
        }
    }
    let rest: f32 = w_rest
        .iter()
        .zip(x_rest)
        .map(|(&w, x)| f16::from_bits(w).to_f32() * x)
        .sum();
    sums.as_flattened().iter().sum::<f32>() + rest
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m128i, _mm256_cvtph_ps};

    use super::{LANES, row};

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn rows(y: &mut [f32], w: &[u16], x: &[f32]) {
        for (y, w) in y.iter_mut().zip(w.chunks_exact(x.len())) {
            *y = row(w, x, |halves| widen(halves));
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn widen(halves: [u16; LANES]) -> [f32; LANES] {
        bytemuck::cast(_mm256_cvtph_ps(bytemuck::cast::<_, __m128i>(halves)))
    }
}
