//! With AVX-512 and its dot products of bytes: two tokens in a register.

mod rows;

use std::arch::x86_64::{
    __m512, __m512i, _mm_add_ps, _mm_hadd_ps, _mm256_add_ps, _mm256_castps256_ps128, _mm256_cvtph_ps,
    _mm256_extractf128_ps, _mm512_add_epi32, _mm512_and_si512, _mm512_castpd_ps, _mm512_castps_pd,
    _mm512_castps_si512, _mm512_castps256_ps512, _mm512_castps512_ps256, _mm512_cvtepi32_ps,
    _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_mul_ps, _mm512_permutex2var_ps, _mm512_permutexvar_ps,
    _mm512_set1_epi8, _mm512_setr_epi32, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_f64x2,
    _mm512_srli_epi16, _mm512_sub_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use super::{Block, GROUP, Group, Weights};
use crate::wide::{AHEAD, fetch};

pub(super) use rows::of_rows;

pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
}

/// Each token's sum in an order of its own, whichever token shares the register.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn of_tokens<const N: usize>(w: Weights<'_>, x: [&[Group]; N]) -> [f32; N] {
    let mut sums = [_mm512_setzero_ps(); N];
    for (at, (w, scales)) in w.groups.iter().zip(w.scales).enumerate() {
        for line in w.chunks(GROUP / 2) {
            fetch(line.as_ptr().wrapping_byte_add(AHEAD));
        }
        let (nibbles, scales) = (nibbles(w), scales_of_blocks(scales));
        for first in (0..N).step_by(2) {
            let two = [&x[first][at], &x[(first + 1).min(N - 1)][at]];
            sums[first] = add_products(nibbles, scales, two, sums[first]);
        }
    }
    let mut totals = [0.0; N];
    for first in (0..N).step_by(2) {
        for (total, sum) in totals[first..].iter_mut().zip(totals_of_two(sums[first])) {
            *total = sum;
        }
    }
    totals
}

/// Low nibbles and high ones of the first four blocks, then of the others.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn nibbles(w: &[Block; GROUP]) -> [__m512i; 4] {
    let [first, second]: [__m512i; 2] = bytemuck::cast(*w);
    let nibble = _mm512_set1_epi8(15);
    [
        _mm512_and_si512(first, nibble),
        _mm512_and_si512(_mm512_srli_epi16::<4>(first), nibble),
        _mm512_and_si512(second, nibble),
        _mm512_and_si512(_mm512_srli_epi16::<4>(second), nibble),
    ]
}

/// In each quarter, those of block `q` and of block `4 + q`, twice.
#[inline]
#[target_feature(enable = "avx512f")]
fn scales_of_blocks(scales: &[u16; GROUP]) -> __m512 {
    let order = _mm512_setr_epi32(0, 4, 0, 4, 1, 5, 1, 5, 2, 6, 2, 6, 3, 7, 3, 7);
    let scales = _mm256_cvtph_ps(bytemuck::cast(*scales));
    _mm512_permutexvar_ps(order, _mm512_castps256_ps512(scales))
}

/// Adds a group of two tokens: in each quarter `q`, sums of block `q` and of block `4 + q`, of one token and of the other.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add_products(nibbles: [__m512i; 4], scales: __m512, [a, b]: [&Group; 2], sums: __m512) -> __m512 {
    let (first, second) = (products(nibbles, a), products(nibbles, b));
    let integers = _mm512_add_epi32(
        _mm512_unpacklo_epi64(first, second),
        _mm512_unpackhi_epi64(first, second),
    );
    let excess = beside(bytemuck::cast(a.excess), bytemuck::cast(b.excess));
    let exact = _mm512_cvtepi32_ps(_mm512_sub_epi32(integers, _mm512_castps_si512(excess)));
    let scales = _mm512_mul_ps(scales, beside(a.scales, b.scales));
    _mm512_fmadd_ps(exact, scales, sums)
}

/// In each quarter `q`, two sums of half of the products of block `q` and of block `4 + q`, in turn.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn products(nibbles: [__m512i; 4], x: &Group) -> __m512i {
    let [first_low, second_low]: [__m512i; 2] = bytemuck::cast(x.low);
    let [first_high, second_high]: [__m512i; 2] = bytemuck::cast(x.high);
    let none = _mm512_setzero_si512();
    let first = _mm512_dpbusd_epi32(none, nibbles[0], first_low);
    let first = _mm512_dpbusd_epi32(first, nibbles[1], first_high);
    let second = _mm512_dpbusd_epi32(none, nibbles[2], second_low);
    let second = _mm512_dpbusd_epi32(second, nibbles[3], second_high);
    _mm512_add_epi32(
        _mm512_unpacklo_epi32(first, second),
        _mm512_unpackhi_epi32(first, second),
    )
}

/// What two tokens have for each block, in the order of their sums; they have it in that of [`super::block_at`].
#[inline]
#[target_feature(enable = "avx512f")]
fn beside(a: [f32; GROUP], b: [f32; GROUP]) -> __m512 {
    let order = _mm512_setr_epi32(0, 2, 16, 18, 4, 6, 20, 22, 1, 3, 17, 19, 5, 7, 21, 23);
    let [a, b] = [
        _mm512_castps256_ps512(bytemuck::cast(a)),
        _mm512_castps256_ps512(bytemuck::cast(b)),
    ];
    _mm512_permutex2var_ps(a, order, b)
}

/// Of each token, the sum of its lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn totals_of_two(sums: __m512) -> [f32; 2] {
    let double = _mm512_castps_pd(sums);
    let upper = _mm512_castpd_ps(_mm512_shuffle_f64x2::<0b1110>(double, double));
    let half = _mm256_add_ps(_mm512_castps512_ps256(sums), _mm512_castps512_ps256(upper));
    let quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
    let [a, b, ..]: [f32; 4] = bytemuck::cast(_mm_hadd_ps(quarter, quarter));
    [a, b]
}
