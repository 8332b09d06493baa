//! On the CPU: four rows side by side, which are four streams for the processor to fetch ahead and share what is read of x.

use attest::spec::Dims;
use half::f16;
use rayon::prelude::*;

use super::{BLOCK, BLOCK_BYTES};
use crate::workload::dim;

/// Rows of one task: 144 KiB of weights where a row has 4096.
const ROWS: usize = 64;

/// Rows that are summed side by side.
const STREAMS: usize = 4;

/// Some rows of weights, or the activations: blocks, and the bits of their scales.
#[derive(Clone, Copy)]
struct Blocks<'a, Block> {
    blocks: &'a [Block],
    scales: &'a [u16],
}

type Weights<'a> = Blocks<'a, [u8; BLOCK_BYTES]>;
type Activations<'a> = Blocks<'a, [i8; BLOCK]>;

impl<Block> Blocks<'_, Block> {
    fn part(self, first: usize, len: usize) -> Self {
        Self {
            blocks: &self.blocks[first..][..len],
            scales: &self.scales[first..][..len],
        }
    }
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let task = ROWS * dim(dims, "blocks");
    let blocks: &[[u8; BLOCK_BYTES]] = bytemuck::cast_slice(inputs[0]);
    let scales: &[u16] = bytemuck::cast_slice(inputs[1]);
    let x = Blocks {
        blocks: bytemuck::cast_slice(inputs[2]),
        scales: bytemuck::cast_slice(inputs[3]),
    };
    let y: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    y.par_chunks_mut(ROWS)
        .zip(blocks.par_chunks(task).zip(scales.par_chunks(task)))
        .for_each(|(y, (blocks, scales))| rows(y, Blocks { blocks, scales }, x));
}

fn rows(y: &mut [f32], w: Weights<'_>, x: Activations<'_>) {
    let len = x.blocks.len();
    let row = |row: usize| w.part(row * len, len);
    let (groups, rest) = y.as_chunks_mut::<STREAMS>();
    let grouped = groups.len() * STREAMS;
    for (group, y) in groups.iter_mut().enumerate() {
        *y = sums(std::array::from_fn(|stream| row(group * STREAMS + stream)), x);
    }
    for (at, y) in rest.iter_mut().enumerate() {
        [*y] = sums([row(grouped + at)], x);
    }
}

/// Products of some rows with x.
fn sums<const ROWS: usize>(w: [Weights<'_>; ROWS], x: Activations<'_>) -> [f32; ROWS] {
    #[cfg(target_arch = "x86_64")]
    if x86::is_available() {
        #[allow(
            unsafe_code,
            reason = "calling a function for AVX2 is unsafe without the check just made"
        )]
        // SAFETY: the processor has AVX2, FMA and F16C.
        return unsafe { x86::sums(w, x) };
    }
    w.map(|w| sum(w, x))
}

fn sum(w: Weights<'_>, x: Activations<'_>) -> f32 {
    let scales = w.scales.iter().zip(x.scales).map(|(w, x)| {
        let [w, x] = [w, x].map(|&bits| f16::from_bits(bits).to_f32());
        w * x
    });
    let sums = w
        .blocks
        .iter()
        .zip(x.blocks)
        .map(|(w, x)| integer_sum(w, x) as f32);
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
        __m128i, __m256, __m256i, _mm256_add_epi16, _mm256_and_si256, _mm256_cvtepi32_ps, _mm256_cvtph_ps,
        _mm256_fmadd_ps, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_permutevar8x32_ps,
        _mm256_set1_epi8, _mm256_set1_epi16, _mm256_setzero_ps, _mm256_srli_epi16, _mm256_sub_epi16,
    };

    use super::{Activations, BLOCK, BLOCK_BYTES, Weights, sum};

    /// Blocks whose scales fill a vector.
    const GROUP: usize = 8;

    /// Lanes of the group's scales for each two blocks.
    const PLACES: [[i32; 8]; GROUP / 2] = [
        [0, 0, 0, 0, 1, 1, 1, 1],
        [2, 2, 2, 2, 3, 3, 3, 3],
        [4, 4, 4, 4, 5, 5, 5, 5],
        [6, 6, 6, 6, 7, 7, 7, 7],
    ];

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn sums<const ROWS: usize>(w: [Weights<'_>; ROWS], x: Activations<'_>) -> [f32; ROWS] {
        let (x_blocks, _) = x.blocks.as_chunks::<GROUP>();
        let (x_scales, _) = x.scales.as_chunks::<GROUP>();
        let blocks = w.map(|w| &w.blocks.as_chunks::<GROUP>().0[..x_blocks.len()]);
        let scales = w.map(|w| &w.scales.as_chunks::<GROUP>().0[..x_blocks.len()]);
        let mut sums = [_mm256_setzero_ps(); ROWS];
        for (at, (x, x_scales)) in x_blocks.iter().zip(x_scales).enumerate() {
            let x_scales = widen(x_scales);
            let scales = scales.map(|scales| _mm256_mul_ps(widen(&scales[at]), x_scales));
            for (two, place) in PLACES.iter().enumerate() {
                let x = Two::of(x[2 * two], x[2 * two + 1]);
                for row in 0..ROWS {
                    let w = bytemuck::cast([blocks[row][at][2 * two], blocks[row][at][2 * two + 1]]);
                    let scale = _mm256_permutevar8x32_ps(scales[row], bytemuck::cast(*place));
                    sums[row] = _mm256_fmadd_ps(x.sums_with(w), scale, sums[row]);
                }
            }
        }
        let whole = x_blocks.len() * GROUP;
        let rest = x.blocks.len() - whole;
        std::array::from_fn(|row| {
            let lanes: [f32; 8] = bytemuck::cast(sums[row]);
            lanes.iter().sum::<f32>() + sum(w[row].part(whole, rest), x.part(whole, rest))
        })
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn widen(halves: &[u16; GROUP]) -> __m256 {
        _mm256_cvtph_ps(bytemuck::cast::<_, __m128i>(*halves))
    }

    /// The activations of two blocks, one in each half of a vector: for low nibbles, for high ones, and the sums of four
    /// times 8, by which products with nibbles exceed those with weights.
    struct Two {
        low: __m256i,
        high: __m256i,
        excess: __m256i,
    }

    impl Two {
        #[inline]
        #[target_feature(enable = "avx2")]
        fn of(first: [i8; BLOCK], second: [i8; BLOCK]) -> Self {
            let [first, second]: [[[i8; BLOCK_BYTES]; 2]; 2] = bytemuck::cast([first, second]);
            let [low, high] = [0, 1].map(|half| bytemuck::cast([first[half], second[half]]));
            let eight = _mm256_set1_epi8(8);
            Self {
                low,
                high,
                excess: _mm256_add_epi16(
                    _mm256_maddubs_epi16(eight, low),
                    _mm256_maddubs_epi16(eight, high),
                ),
            }
        }

        /// Four partial sums of either block. Sums of four products of a nibble and an i8 stay below 2^13.
        #[inline]
        #[target_feature(enable = "avx2")]
        fn sums_with(&self, w: __m256i) -> __m256 {
            let nibble = _mm256_set1_epi8(15);
            let low = _mm256_maddubs_epi16(_mm256_and_si256(w, nibble), self.low);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(w), nibble);
            let products = _mm256_add_epi16(low, _mm256_maddubs_epi16(high, self.high));
            let exact = _mm256_sub_epi16(products, self.excess);
            _mm256_cvtepi32_ps(_mm256_madd_epi16(exact, _mm256_set1_epi16(1)))
        }
    }
}
