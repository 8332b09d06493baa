//! With AVX-512 and its dot products of bytes: a lane has a block of its own, so that no sum is made across lanes before the
//! end of a row. For that the blocks of a row are transposed once for up to eight tokens, those of tokens once for all rows.

use std::arch::x86_64::{
    __m256, __m512, __m512i, _mm256_add_ps, _mm256_setzero_ps, _mm512_and_si512, _mm512_castps_pd,
    _mm512_castps512_ps256, _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_dpbusd_epi32, _mm512_extractf64x4_pd,
    _mm512_fmadd_ps, _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_set1_epi8, _mm512_setr_epi32,
    _mm512_setzero_ps, _mm512_srli_epi16, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use half::f16;
use rayon::prelude::*;

use super::x86::{BLOCKS_OF_A_LINE, sums_of_lanes};
use super::{BLOCK, BLOCK_BYTES, Block, ROWS};
use crate::wide::{AHEAD, fetch, has_avx512};

/// Blocks side by side.
const LANES: usize = 16;

/// Elements of a block that a lane takes at once, and how often it does.
const BYTES: usize = 4;
const TIMES: usize = BLOCK / BYTES;

/// Most tokens for which a row is transposed once: their sums and the row's blocks fill half of the registers.
const TOKENS: usize = 8;

/// Bytes between blocks that are read and those that are fetched. Weights of memory take 4 % less time than with half of it.
const BLOCKS_AHEAD: usize = 2 * AHEAD;

/// As far in rows.
const SCALES_AHEAD: usize = BLOCKS_AHEAD / (BLOCK_BYTES / 2);

pub(super) fn is_available() -> bool {
    has_avx512() && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni")
}

/// Sixteen blocks of a token, those that its row lacks being zeros.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Group {
    /// What low nibbles meet, then what high ones do: the next [`BYTES`] of every block.
    x: [[[i8; BYTES]; LANES]; TIMES],
    /// -8 times the sum, what a sum of products with nibbles lacks to that with weights.
    start: [i32; LANES],
    scales: [f32; LANES],
}

/// Tokens, by parts of 8, 4, 2 and 1: of each part the groups one after the other, in each of all the part's tokens.
pub(crate) struct Tokens {
    groups: Vec<Group>,
    /// Groups of a token.
    each: usize,
}

impl Tokens {
    /// Of rows of so many blocks.
    pub(super) fn new(x: &[[i8; BLOCK]], scales: &[u16], blocks: usize) -> Self {
        let (tokens, each) = (x.len() / blocks, blocks.div_ceil(LANES));
        let mut groups = vec![Group::default(); tokens * each];
        let rows = x
            .par_chunks(TOKENS * blocks)
            .zip(scales.par_chunks(TOKENS * blocks));
        let parts = groups.par_chunks_mut(TOKENS * each).zip(rows);
        parts.for_each(|(mut groups, (x, scales))| {
            let mut rows = x.chunks(blocks).zip(scales.chunks(blocks));
            while !groups.is_empty() {
                let count = part(groups.len() / each);
                let (now, later) = groups.split_at_mut(count * each);
                for (token, row) in rows.by_ref().take(count).enumerate() {
                    fill(now.iter_mut().skip(token).step_by(count), row);
                }
                groups = later;
            }
        });
        Self { groups, each }
    }

    /// Of each token the products with some rows.
    pub(super) fn products<'a>(&self, row: impl Fn(usize) -> (&'a [Block], &'a [u16]), sums: &mut [f32]) {
        let rows = sums.len() / (self.groups.len() / self.each);
        let parts = self.groups.chunks(TOKENS * self.each);
        for (mut groups, mut sums) in parts.zip(sums.chunks_mut(TOKENS * rows)) {
            while !groups.is_empty() {
                let count = part(groups.len() / self.each);
                let (now, later) = groups.split_at(count * self.each);
                let (now_sums, later_sums) = sums.split_at_mut(count * rows);
                match count {
                    1 => part_products::<1>(now, &row, now_sums),
                    2 => part_products::<2>(now, &row, now_sums),
                    4 => part_products::<4>(now, &row, now_sums),
                    _ => part_products::<TOKENS>(now, &row, now_sums),
                }
                (groups, sums) = (later, later_sums);
            }
        }
    }
}

/// Tokens of the first part of so many, of which there are some.
fn part(tokens: usize) -> usize {
    1 << tokens.min(TOKENS).ilog2()
}

