//! One row of activations: two groups in a register.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_add_epi32, _mm512_castps_si512, _mm512_cvtepi32_ps, _mm512_cvtph_ps,
    _mm512_fmadd_ps, _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_reduce_add_ps, _mm512_setr_epi32,
    _mm512_setzero_ps, _mm512_sub_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

use super::{beside, nibbles, products};
use crate::q4::{Activations, Block, GROUP, Group, Rows, Weights};
use crate::wide::{AHEAD, fetch};

/// Blocks of a cache line.
const LINE: usize = GROUP / 2;

/// As far in rows as [`AHEAD`] of blocks.
const SCALES_AHEAD: usize = AHEAD / (size_of::<Block>() / size_of::<u16>());

/// One row after the other, in the order of memory.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(in super::super) fn of_rows<'a>(rows: Rows<'a>, x: &Activations<'_>) -> Rows<'a> {
    let blocks = x.blocks();
    for row in 0..rows.y.len() {
        rows.y[row] = of_row(&rows.row(row, blocks), &x.groups);
    }
    rows
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn of_row(w: &Weights<'_>, x: &[Group]) -> f32 {
    let (groups, last) = w.groups.as_chunks::<2>();
    let (scales, last_scales) = w.scales.as_chunks::<2>();
    let (pairs, last_x) = x.as_chunks::<2>();
    let mut sum = _mm512_setzero_ps();
    for ((w, scales), x) in groups.iter().zip(scales).zip(pairs) {
        for line in w.as_flattened().chunks(LINE) {
            fetch(line.as_ptr().wrapping_byte_add(AHEAD));
        }
        fetch(scales.as_ptr().wrapping_byte_add(SCALES_AHEAD));
        sum = add_pair(w, scales, [&x[0], &x[1]], sum);
    }
    if let ([w], [scales], [x]) = (last, last_scales, last_x) {
        // What is not there has scales of 0.
        sum = add_pair(&[*w; 2], &[*scales, [0; GROUP]], [x, &Group::default()], sum);
    }
    _mm512_reduce_add_ps(sum)
}

/// Adds two groups: in each quarter `q`, the sums of block `q` and of block `4 + q`, of one group and of the other.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add_pair(w: &[[Block; GROUP]; 2], scales: &[[u16; GROUP]; 2], [a, b]: [&Group; 2], sum: __m512) -> __m512 {
    let (first, second) = (products(nibbles(&w[0]), a), products(nibbles(&w[1]), b));
    let integers: __m512i = _mm512_add_epi32(
        _mm512_unpacklo_epi64(first, second),
        _mm512_unpackhi_epi64(first, second),
    );
    let excess = beside(bytemuck::cast(a.excess), bytemuck::cast(b.excess));
    let exact = _mm512_cvtepi32_ps(_mm512_sub_epi32(integers, _mm512_castps_si512(excess)));
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let scales = _mm512_permutexvar_ps(order, _mm512_cvtph_ps(bytemuck::cast(*scales)));
    let scales = _mm512_mul_ps(scales, beside(a.scales, b.scales));
    _mm512_fmadd_ps(exact, scales, sum)
}
