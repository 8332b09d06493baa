//! On the CPU: four rows side by side, eight blocks of each at a time.

use attest::spec::Dims;
use half::f16;
use rayon::prelude::*;

use super::{BLOCK, BLOCK_BYTES};
use crate::workload::dim;

/// Bytes of blocks of one task: short ones would begin too often, where nothing is fetched ahead.
const TASK: usize = 4 << 20;

/// Tasks of a thread, at least: enough that threads end together.
const TASKS: usize = 4;

/// Rows that are summed side by side, each the next of its own part of the task: neighbours are so short that both would lie
/// in one page, which the processor fetches ahead as one stream.
const STREAMS: usize = 4;

/// Blocks whose scales fill a vector.
const GROUP: usize = 8;

/// Rows of weights: blocks, and the bits of their scales.
#[derive(Clone, Copy)]
struct Weights<'a> {
    blocks: &'a [[u8; BLOCK_BYTES]],
    scales: &'a [u16],
}

impl Weights<'_> {
    fn part(self, first: usize, len: usize) -> Self {
        Self {
            blocks: &self.blocks[first..][..len],
            scales: &self.scales[first..][..len],
        }
    }
}

/// Activations in groups, and the blocks that fill none.
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

    fn sum_with(&self, w: &[[u8; BLOCK_BYTES]; GROUP], scales: &[u16; GROUP]) -> f32 {
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

/// The block of a group whose scale stands at `place`.
fn block_at(place: usize) -> usize {
    place % (GROUP / 2) * 2 + place / (GROUP / 2)
}

impl<'a> Activations<'a> {
    fn new(x: &'a [[i8; BLOCK]], scales: &'a [u16]) -> Self {
        let (blocks, rest) = x.as_chunks();
        let (block_scales, rest_scales) = scales.as_chunks();
        let groups = blocks.iter().zip(block_scales);
        Self {
            groups: groups.map(|(x, scales)| Group::of(x, scales)).collect(),
            rest,
            rest_scales,
        }
    }

    fn blocks(&self) -> usize {
        self.groups.len() * GROUP + self.rest.len()
    }
}

/// Weights and scales of a matrix, and where the sums of its rows go.
pub(super) struct Matrix<'a> {
    weights: Weights<'a>,
    y: &'a mut [f32],
}

