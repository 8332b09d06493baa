//! On the CPU: rows of weights that stay in the cache over four tokens at a time, eight blocks of each.

use attest::spec::Dims;
use half::f16;
use rayon::prelude::*;

use super::{BLOCK, BLOCK_BYTES};
use crate::workload::dim;

/// Rows of one task: 72 KiB of weights where a row has 4096.
const ROWS: usize = 32;

/// Tokens that share what is unpacked of the weights.
const TOKENS: usize = 4;

/// Blocks whose scales fill a vector.
const GROUP: usize = 8;

type Block = [u8; BLOCK_BYTES];

/// Activations of a token in groups, and the blocks that fill none.
struct Activations<'a> {
    groups: Vec<Group>,
    rest: &'a [[i8; BLOCK]],
    rest_scales: &'a [u16],
}

/// Eight blocks in four pairs of neighbours.
struct Group {
    /// Of each pair the activations that low nibbles meet, and those that high ones do.
    low: [[i8; BLOCK]; GROUP / 2],
    high: [[i8; BLOCK]; GROUP / 2],
    /// First of each pair's first block, then of each second: scales, and 8 times the sum, by which a sum of products with
    /// nibbles exceeds the one with weights.
    scales: [f32; GROUP],
    excess: [i32; GROUP],
}

/// A row of weights: blocks, and the bits of their scales.
#[derive(Clone, Copy)]
struct Weights<'a> {
    groups: &'a [[Block; GROUP]],
    scales: &'a [[u16; GROUP]],
    rest: &'a [Block],
    rest_scales: &'a [u16],
}

/// Bytes of what tasks leave: sums of each token for the rows of a task, task after task.
pub(super) fn scratch_bytes(m: usize, n: usize) -> u64 {
    (size_of::<f32>() * m * n) as u64
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [m, n, blocks] = ["m", "n", "blocks"].map(|name| dim(dims, name));
    let [y, sums] = outputs else {
        unreachable!("an output and the plan's scratch")
    };
    let x: &[[i8; BLOCK]] = bytemuck::cast_slice(inputs[0]);
    let x = x
        .par_chunks(blocks)
        .zip(bytemuck::cast_slice(inputs[1]).par_chunks(blocks));
    let x: Vec<Activations<'_>> = x.map(|(x, scales)| Activations::new(x, scales)).collect();
    let (w, scales): (&[Block], &[u16]) = (bytemuck::cast_slice(inputs[2]), bytemuck::cast_slice(inputs[3]));
    let sums: &mut [f32] = bytemuck::cast_slice_mut(sums);
    let tasks = sums.par_chunks_mut(ROWS * m);
    tasks.enumerate().for_each(|(task, sums)| {
        let row = |row: usize| Weights::new(&w[row * blocks..][..blocks], &scales[row * blocks..][..blocks]);
        rows(sums, |at| row(task * ROWS + at), &x);
    });
    let y: &mut [f32] = bytemuck::cast_slice_mut(y);
    y.par_chunks_mut(n).enumerate().for_each(|(token, y)| {
        for (y, sums) in y.chunks_mut(ROWS).zip(sums.chunks(ROWS * m)) {
            y.copy_from_slice(&sums[token * y.len()..][..y.len()]);
        }
    });
}

/// Every token's sums with some rows.
fn rows<'a>(sums: &mut [f32], row: impl Fn(usize) -> Weights<'a>, x: &[Activations<'_>]) {
    let count = sums.len() / x.len();
    let (fours, rest) = x.as_chunks::<TOKENS>();
    let (sums, rest_sums) = sums.split_at_mut(fours.len() * TOKENS * count);
    for (sums, x) in sums.chunks_mut(TOKENS * count).zip(fours) {
        for at in 0..count {
            let of_row = sums_of(row(at), x.each_ref());
            for (token, sum) in of_row.into_iter().enumerate() {
                sums[token * count + at] = sum;
            }
        }
    }
    for (sums, x) in rest_sums.chunks_mut(count).zip(rest) {
        for (at, sum) in sums.iter_mut().enumerate() {
            [*sum] = sums_of(row(at), [x]);
        }
    }
}

