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

/// One element of each output from one of each input, alone or eight side by side.
pub(crate) trait Map<const N: usize, const M: usize>: Copy + Sync {
    fn one(self, from: [f32; M]) -> [f32; N];

    /// Rounds as [`one`](Self::one) does.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[cfg(target_arch = "x86_64")]
    unsafe fn eight(self, from: [std::arch::x86_64::__m256; M]) -> [std::arch::x86_64::__m256; N];
}

/// Element i of each output from element i of each input, all of one length; each thread one contiguous part of all.
pub(crate) fn map_into<const N: usize, const M: usize>(
    to: [&mut [f32]; N],
    from: [&[f32]; M],
    map: impl Map<N, M>,
) {
    let len = to[0].len();
    assert!(to.iter().all(|to| to.len() == len) && from.iter().all(|from| from.len() == len));
    let (part, past_cache) = (part_of(len), size_of_val(to[0]) >= PAST_CACHE);
    let mut chunks = to.map(|to| to.chunks_mut(part));
    let parts: Vec<(usize, [&mut [f32]; N])> = (0..len)
        .step_by(part)
        .map(|start| (start, chunks.each_mut().map(|to| to.next().expect("one length"))))
        .collect();
    parts.into_par_iter().for_each(|(start, mut to)| {
        let from = from.map(|from| &from[start..start + to[0].len()]);
        let done = map_lines(past_cache, &mut to, &from, map);
        for at in done..to[0].len() {
            let made = map.one(from.map(|from| from[at]));
            to.iter_mut().zip(made).for_each(|(to, made)| to[at] = made);
        }
        fence();
    });
}

/// As many elements as fill lines, and how many that is: none without AVX2.
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(unused_variables, reason = "no such stores are known for this architecture")
)]
fn map_lines<const N: usize, const M: usize>(
    past_cache: bool,
    to: &mut [&mut [f32]; N],
    from: &[&[f32]; M],
    map: impl Map<N, M>,
) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        let lines = to[0].len() / LINE;
        let begins_on_line = |to: &&mut [f32]| to.as_ptr().addr().is_multiple_of(LINE * size_of::<f32>());
        let past_cache = past_cache && to.iter().all(begins_on_line);
        let (to, from) = (to.each_mut().map(|to| to.as_mut_ptr()), from.map(<[f32]>::as_ptr));
        // SAFETY: the processor has AVX2; arrays are of one length, which holds the lines, and begin on one where stores
        // go past the cache.
        unsafe {
            match past_cache {
                true => map_lines_avx2::<true, N, M>(lines, to, from, map),
                false => map_lines_avx2::<false, N, M>(lines, to, from, map),
            }
        }
        return lines * LINE;
    }
    0
}

/// A line of each output is made in registers and stored by two instructions.
///
/// # Safety
/// The processor has AVX2, the arrays hold the lines, and outputs begin on one if stores go past the cache.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn map_lines_avx2<const PAST_CACHE: bool, const N: usize, const M: usize>(
    lines: usize,
    to: [*mut f32; N],
    from: [*const f32; M],
    map: impl Map<N, M>,
) {
    use std::arch::x86_64::{_mm256_loadu_ps, _mm256_storeu_ps, _mm256_stream_ps};

    use crate::wide::{AHEAD, fetch};

    const LANES: usize = LINE / 2;
    for first in (0..lines * LINE).step_by(LINE) {
        for from in from {
            fetch(from.wrapping_add(first).wrapping_byte_add(AHEAD));
        }
        // SAFETY: inside the arrays, as the caller promises; the processor has AVX2.
        unsafe {
            let half = |at: usize| map.eight(from.map(|from| _mm256_loadu_ps(from.add(at))));
            let (left, right) = (half(first), half(first + LANES));
            for (to, (left, right)) in to.into_iter().zip(left.into_iter().zip(right)) {
                let (to, next) = (to.add(first), to.add(first + LANES));
                if PAST_CACHE {
                    _mm256_stream_ps(to, left);
                    _mm256_stream_ps(next, right);
                } else {
                    _mm256_storeu_ps(to, left);
                    _mm256_storeu_ps(next, right);
                }
            }
        }
    }
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