impl<'a> Matrix<'a> {
    pub(super) fn new([blocks, scales]: [&'a [u8]; 2], y: &'a mut [f32]) -> Self {
        let weights = Weights {
            blocks: bytemuck::cast_slice(blocks),
            scales: bytemuck::cast_slice(scales),
        };
        Self { weights, y }
    }

    /// Parts of so many rows, of which each has `blocks`.
    fn tasks(self, rows: usize, blocks: usize) -> impl Iterator<Item = Self> {
        let parts = self.y.chunks_mut(rows).enumerate();
        parts.map(move |(task, y)| Self {
            weights: self.weights.part(task * rows * blocks, y.len() * blocks),
            y,
        })
    }
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let y = bytemuck::cast_slice_mut(outputs[0]);
    let matrix = Matrix::new([inputs[0], inputs[1]], y);
    products(vec![matrix], [inputs[2], inputs[3]], dim(dims, "blocks"));
}

/// Of all matrices with the same activations, integers and scales.
pub(super) fn products(matrices: Vec<Matrix<'_>>, [x, scales]: [&[u8]; 2], blocks: usize) {
    let x = Activations::new(bytemuck::cast_slice(x), bytemuck::cast_slice(scales));
    let rows_of_task = rows_of_a_task(matrices.iter().map(|matrix| matrix.y.len()).sum(), blocks);
    let tasks = matrices
        .into_iter()
        .flat_map(|matrix| matrix.tasks(rows_of_task, blocks));
    let tasks: Vec<Matrix<'_>> = tasks.collect();
    tasks
        .into_par_iter()
        .with_max_len(1)
        .for_each(|task| rows(task.y, task.weights, &x));
}

fn rows_of_a_task(rows: usize, blocks: usize) -> usize {
    let most = TASK / (blocks * BLOCK_BYTES).max(1);
    let shared = rows.div_ceil(TASKS * rayon::current_num_threads());
    most.min(shared).max(1).next_multiple_of(STREAMS)
}

fn rows(y: &mut [f32], w: Weights<'_>, x: &Activations<'_>) {
    let len = x.blocks();
    let row = |row: usize| w.part(row * len, len);
    let part_rows = y.len() / STREAMS;
    for at in 0..part_rows {
        let sums = sums(
            std::array::from_fn::<_, STREAMS, _>(|stream| row(stream * part_rows + at)),
            x,
        );
        for (stream, sum) in sums.into_iter().enumerate() {
            y[stream * part_rows + at] = sum;
        }
    }
    for (at, y) in y.iter_mut().enumerate().skip(part_rows * STREAMS) {
        [*y] = sums([row(at)], x);
    }
}

/// Products of some rows with x.
fn sums<const ROWS: usize>(w: [Weights<'_>; ROWS], x: &Activations<'_>) -> [f32; ROWS] {
    let blocks = w.map(|w| w.blocks.as_chunks());
    let scales = w.map(|w| w.scales.as_chunks());
    let groups = grouped_sums(
        blocks.map(|(groups, _)| groups),
        scales.map(|(groups, _)| groups),
        &x.groups,
    );
    if x.rest.is_empty() {
        return groups;
    }
    std::array::from_fn(|row| groups[row] + rest_sum(blocks[row].1, scales[row].1, x))
}

/// Blocks and scales of a row in groups.
type Blocks<'a> = &'a [[[u8; BLOCK_BYTES]; GROUP]];
type Scales<'a> = &'a [[u16; GROUP]];

fn grouped_sums<const ROWS: usize>(
    blocks: [Blocks<'_>; ROWS],
    scales: [Scales<'_>; ROWS],
    x: &[Group],
) -> [f32; ROWS] {
    #[cfg(target_arch = "x86_64")]
    if x86::is_available() {
        #[allow(
            unsafe_code,
            reason = "calling a function for AVX2 is unsafe without the check just made"
        )]
        // SAFETY: the processor has AVX2, FMA and F16C.
        return unsafe { x86::sums(blocks, scales, x) };
    }
    std::array::from_fn(|row| {
        let groups = blocks[row].iter().zip(scales[row]).zip(x);
        groups.map(|((w, scales), x)| x.sum_with(w, scales)).sum()
    })
}

fn rest_sum(w: &[[u8; BLOCK_BYTES]], scales: &[u16], x: &Activations<'_>) -> f32 {
    let scales = scales.iter().zip(x.rest_scales).map(|(w, x)| {
        let [w, x] = [w, x].map(|&bits| f16::from_bits(bits).to_f32());
        w * x
    });
    let sums = w.iter().zip(x.rest).map(|(w, x)| integer_sum(w, x) as f32);
    scales.zip(sums).map(|(scale, sum)| scale * sum).sum()
}

fn integer_sum(w: &[u8; BLOCK_BYTES], x: &[i8; BLOCK]) -> i32 {
    let product = |nibble: u8, x: i8| (i32::from(nibble) - 8) * i32::from(x);
    let of_byte = |at: usize| product(w[at] & 15, x[at]) + product(w[at] >> 4, x[at + BLOCK_BYTES]);
    (0..BLOCK_BYTES).map(of_byte).sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128, __m128i, __m256, __m256i, _mm_add_ps, _mm_setr_epi8, _mm_shuffle_epi8, _mm256_add_epi16,
        _mm256_and_si256, _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_hadd_ps,
        _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16,
        _mm256_setzero_ps, _mm256_srli_epi16, _mm256_sub_epi32, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64,
        _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
    };

    use super::{BLOCK_BYTES, Blocks, GROUP, Group, STREAMS, Scales};
    use crate::wide::fetch;

    const BLOCKS_OF_A_LINE: usize = 64 / BLOCK_BYTES;

    /// Bytes of blocks, and of scales, between what is read of a row and what is fetched: with the other streams' what
    /// memory's latency takes.
    const AHEAD: usize = 512;
    const SCALES_AHEAD: usize = AHEAD / (BLOCK_BYTES / 2);

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }

    /// Sums of rows with as many groups as `x` has; one of them takes the turns of four, so that its sum is the same.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn sums<const ROWS: usize>(
        blocks: [Blocks<'_>; ROWS],
        scales: [Scales<'_>; ROWS],
        x: &[Group],
    ) -> [f32; ROWS] {
        let row = |row: usize| (&blocks[row % ROWS][..x.len()], &scales[row % ROWS][..x.len()]);
        let zero = _mm256_setzero_ps();
        let mut totals = [zero; STREAMS];
        // Written out: the compiler unrolls no loop of this size, and would keep the sums in memory.
        match ROWS {
            STREAMS => {
                let [a, b, c, d] = std::array::from_fn(row);
                for (at, x) in x.iter().enumerate() {
                    totals[0] = add_group(a, at, x, totals[0]);
                    totals[1] = add_group(b, at, x, totals[1]);
                    totals[2] = add_group(c, at, x, totals[2]);
                    totals[3] = add_group(d, at, x, totals[3]);
                }
            }
            _ => {
                for (total, row) in totals.iter_mut().zip((0..ROWS).map(row)) {
                    for (at, x) in x.iter().enumerate() {
                        *total = add_group(row, at, x, *total);
                    }
                }
            }
        }
        let totals = sums_of_lanes(totals);
        std::array::from_fn(|row| totals[row])
    }

    /// The sum of the lanes of each, in one order.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn sums_of_lanes([a, b, c, d]: [__m256; STREAMS]) -> [f32; STREAMS] {
        let quarters = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
        let [low, high]: [__m128; 2] = bytemuck::cast(quarters);
        bytemuck::cast(_mm_add_ps(low, high))
    }