/// One row's products with some tokens.
fn sums_of<const N: usize>(w: Weights<'_>, x: [&Activations<'_>; N]) -> [f32; N] {
    let grouped = grouped_sums(w, x.map(|x| &x.groups[..]));
    if w.rest.is_empty() {
        return grouped;
    }
    std::array::from_fn(|token| grouped[token] + rest_sum(w, x[token]))
}

fn grouped_sums<const N: usize>(w: Weights<'_>, x: [&[Group]; N]) -> [f32; N] {
    #[cfg(target_arch = "x86_64")]
    if x86::is_available() {
        #[allow(
            unsafe_code,
            reason = "calling a function for AVX2 is unsafe without the check just made"
        )]
        // SAFETY: the processor has AVX2, FMA and F16C.
        return unsafe { x86::sums(w, x) };
    }
    x.map(|x| {
        let groups = w.groups.iter().zip(w.scales).zip(x);
        groups.map(|((w, scales), x)| x.sum_with(w, scales)).sum()
    })
}

fn rest_sum(w: Weights<'_>, x: &Activations<'_>) -> f32 {
    let scales = w.rest_scales.iter().zip(x.rest_scales).map(|(w, x)| {
        let [w, x] = [w, x].map(|&bits| f16::from_bits(bits).to_f32());
        w * x
    });
    let sums = w.rest.iter().zip(x.rest).map(|(w, x)| integer_sum(w, x) as f32);
    scales.zip(sums).map(|(scale, sum)| scale * sum).sum()
}

fn integer_sum(w: &Block, x: &[i8; BLOCK]) -> i32 {
    let product = |nibble: u8, x: i8| (i32::from(nibble) - 8) * i32::from(x);
    let of_byte = |at: usize| product(w[at] & 15, x[at]) + product(w[at] >> 4, x[at + BLOCK_BYTES]);
    (0..BLOCK_BYTES).map(of_byte).sum()
}

/// The block of a group whose scale stands at `place`.
fn block_at(place: usize) -> usize {
    place % (GROUP / 2) * 2 + place / (GROUP / 2)
}

impl<'a> Weights<'a> {
    fn new(blocks: &'a [Block], scales: &'a [u16]) -> Self {
        let ((groups, rest), (scales, rest_scales)) = (blocks.as_chunks(), scales.as_chunks());
        Self {
            groups,
            scales,
            rest,
            rest_scales,
        }
    }
}

impl<'a> Activations<'a> {
    fn new(x: &'a [[i8; BLOCK]], scales: &'a [u16]) -> Self {
        let ((blocks, rest), (scales, rest_scales)) = (x.as_chunks(), scales.as_chunks());
        let groups = blocks.iter().zip(scales);
        Self {
            groups: groups.map(|(x, scales)| Group::of(x, scales)).collect(),
            rest,
            rest_scales,
        }
    }
}

impl Group {
    fn of(x: &[[i8; BLOCK]; GROUP], scales: &[u16; GROUP]) -> Self {
        let half = |pair: usize, half: usize| {
            let [one, two]: [[[i8; BLOCK_BYTES]; 2]; 2] = bytemuck::cast([x[2 * pair], x[2 * pair + 1]]);
            bytemuck::cast([one[half], two[half]])
        };
        let scale = |place: usize| f16::from_bits(scales[block_at(place)]).to_f32();
        let sum = |place: usize| x[block_at(place)].iter().map(|&x| i32::from(x)).sum::<i32>();
        Self {
            low: std::array::from_fn(|pair| half(pair, 0)),
            high: std::array::from_fn(|pair| half(pair, 1)),
            scales: std::array::from_fn(scale),
            excess: std::array::from_fn(|place| 8 * sum(place)),
        }
    }

