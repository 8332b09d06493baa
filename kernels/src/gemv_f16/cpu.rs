//! On the CPU: four rows side by side, which are four streams for the processor to fetch ahead, widened in registers.

use attest::spec::Dims;
use half::f16;
use rayon::prelude::*;

use crate::elements::f16s;
use crate::workload::dim;

/// Rows of one task: 128 KiB of weights where a row has 4096.
const ROWS: usize = 16;

/// Rows that are summed side by side.
const STREAMS: usize = 4;

/// Halves that are widened together, and vectors of sums that a row has.
const LANES: usize = 8;
const SUMS: usize = 2;

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
    every_row(y, w, x, |halves| halves.map(|bits| f16::from_bits(bits).to_f32()));
}

#[inline(always)]
fn every_row(y: &mut [f32], w: &[u16], x: &[f32], widen: impl Fn([u16; LANES]) -> [f32; LANES] + Copy) {
    let (groups, rest) = y.as_chunks_mut::<STREAMS>();
    let (grouped, single) = w.split_at(groups.len() * STREAMS * x.len());
    for (y, w) in groups.iter_mut().zip(grouped.chunks_exact(STREAMS * x.len())) {
        *y = sums(
            std::array::from_fn(|row| &w[row * x.len()..][..x.len()]),
            x,
            widen,
        );
    }
    for (y, w) in rest.iter_mut().zip(single.chunks_exact(x.len())) {
        [*y] = sums([w], x, widen);
    }
}

/// Sums of products of some rows with `x`.
#[inline(always)]
fn sums<const ROWS: usize>(
    w: [&[u16]; ROWS],
    x: &[f32],
    widen: impl Fn([u16; LANES]) -> [f32; LANES] + Copy,
) -> [f32; ROWS] {
    const BLOCK: usize = LANES * SUMS;
    let mut sums = [[[0.0f32; LANES]; SUMS]; ROWS];
    let (x_blocks, x_rest) = x.as_chunks::<BLOCK>();
    let blocks = w.map(|row| &row.as_chunks::<BLOCK>().0[..x_blocks.len()]);
    for (at, x) in x_blocks.iter().enumerate() {
        for (sums, blocks) in sums.iter_mut().zip(blocks) {
            for (part, sums) in sums.iter_mut().enumerate() {
                let first = part * LANES;
                let wide = widen(std::array::from_fn(|lane| blocks[at][first + lane]));
                for lane in 0..LANES {
                    sums[lane] = wide[lane].mul_add(x[first + lane], sums[lane]);
                }
            }
        }
    }
    std::array::from_fn(|row| {
        let rest = w[row][x_blocks.len() * BLOCK..].iter().zip(x_rest);
        let rest: f32 = rest.map(|(&w, x)| f16::from_bits(w).to_f32() * x).sum();
        sums[row].as_flattened().iter().sum::<f32>() + rest
    })
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m128i, _mm256_cvtph_ps};

    use super::{LANES, every_row};

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn rows(y: &mut [f32], w: &[u16], x: &[f32]) {
        every_row(y, w, x, |halves| widen(halves));
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn widen(halves: [u16; LANES]) -> [f32; LANES] {
        bytemuck::cast(_mm256_cvtph_ps(bytemuck::cast::<_, __m128i>(halves)))
    }
}