    /// Adds a group to eight partial sums, one of each block.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn add_group((w, scales): (Blocks<'_>, Scales<'_>), at: usize, x: &Group, sum: __m256) -> __m256 {
        let (w, scales) = (&w[at], &scales[at]);
        w.chunks(BLOCKS_OF_A_LINE).for_each(|line| fetch(line, AHEAD));
        fetch(scales, SCALES_AHEAD);
        let early = halved(products::<0>(w, x), products::<1>(w, x));
        let late = halved(products::<2>(w, x), products::<3>(w, x));
        let two_each = _mm256_add_epi16(
            _mm256_unpacklo_epi64(early, late),
            _mm256_unpackhi_epi64(early, late),
        );
        let one_each = _mm256_madd_epi16(two_each, _mm256_set1_epi16(1));
        let exact = _mm256_cvtepi32_ps(_mm256_sub_epi32(one_each, bytemuck::cast(x.excess)));

        let firsts_first = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
        let scales = _mm_shuffle_epi8(bytemuck::cast::<_, __m128i>(*scales), firsts_first);
        let scales = _mm256_mul_ps(_mm256_cvtph_ps(scales), bytemuck::cast(x.scales));
        _mm256_fmadd_ps(exact, scales, sum)
    }

    /// Half as many sums of either block of `a` and of `b`, in turn: what horizontal sums do, in fewer steps of the processor's.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn halved(a: __m256i, b: __m256i) -> __m256i {
        _mm256_add_epi16(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b))
    }

    /// Sums of four products of a nibble and an i8, eight of either block of a pair. Those of sixteen still fit: 16 * 15 * 128
    /// is below 2^15.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn products<const PAIR: usize>(w: &[[u8; BLOCK_BYTES]; GROUP], x: &Group) -> __m256i {
        let w: __m256i = bytemuck::cast([w[2 * PAIR], w[2 * PAIR + 1]]);
        let nibble = _mm256_set1_epi8(15);
        let low = _mm256_and_si256(w, nibble);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(w), nibble);
        let low = _mm256_maddubs_epi16(low, bytemuck::cast(x.low[PAIR]));
        let high = _mm256_maddubs_epi16(high, bytemuck::cast(x.high[PAIR]));
        _mm256_add_epi16(low, high)
    }
}

#[cfg(test)]
mod tests {
    use attest::exact::stream::{Form, bytes};

    use super::*;

    /// With scales of 1 every sum is an integer that f32 holds, so any order gives the same.
    const ONES: [u16; GROUP] = [0x3C00; GROUP];

    fn expect_one_sum(w: [[u8; BLOCK_BYTES]; GROUP], x: [[i8; BLOCK]; GROUP]) {
        let want: i32 = w.iter().zip(&x).map(|(w, x)| integer_sum(w, x)).sum();
        let group = Group::of(&x, &ONES);
        assert_eq!(group.sum_with(&w, &ONES), want as f32);
        let weights = Weights {
            blocks: &w,
            scales: &ONES,
        };
        assert_eq!(
            sums([weights; STREAMS], &Activations::new(&x, &ONES)),
            [want as f32; STREAMS]
        );
    }

    #[test]
    fn a_group_is_the_sum_of_its_blocks_with_vectors_and_without() {
        let drawn = |name| bytes(&[5; 32], name, Form::I8, GROUP * BLOCK);
        let (w, x) = (drawn("w"), drawn("x"));
        expect_one_sum(
            bytemuck::pod_read_unaligned(&w[..GROUP * BLOCK_BYTES]),
            bytemuck::pod_read_unaligned(&x),
        );
    }

    #[test]
    fn the_largest_sums_fit() {
        for (w, x) in [(0xFF, -128), (0xFF, 127), (0x00, -128), (0x00, 127)] {
            expect_one_sum([[w; BLOCK_BYTES]; GROUP], [[x; BLOCK]; GROUP]);
        }
    }
}
