//! Long loops over arrays at the speed of memory.
//!
//! A plain store first reads the line it writes, which is a third of the traffic of a copy. Non-temporal stores do not, and
//! leave the cache alone; they pay once the written lines would leave the cache before they are read.

#![allow(
    unsafe_code,
    reason = "non-temporal stores are vector instructions on raw pointers"
)]

use std::ops::Range;

use rayon::prelude::*;

/// Smallest output in bytes that is stored past the cache: two outputs of this size fill the second-level cache of a core.
const PAST_CACHE: usize = 256 << 10;

/// Elements of a cache line.
const LINE: usize = 16;

/// y[i] = f(b[i], c[i]), each thread one contiguous part.
pub(crate) fn zip_into(y: &mut [f32], b: &[f32], c: &[f32], f: impl Fn(f32, f32) -> f32 + Copy + Sync) {
    let part = part_of(y.len());
    let past_cache = size_of_val(y) >= PAST_CACHE;
    y.par_chunks_mut(part)
        .zip(b.par_chunks(part).zip(c.par_chunks(part)))
        .for_each(|(y, (b, c))| {
            zip_past(past_cache, y, b, c, f);
            fence();
        });
}

/// Elements of one thread's part of an array.
fn part_of(len: usize) -> usize {
    len.div_ceil(rayon::current_num_threads())
        .max(1)
        .next_multiple_of(LINE)
}

/// Elements of a strip: the strips of a few inputs and outputs stay in a first-level cache together.
const STRIP: usize = 512;

/// Fills outputs of one length, each thread one contiguous part of all: `f` makes the elements of a range, a strip of each.
pub(crate) fn strips_into<const N: usize>(
    outputs: [&mut [f32]; N],
    f: impl Fn(Range<usize>, [&mut [f32]; N]) + Sync,
) {
    let len = outputs[0].len();
    let (part, past_cache) = (part_of(len), size_of_val(outputs[0]) >= PAST_CACHE);
    let mut parts: Vec<Vec<&mut [f32]>> = (0..len.div_ceil(part)).map(|_| Vec::with_capacity(N)).collect();
    for output in outputs {
        for (part, chunk) in parts.iter_mut().zip(output.chunks_mut(part)) {
            part.push(chunk);
        }
    }
    parts
        .into_par_iter()
        .enumerate()
        .for_each(|(index, mut outputs)| {
            let mut strips = [[0.0; STRIP]; N];
            let (first, len) = (index * part, outputs[0].len());
            for start in (0..len).step_by(STRIP) {
                let end = len.min(start + STRIP);
                f(
                    first + start..first + end,
                    strips.each_mut().map(|strip| &mut strip[..end - start]),
                );
                for (output, strip) in outputs.iter_mut().zip(&strips) {
                    let strip = &strip[..end - start];
                    zip_past(past_cache, &mut output[start..end], strip, strip, |made, _| made);
                }
            }
            fence();
        });
}

/// y[i] = f(b[i], c[i]), past the cache where that is asked for. A [`fence`] must follow.
fn zip_past(past_cache: bool, y: &mut [f32], b: &[f32], c: &[f32], f: impl Fn(f32, f32) -> f32 + Copy) {
    let head = match past_cache {
        true => y.as_ptr().align_offset(LINE * size_of::<f32>()).min(y.len()),
        false => y.len(),
    };
    let lines = head + (y.len() - head) / LINE * LINE;
    zip(&mut y[..head], &b[..head], &c[..head], f);
    store_lines(&mut y[head..lines], &b[head..lines], &c[head..lines], f);
    zip(&mut y[lines..], &b[lines..], &c[lines..], f);
}

fn zip(y: &mut [f32], b: &[f32], c: &[f32], f: impl Fn(f32, f32) -> f32) {
    for (y, (&b, &c)) in y.iter_mut().zip(b.iter().zip(c)) {
        *y = f(b, c);
    }
}

/// Whole lines: `y` begins on one.
#[cfg(target_arch = "x86_64")]
fn store_lines(y: &mut [f32], b: &[f32], c: &[f32], f: impl Fn(f32, f32) -> f32) {
    use std::arch::x86_64::{_mm_loadu_ps, _mm_stream_ps};
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
}

/// Orders non-temporal stores before whatever tells other threads of them.
fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn store_lines(y: &mut [f32], b: &[f32], c: &[f32], f: impl Fn(f32, f32) -> f32) {
    zip(y, b, c, f);
}
