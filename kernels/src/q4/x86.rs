//! With AVX2, FMA and F16C.

use std::arch::x86_64::{
    __m128, __m128i, __m256, __m256i, _mm_add_ps, _mm_setr_epi8, _mm_shuffle_epi8, _mm256_add_epi16,
    _mm256_and_si256, _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_hadd_ps,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_setzero_ps, _mm256_srli_epi16, _mm256_sub_epi32, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};

use super::{Activations, BLOCK_BYTES, Block, GROUP, Group, ROWS, Rows, Weights};
use crate::wide::{AHEAD, fetch};

pub(super) const BLOCKS_OF_A_LINE: usize = 64 / BLOCK_BYTES;

/// As far in rows as [`AHEAD`] of blocks.
const SCALES_AHEAD: usize = AHEAD / (BLOCK_BYTES / 2);

/// One row after the other, in the order of memory.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn of_rows<'a>(rows: Rows<'a>, x: &Activations<'_>) -> Rows<'a> {
    let blocks = x.blocks();
    for first in (0..rows.y.len()).step_by(ROWS) {
        let count = ROWS.min(rows.y.len() - first);
        let mut sums = [_mm256_setzero_ps(); ROWS];
        for (row, sum) in sums[..count].iter_mut().enumerate() {
            *sum = of_row(&rows.row(first + row, blocks), &x.groups);
        }
        rows.y[first..][..count].copy_from_slice(&sums_of_lanes(sums)[..count]);
    }
    rows
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn of_row(w: &Weights<'_>, x: &[Group]) -> __m256 {
    let mut sum = _mm256_setzero_ps();
    for (group, x) in w.groups.iter().zip(w.scales).zip(x) {
        sum = read_group(group, x, sum);
    }
    sum
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn of_tokens<const N: usize>(w: Weights<'_>, x: [&[Group]; N]) -> [f32; N] {
    let mut sums = [_mm256_setzero_ps(); N];
    for (at, group) in w.groups.iter().zip(w.scales).enumerate() {
        sums = add_group(group, x.map(|x| &x[at]), sums);
    }
    let mut four = [_mm256_setzero_ps(); ROWS];
    for (four, sum) in four.iter_mut().zip(sums) {
        *four = sum;
    }
    let totals = sums_of_lanes(four);
    std::array::from_fn(|token| totals[token])
}

/// The sum of the lanes of each, in one order.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sums_of_lanes([a, b, c, d]: [__m256; ROWS]) -> [f32; ROWS] {
    let quarters = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    let [low, high]: [__m128; 2] = bytemuck::cast(quarters);
    bytemuck::cast(_mm_add_ps(low, high))
}

/// [`add_group`] of weights that are read once, with what follows them fetched.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn read_group((w, scales): (&[Block; GROUP], &[u16; GROUP]), x: &Group, sum: __m256) -> __m256 {
    for line in w.chunks(BLOCKS_OF_A_LINE) {
        fetch(line.as_ptr().wrapping_byte_add(AHEAD));
    }
    fetch(scales.as_ptr().wrapping_byte_add(SCALES_AHEAD));
    let [sum] = add_group((w, scales), [x], [sum]);
    sum
}

/// Adds a group to each token's eight partial sums, one of each block.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_group<const N: usize>(
    (w, scales): (&[Block; GROUP], &[u16; GROUP]),
    x: [&Group; N],
    mut sums: [__m256; N],
) -> [__m256; N] {
    let early = two_pairs::<0, N>(w, x);
    let late = two_pairs::<2, N>(w, x);
    let firsts_first = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    let scales = _mm_shuffle_epi8(bytemuck::cast::<_, __m128i>(*scales), firsts_first);
    let scales = _mm256_cvtph_ps(scales);
    for token in 0..N {
        let (early, late) = (early[token], late[token]);
        let two_each = _mm256_add_epi16(
            _mm256_unpacklo_epi64(early, late),
            _mm256_unpackhi_epi64(early, late),
        );
        let one_each = _mm256_madd_epi16(two_each, _mm256_set1_epi16(1));
        let exact = _mm256_cvtepi32_ps(_mm256_sub_epi32(one_each, bytemuck::cast(x[token].excess)));
        let scales = _mm256_mul_ps(scales, bytemuck::cast(x[token].scales));
        sums[token] = _mm256_fmadd_ps(exact, scales, sums[token]);
    }
    sums
}

/// Sums of eight products of a nibble and an i8, of two pairs of blocks. Those of sixteen still fit: 16 * 15 * 128 is below
/// 2^15.
#[inline]
#[target_feature(enable = "avx2")]
fn two_pairs<const PAIR: usize, const N: usize>(w: &[Block; GROUP], x: [&Group; N]) -> [__m256i; N] {
    let (one, two) = (nibbles(w, PAIR), nibbles(w, PAIR + 1));
    let mut sums = [one[0]; N];
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum = halved(products(one, x, PAIR), products(two, x, PAIR + 1));
    }
    sums
}

/// Half as many sums of either block of `a` and of `b`, in turn: what horizontal sums do, in fewer steps of the processor's.
#[inline]
#[target_feature(enable = "avx2")]
fn halved(a: __m256i, b: __m256i) -> __m256i {
    _mm256_add_epi16(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b))
}

/// Low nibbles of a pair of blocks, then high ones.
#[inline]
#[target_feature(enable = "avx2")]
fn nibbles(w: &[Block; GROUP], pair: usize) -> [__m256i; 2] {
    let w: __m256i = bytemuck::cast([w[2 * pair], w[2 * pair + 1]]);
    let nibble = _mm256_set1_epi8(15);
    [
        _mm256_and_si256(w, nibble),
        _mm256_and_si256(_mm256_srli_epi16::<4>(w), nibble),
    ]
}

/// Sums of four products each.
#[inline]
#[target_feature(enable = "avx2")]
fn products([low, high]: [__m256i; 2], x: &Group, pair: usize) -> __m256i {
    let low = _mm256_maddubs_epi16(low, bytemuck::cast(x.low[pair]));
    let high = _mm256_maddubs_epi16(high, bytemuck::cast(x.high[pair]));
    _mm256_add_epi16(low, high)
}