fn fill<'a>(groups: impl Iterator<Item = &'a mut Group>, (x, scales): (&[[i8; BLOCK]], &[u16])) {
    for (group, (x, scales)) in groups.zip(x.chunks(LANES).zip(scales.chunks(LANES))) {
        for (block, (x, &scale)) in x.iter().zip(scales).enumerate() {
            let lane = lane_of(block);
            for (group, x) in group.x.iter_mut().zip(x.as_chunks().0) {
                group[lane] = *x;
            }
            group.start[lane] = -8 * x.iter().map(|&x| i32::from(x)).sum::<i32>();
            group.scales[lane] = f16::from_bits(scale).to_f32();
        }
    }
}

/// Where [`transposed`] leaves a block of sixteen.
fn lane_of(block: usize) -> usize {
    block % 4 * 4 + block / 4
}

fn part_products<'a, const N: usize>(
    x: &[Group],
    row: impl Fn(usize) -> (&'a [Block], &'a [u16]),
    sums: &mut [f32],
) {
    let (x, rows) = (x.as_chunks::<N>().0, sums.len() / N);
    for at in 0..rows {
        #[allow(
            unsafe_code,
            reason = "calling a function for AVX-512 is unsafe without the check that made the tokens"
        )]
        // SAFETY: tokens are made where `is_available`.
        let totals = unsafe { row_products(row(at), x) };
        for (sums, total) in sums.chunks_exact_mut(rows).zip(totals) {
            sums[at] = total;
        }
    }
}

/// With zeros for what is missing.
fn whole<T: Copy + Default>(rest: &[T]) -> [T; LANES] {
    let mut whole = [T::default(); LANES];
    whole[..rest.len()].copy_from_slice(rest);
    whole
}

/// Each token's sum in one order, whatever tokens are beside it.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
fn row_products<const N: usize>((blocks, scales): (&[Block], &[u16]), x: &[[Group; N]]) -> [f32; N] {
    let ((blocks, rest), (scales, rest_scales)) = (blocks.as_chunks(), scales.as_chunks());
    let padded;
    let last = match rest.is_empty() {
        true => None,
        false => {
            padded = (whole(rest), whole(rest_scales));
            Some((&padded.0, &padded.1))
        }
    };
    let mut sums = [_mm512_setzero_ps(); N];
    // One call of `add_group`, which is then inlined and keeps the sums in registers.
    for ((blocks, scales), x) in blocks.iter().zip(scales).chain(last).zip(x) {
        add_group(&mut sums, blocks, scales, x);
    }
    totals(sums)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add_group<const N: usize>(
    sums: &mut [__m512; N],
    blocks: &[Block; LANES],
    scales: &[u16; LANES],
    x: &[Group; N],
) {
    for line in blocks.chunks(BLOCKS_OF_A_LINE) {
        fetch(line.as_ptr().wrapping_byte_add(BLOCKS_AHEAD));
    }
    fetch(scales.as_ptr().wrapping_byte_add(SCALES_AHEAD));
    let nibble = _mm512_set1_epi8(15);
    let bytes = transposed(bytemuck::cast(*blocks));
    let low = bytes.map(|bytes| _mm512_and_si512(bytes, nibble));
    let high = bytes.map(|bytes| _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble));
    // Those of `lane_of`.
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let scales = _mm512_permutexvar_ps(order, _mm512_cvtph_ps(bytemuck::cast(*scales)));
    for (sum, x) in sums.iter_mut().zip(x) {
        let mut exact = bytemuck::cast(x.start);
        for (w, x) in low.into_iter().chain(high).zip(x.x) {
            exact = _mm512_dpbusd_epi32(exact, w, bytemuck::cast(x));
        }
        let scales = _mm512_mul_ps(scales, bytemuck::cast(x.scales));
        *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact), scales, *sum);
    }
}

/// Of four blocks in each of four vectors, first the first [`BYTES`] of all, then the second and so on.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (a_b, c_d) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
    let (a_b_later, c_d_later) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(a_b, c_d),
        _mm512_unpackhi_epi64(a_b, c_d),
        _mm512_unpacklo_epi64(a_b_later, c_d_later),
        _mm512_unpackhi_epi64(a_b_later, c_d_later),
    ]
}

/// Of each token, the sum of its lanes.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn totals<const N: usize>(sums: [__m512; N]) -> [f32; N] {
    let mut totals = [0.0; N];
    for (totals, sums) in totals.chunks_mut(ROWS).zip(sums.chunks(ROWS)) {
        let mut four = [_mm256_setzero_ps(); ROWS];
        for (four, &sum) in four.iter_mut().zip(sums) {
            *four = halves_added(sum);
        }
        let count = totals.len();
        totals.copy_from_slice(&sums_of_lanes(four)[..count]);
    }
    totals
}

#[inline]
#[target_feature(enable = "avx512f")]
fn halves_added(sums: __m512) -> __m256 {
    let upper = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(sums));
    _mm256_add_ps(_mm512_castps512_ps256(sums), bytemuck::cast(upper))
}
