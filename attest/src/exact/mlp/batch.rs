//! Many lanes at once: a product of matrices instead of one of vectors, which is what makes checking cheap.
//!
//! Weights are repacked once into panels of 16 columns, two steps of k to a word, so that one instruction multiplies
//! eight pairs; six lanes share each word that is read. Sums stay exact in i32 whatever the order.

#![allow(unsafe_code, reason = "vector instructions behind a run-time check")]

use super::{MIX, mix};

/// Columns of a panel: two vectors of eight words.
const COLUMNS: usize = 16;

/// Lanes of a tile: with two vectors each, twelve sums leave room for weights and state in 16 registers.
pub(super) const ROWS: usize = 6;

/// Two steps of k for each column of a panel.
type Word = [i16; 2];
type Words = [Word; COLUMNS];

/// One layer, repacked: `ceil(n / COLUMNS)` panels of `ceil(n / 2)` steps.
pub(super) struct Layer {
    panels: Vec<Words>,
    pairs: usize,
}

impl Layer {
    /// From n rows of n weights: row j holds what column j of the result multiplies.
    pub(super) fn new(width: usize, weights: &[i8]) -> Self {
        let pairs = width.div_ceil(2);
        let at = |column: usize, k: usize| match column < width && k < width {
            true => i16::from(weights[column * width + k]),
            false => 0,
        };
        let panels = (0..width.div_ceil(COLUMNS)).flat_map(|panel| {
            (0..pairs).map(move |pair| {
                std::array::from_fn(|c| {
                    let column = panel * COLUMNS + c;
                    [at(column, 2 * pair), at(column, 2 * pair + 1)]
                })
            })
        });
        Self {
            panels: panels.collect(),
            pairs,
        }
    }
}

/// States of up to any number of lanes, widened to i16 and padded to whole words and panels.
pub(super) struct Rows {
    pairs: usize,
    stride: usize,
    now: Vec<Word>,
    next: Vec<Word>,
}

impl Rows {
    pub(super) fn new(width: usize, rows: &[Vec<i8>]) -> Self {
        let stride = width.next_multiple_of(COLUMNS) / 2;
        let count = rows.len().next_multiple_of(ROWS);
        let mut now = vec![[0; 2]; count * stride];
        for (row, words) in rows.iter().zip(now.chunks_exact_mut(stride)) {
            for (k, value) in row.iter().enumerate() {
                words[k / 2][k % 2] = i16::from(*value);
            }
        }
        Self {
            pairs: width.div_ceil(2),
            stride,
            next: vec![[0; 2]; now.len()],
            now,
        }
    }

    /// One step with `layer`, mixing included.
    pub(super) fn step(&mut self, layer: &Layer) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            unsafe { x86::step(self, layer) };
            std::mem::swap(&mut self.now, &mut self.next);
            return;
        }
        self.step_anywhere(layer);
        std::mem::swap(&mut self.now, &mut self.next);
    }

    fn step_anywhere(&mut self, layer: &Layer) {
        let rows = self.now.chunks_exact(self.stride);
        for (row, out) in rows.zip(self.next.chunks_exact_mut(self.stride)) {
            for (panel, out) in layer
                .panels
                .chunks_exact(layer.pairs)
                .zip(out.chunks_exact_mut(COLUMNS / 2))
            {
                let mut sums = [0i32; COLUMNS];
                for (words, x) in panel.iter().zip(row) {
                    for (sum, word) in sums.iter_mut().zip(words) {
                        *sum += i32::from(word[0]) * i32::from(x[0]) + i32::from(word[1]) * i32::from(x[1]);
                    }
                }
                for (word, sums) in out.iter_mut().zip(sums.as_chunks::<2>().0) {
                    *word = sums.map(mix);
                }
            }
        }
    }

    /// The first `count` lanes' states.
    pub(super) fn into_rows(self, count: usize, width: usize) -> Vec<Vec<i8>> {
        let rows = self.now.chunks_exact(self.stride).take(count);
        rows.map(|words| {
            words.as_flattened()[..width]
                .iter()
                .map(|&value| value as i8)
                .collect()
        })
        .collect()
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_madd_epi16, _mm256_mullo_epi32, _mm256_packs_epi32,
        _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_srai_epi32,
    };

    use super::{COLUMNS, Layer, MIX, ROWS, Rows, Word, Words};

    #[target_feature(enable = "avx2")]
    pub(super) fn step(rows: &mut Rows, layer: &Layer) {
        let (stride, pairs) = (rows.stride, rows.pairs);
        // A panel stays in the first-level cache while all lanes pass it.
        for (panel, words) in layer.panels.chunks_exact(layer.pairs).enumerate() {
            let tiles = rows.now.chunks_exact(ROWS * stride);
            for (tile, out) in tiles.zip(rows.next.chunks_exact_mut(ROWS * stride)) {
                let lanes: [&[Word]; ROWS] = std::array::from_fn(|row| &tile[row * stride..][..pairs]);
                for (row, sums) in multiply(words, &lanes).into_iter().enumerate() {
                    let out = &mut out[row * stride + panel * COLUMNS / 2..][..COLUMNS / 2];
                    out.copy_from_slice(&mixed(sums));
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn multiply(panel: &[Words], lanes: &[&[Word]; ROWS]) -> [[__m256i; 2]; ROWS] {
        let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
        for (pair, words) in panel.iter().enumerate() {
            // SAFETY: 16 words of four bytes are two vectors of 32, and every bit pattern is a vector.
            let [left, right] = unsafe { std::mem::transmute::<Words, [__m256i; 2]>(*words) };
            for (sums, lane) in sums.iter_mut().zip(lanes) {
                let [low, high] = lane[pair];
                let x = _mm256_set1_epi32(i32::from(low.cast_unsigned()) | i32::from(high) << 16);
                sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(left, x));
                sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(right, x));
            }
        }
        sums
    }

    /// Sixteen sums, mixed: the top byte of each product, as i16.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn mixed(sums: [__m256i; 2]) -> [Word; COLUMNS / 2] {
        let factor = _mm256_set1_epi32(MIX.cast_signed());
        let [low, high] = sums.map(|sums| _mm256_srai_epi32::<24>(_mm256_mullo_epi32(sums, factor)));
        // Packing works in halves of a vector; the permutation puts its quarters in order.
        let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
        // SAFETY: 32 bytes are eight words of two i16, and every bit pattern is such a word.
        unsafe { std::mem::transmute::<__m256i, [Word; COLUMNS / 2]>(packed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_path_and_the_other_agree() {
        for (width, lanes) in [(1, 1), (24, 7), (64, 66), (65, 5)] {
            let value = |i: usize| ((i * 37) % 256) as u8 as i8;
            let weights: Vec<i8> = (0..width * width).map(value).collect();
            let rows: Vec<Vec<i8>> = (0..lanes)
                .map(|row| (0..width).map(|k| value(row * 131 + k * 7)).collect())
                .collect();
            let layer = Layer::new(width, &weights);
            let (mut fast, mut plain) = (Rows::new(width, &rows), Rows::new(width, &rows));
            for _ in 0..3 {
                fast.step(&layer);
                plain.step_anywhere(&layer);
                std::mem::swap(&mut plain.now, &mut plain.next);
            }
            assert_eq!(
                fast.into_rows(lanes, width),
                plain.into_rows(lanes, width),
                "{width}, {lanes}"
            );
        }
    }
}