    fn sum_with(&self, w: &[Block; GROUP], scales: &[u16; GROUP]) -> f32 {
        let product = |nibble: u8, x: i8| i32::from(nibble) * i32::from(x);
        let block = |place: usize| {
            let (pair, first) = (place % (GROUP / 2), place / (GROUP / 2) * BLOCK_BYTES);
            let x = self.low[pair][first..].iter().zip(&self.high[pair][first..]);
            let nibbles = w[block_at(place)].iter().zip(x);
            let sum: i32 = nibbles
                .map(|(w, (low, high))| product(w & 15, *low) + product(w >> 4, *high))
                .sum();
            let scale = f16::from_bits(scales[block_at(place)]).to_f32();
            scale * self.scales[place] * (sum - self.excess[place]) as f32
        };
        (0..GROUP).map(block).sum()
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256, __m256i, _mm_setr_epi8, _mm_shuffle_epi8, _mm256_add_epi16, _mm256_and_si256,
        _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_hadd_epi16, _mm256_madd_epi16,
        _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_setzero_ps,
        _mm256_srli_epi16, _mm256_sub_epi32,
    };

    use super::{Block, GROUP, Group, Weights};
    use crate::wide::sum_of_lanes;

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn sums<const N: usize>(w: Weights<'_>, x: [&[Group]; N]) -> [f32; N] {
        let mut sums = [_mm256_setzero_ps(); N];
        for (at, (w, scales)) in w.groups.iter().zip(w.scales).enumerate() {
            sums = add_group(w, scales, x.map(|x| &x[at]), sums);
        }
        let mut totals = [0.0; N];
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = sum_of_lanes(sum);
        }
        totals
    }

    /// Adds a group to each token's eight partial sums, one of each block.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn add_group<const N: usize>(
        w: &[Block; GROUP],
        scales: &[u16; GROUP],
        x: [&Group; N],
        mut sums: [__m256; N],
    ) -> [__m256; N] {
        let early = two_pairs::<0, N>(w, x);
        let late = two_pairs::<2, N>(w, x);
        let firsts_first = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
        let scales = _mm_shuffle_epi8(bytemuck::cast::<_, __m128i>(*scales), firsts_first);
        let scales = _mm256_cvtph_ps(scales);
        for token in 0..N {
            let two_each = _mm256_hadd_epi16(early[token], late[token]);
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
            *sum = _mm256_hadd_epi16(products(one, x, PAIR), products(two, x, PAIR + 1));
        }
        sums
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
}

#[cfg(test)]
mod tests {
    use attest::exact::stream::{Form, bytes};

    use super::*;

    /// With scales of 1 every sum is an integer that f32 holds, so any order gives the same.
    const ONES: [u16; GROUP] = [0x3C00; GROUP];

    fn expect_one_sum(w: &[Block; GROUP], x: &[[i8; BLOCK]; GROUP]) {
        let want: i32 = w.iter().zip(x).map(|(w, x)| integer_sum(w, x)).sum();
        assert_eq!(Group::of(x, &ONES).sum_with(w, &ONES), want as f32);
        let x = Activations::new(x, &ONES);
        assert_eq!(
            sums_of(Weights::new(w, &ONES), [&x; TOKENS]),
            [want as f32; TOKENS]
        );
    }

    #[test]
    fn a_group_is_the_sum_of_its_blocks_with_vectors_and_without() {
        let drawn = |name| bytes(&[5; 32], name, Form::I8, GROUP * BLOCK);
        let (w, x) = (drawn("w"), drawn("x"));
        expect_one_sum(
            &bytemuck::pod_read_unaligned(&w[..GROUP * BLOCK_BYTES]),
            &bytemuck::pod_read_unaligned(&x),
        );
    }

    #[test]
    fn the_largest_sums_fit() {
        for (w, x) in [(0xFF, -128), (0xFF, 127), (0x00, -128), (0x00, 127)] {
            expect_one_sum(&[[w; BLOCK_BYTES]; GROUP], &[[x; BLOCK]; GROUP]);
        }
    }
}
