//! Long loops over arrays at the speed of memory.
//!
//! A plain store first reads the line it writes, which is a third of the traffic of a copy. Non-temporal stores do not, and
//! leave the cache alone; they pay once the written lines would leave the cache before they are read.

#![allow(
    unsafe_code,
    reason = "non-temporal stores are vector instructions on raw pointers"
)]

use rayon::prelude::*;

/// Smallest output in bytes that is stored past the cache: two outputs of this size fill the second-level cache of a core.
const PAST_CACHE: usize = 256 << 10;

/// Elements of a cache line.
const LINE: usize = 16;

/// y[i] = f(b[i], c[i]), each thread one contiguous part.
pub(crate) fn zip_into(y: &mut [f32], b: &[f32], c: &[f32], f: impl Fn(f32, f32) -> f32 + Copy + Sync) {
    let part = y
        .len()
        .div_ceil(rayon::current_num_threads())
        .next_multiple_of(LINE);
    let past_cache = size_of_val(y) >= PAST_CACHE;
    y.par_chunks_mut(part)
        .zip(b.par_chunks(part).zip(c.par_chunks(part)))
        .for_each(|(y, (b, c))| {
            let head = if past_cache {
                y.as_ptr().align_offset(LINE * size_of::<f32>()).min(y.len())
            } else {
                y.len()
            };
            let lines = head + (y.len() - head) / LINE * LINE;
            zip(&mut y[..head], &b[..head], &c[..head], f);
            store_lines(&mut y[head..lines], &b[head..lines], &c[head..lines], f);
            zip(&mut y[lines..], &b[lines..], &c[lines..], f);
        });
}

fn zip(y: &mut [f32], b: &[f32], c: &[f32], f: impl Fn(f32, f32) -> f32) {
    for (y, (&b, &c)) in y.iter_mut().zip(b.iter().zip(c)) {
        *y = f(b, c);
    }
}

/// Whole lines: `y` begins on one.
#[cfg(target_arch = "x86_64")]
fn store_lines(y: &mut [f32], b: &[f32], c: &[f32], f: impl Fn(f32, f32) -> f32) {
    use std::arch::x86_64::{_mm_loadu_ps, _mm_sfence, _mm_stream_ps};
    const LANES: usize = 4;
    for (y, (b, c)) in y
        .chunks_exact_mut(LINE)
        .zip(b.chunks_exact(LINE).zip(c.chunks_exact(LINE)))
    {
        let mut line = [0.0; LINE];
        zip(&mut line, b, c, &f);
        for lane in (0..LINE).step_by(LANES) {
            // SAFETY: SSE2 is part of x86-64; lane + 4 <= 16 and `y` is aligned to a line.
            unsafe { _mm_stream_ps(y.as_mut_ptr().add(lane), _mm_loadu_ps(line.as_ptr().add(lane))) };
        }
    }
    // SAFETY: SSE is part of x86-64. The fence orders the stores before whatever tells other threads of them.
    unsafe { _mm_sfence() };
}

#[cfg(not(target_arch = "x86_64"))]
fn store_lines(y: &mut [f32], b: &[f32], c: &[f32], f: impl Fn(f32, f32) -> f32) {
    zip(y, b, c, f);
}
