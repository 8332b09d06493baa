//! Repacking of operands into panels: for each step of k, one word of each row of the panel, side by side.

use std::ops::Range;

use bytemuck::TransparentWrapper;
use half::{bf16, f16};

use crate::fp8::E4m3;
use crate::matmul::Order;
#[cfg(target_arch = "x86_64")]
use crate::wide::fetch;
use crate::wide::wide;

/// An element type and the 32-bit word that a step of k takes from it.
pub(crate) trait Element: Copy + Send + Sync {
    /// Elements of one row that share a word.
    const PER_WORD: usize;

    /// Rows of A up to which dot products are faster than tiles of a repacked B, 0 where there are none. Speeds over that of tiles
    /// are those of two threads of Zen 3 with B of 4096 by 4096.
    const FEW_ROWS: usize;

    /// Up to `PER_WORD` elements as one word; what is missing counts as zero.
    fn word(elements: &[Self]) -> u32;

    /// Eight words from `8 * PER_WORD` elements.
    ///
    /// # Safety
    /// The processor has AVX2 and F16C, and the elements are there.
    #[cfg(target_arch = "x86_64")]
    unsafe fn words(elements: *const Self) -> std::arch::x86_64::__m256;
}

impl Element for f32 {
    const PER_WORD: usize = 1;

    /// 1.05 at 32 rows, 0.95 at 48.
    const FEW_ROWS: usize = 32;

    fn word(elements: &[Self]) -> u32 {
        elements[0].to_bits()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn words(elements: *const Self) -> std::arch::x86_64::__m256 {
        // SAFETY: eight elements are there.
        unsafe { std::arch::x86_64::_mm256_loadu_ps(elements) }
    }
}

impl Element for f16 {
    const PER_WORD: usize = 1;

    /// 1.04 at 64 rows, 0.99 at 72.
    const FEW_ROWS: usize = 64;

    fn word(elements: &[Self]) -> u32 {
        elements[0].to_f32().to_bits()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn words(elements: *const Self) -> std::arch::x86_64::__m256 {
        use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps};
        // SAFETY: eight elements are there.
        _mm256_cvtph_ps(unsafe { _mm_loadu_si128(elements.cast()) })
    }
}

impl Element for bf16 {
    const PER_WORD: usize = 1;

    /// 1.10 at 32 rows, 0.95 at 40.
    const FEW_ROWS: usize = 32;

    fn word(elements: &[Self]) -> u32 {
        u32::from(elements[0].to_bits()) << 16
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn words(elements: *const Self) -> std::arch::x86_64::__m256 {
        use std::arch::x86_64::{
            _mm_loadu_si128, _mm256_castsi256_ps, _mm256_cvtepu16_epi32, _mm256_slli_epi32,
        };
        // SAFETY: eight elements are there.
        let bits = _mm256_cvtepu16_epi32(unsafe { _mm_loadu_si128(elements.cast()) });
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
    }
}

// SAFETY: E4m3 is a byte in a transparent wrapper.
unsafe impl TransparentWrapper<u8> for E4m3 {}

impl E4m3 {
    pub(crate) fn of(bytes: &[u8]) -> &[Self] {
        Self::wrap_slice(bytes)
    }
}

impl Element for E4m3 {
    const PER_WORD: usize = 1;

    /// 1.11 at 4 rows, 0.75 at 5: to widen a byte takes six instructions.
    const FEW_ROWS: usize = 4;

    fn word(elements: &[Self]) -> u32 {
        elements[0].to_f32().to_bits()
    }

    /// Every byte but NaN, which no input holds.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn words(elements: *const Self) -> std::arch::x86_64::__m256 {
        use std::arch::x86_64::{
            _mm_loadl_epi64, _mm256_and_si256, _mm256_castsi256_ps, _mm256_cvtepu8_epi32, _mm256_mul_ps,
            _mm256_or_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi32,
        };
        // SAFETY: eight elements are there.
        let bits = _mm256_cvtepu8_epi32(unsafe { _mm_loadl_epi64(elements.cast()) });
        let size = _mm256_slli_epi32::<20>(_mm256_and_si256(bits, _mm256_set1_epi32(0x7F)));
        // As bits of f32 these are 2^120 times too small, the subnormal ones too.
        let rise = _mm256_set1_ps(f32::from_bits((127 + 120) << 23));
        let magnitude = _mm256_mul_ps(_mm256_castsi256_ps(size), rise);
        let sign = _mm256_slli_epi32::<24>(_mm256_and_si256(bits, _mm256_set1_epi32(0x80)));
        _mm256_or_ps(magnitude, _mm256_castsi256_ps(sign))
    }
}

impl Element for i8 {
    const PER_WORD: usize = 2;

    const FEW_ROWS: usize = 0;

    fn word(elements: &[Self]) -> u32 {
        let half =
            |index: usize| u32::from(i16::from(elements.get(index).copied().unwrap_or(0)).cast_unsigned());
        half(0) | half(1) << 16
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn words(elements: *const Self) -> std::arch::x86_64::__m256 {
        use std::arch::x86_64::{_mm_loadu_si128, _mm256_castsi256_ps, _mm256_cvtepi8_epi16};
        // SAFETY: sixteen elements are there.
        _mm256_castsi256_ps(_mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(elements.cast()) }))
    }
}

/// An operand where it stands: rows of C, or columns, by steps of k.
#[derive(Clone, Copy)]
pub(crate) struct Operand<'a, E> {
    pub(crate) elements: &'a [E],
    /// Elements from one stored row to the next.
    pub(crate) pitch: usize,
    pub(crate) order: Order,
    /// What its words are multiplied with, 1 where they are not f32.
    pub(crate) factor: f32,
}

impl<'a, E: Element> Operand<'a, E> {
    /// A row-major matrix of `k` columns.
    pub(super) fn rows(elements: &'a [E], k: usize) -> Self {
        Self {
            elements,
            pitch: k,
            order: Order::AlongK,
            factor: 1.0,
        }
    }

    /// As [`panel`]. Only what has a word for each element may stand across k.
    pub(super) fn pack(
        self,
        words: &mut [u32],
        width: usize,
        rows: Range<usize>,
        steps: Range<usize>,
        vectors: bool,
    ) {
        match self.order {
            Order::AlongK => panel(words, width, self.elements, self.pitch, rows, steps, vectors),
            Order::AcrossK => self.across(words, width, rows, steps),
        }
        if self.factor != 1.0 {
            scale(words, self.factor);
        }
    }

    fn across(self, words: &mut [u32], width: usize, rows: Range<usize>, steps: Range<usize>) {
        assert_eq!(E::PER_WORD, 1, "steps of a row are neighbours");
        for (step, words) in steps.zip(words.chunks_exact_mut(width)) {
            let elements = &self.elements[step * self.pitch..][rows.clone()];
            let (filled, missing) = words.split_at_mut(elements.len());
            for (word, element) in filled.iter_mut().zip(elements) {
                *word = E::word(std::slice::from_ref(element));
            }
            missing.fill(0);
        }
    }
}

wide! {
    fn scale(words: &mut [u32], factor: f32) {
        for word in words {
            *word = (f32::from_bits(*word) * factor).to_bits();
        }
    }
}

/// Packs `rows` of a matrix whose rows are `k` elements apart, steps `steps` of each, into `words` of `width` rows a step.
/// Rows that are missing to `width` become zeros.
pub(crate) fn panel<E: Element>(
    words: &mut [u32],
    width: usize,
    matrix: &[E],
    k: usize,
    rows: Range<usize>,
    steps: Range<usize>,
    vectors: bool,
) {
    let matrix = &matrix[rows.start * k..matrix.len().min(rows.end * k)];
    let whole = if vectors && rows.len() == width {
        // Steps of which every element is there, in blocks of eight.
        let steps = steps.start..steps.end.min(k / E::PER_WORD);
        // SAFETY: `vectors` is set only where the processor has AVX2 and F16C.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            whole_blocks(words, width, matrix, k, steps)
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("no tile of this architecture packs with vectors: {steps:?}")
    } else {
        0
    };
    for step in whole..steps.len() {
        let first = (steps.start + step) * E::PER_WORD;
        let elements = first..k.min(first + E::PER_WORD);
        let words = &mut words[step * width..(step + 1) * width];
        for (row, word) in words.iter_mut().enumerate() {
            *word = match row < rows.len() {
                true => E::word(&matrix[row * k..][elements.clone()]),
                false => 0,
            };
        }
    }
}

/// Bytes between what is read of a row and what is fetched: a panel's rows are as many streams, too many for the processor to fetch
/// ahead by itself, and taken in turn, so that few bytes of each are much time.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 512;

/// Packs blocks of eight steps and returns how many steps that were.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,f16c")]
unsafe fn whole_blocks<E: Element>(
    words: &mut [u32],
    width: usize,
    matrix: &[E],
    k: usize,
    steps: Range<usize>,
) -> usize {
    const BLOCK: usize = 8;
    let blocks = steps.len() / BLOCK;
    let elements = (steps.start + blocks * BLOCK) * E::PER_WORD;
    assert!(words.len() >= blocks * BLOCK * width && elements <= k);
    assert!(matrix.len() >= (width - 1) * k + elements);
    // Two blocks of f32 are a cache line; rows that lie a power of two apart would evict it between them.
    for pair in (0..blocks).step_by(2) {
        for row in (0..width).step_by(BLOCK) {
            let height = BLOCK.min(width - row);
            for block in pair..blocks.min(pair + 2) {
                let first = (steps.start + block * BLOCK) * E::PER_WORD;
                // SAFETY: the assertions above bound what is read and written: rows row..row + height of `matrix`,
                // words row..row + height of eight steps.
                unsafe {
                    let source = matrix.as_ptr().add(row * k + first);
                    let target = words.as_mut_ptr().add(block * BLOCK * width + row).cast::<f32>();
                    turn(source, k, height, target, width);
                }
            }
        }
    }
    blocks * BLOCK
}

/// Transposes eight steps of `height` rows, 6 or 8.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn turn<E: Element>(source: *const E, k: usize, height: usize, target: *mut f32, width: usize) {
    use std::arch::x86_64::{
        _mm_castps_pd, _mm_storel_pd, _mm_storeu_ps, _mm256_castps256_ps128, _mm256_extractf128_ps,
        _mm256_permute2f128_ps, _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps,
        _mm256_unpacklo_ps,
    };
    debug_assert!(height == 8 || height == 6);
    // SAFETY: the caller answers for `height` rows of eight words at `source`, k elements apart, and for eight rows of
    // `height` words at `target`, `width` words apart.
    unsafe {
        let mut rows = [_mm256_setzero_ps(); 8];
        for (row, words) in rows.iter_mut().enumerate().take(height) {
            *words = E::words(source.add(row * k));
            fetch(source.add(row * k).wrapping_byte_add(AHEAD));
        }
        let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
        let low = [(r0, r1), (r2, r3), (r4, r5), (r6, r7)].map(|(a, b)| _mm256_unpacklo_ps(a, b));
        let high = [(r0, r1), (r2, r3), (r4, r5), (r6, r7)].map(|(a, b)| _mm256_unpackhi_ps(a, b));
        let quads = [(low[0], low[1]), (high[0], high[1])].map(|(a, b)| {
            [
                _mm256_shuffle_ps::<0b01_00_01_00>(a, b),
                _mm256_shuffle_ps::<0b11_10_11_10>(a, b),
            ]
        });
        let lower = [(low[2], low[3]), (high[2], high[3])].map(|(a, b)| {
            [
                _mm256_shuffle_ps::<0b01_00_01_00>(a, b),
                _mm256_shuffle_ps::<0b11_10_11_10>(a, b),
            ]
        });
        for step in 0..8 {
            let (top, bottom) = (quads[step % 4 / 2][step % 2], lower[step % 4 / 2][step % 2]);
            let column = match step < 4 {
                true => _mm256_permute2f128_ps::<0x20>(top, bottom),
                false => _mm256_permute2f128_ps::<0x31>(top, bottom),
            };
            let target = target.add(step * width);
            if height == 8 {
                _mm256_storeu_ps(target, column);
            } else {
                _mm_storeu_ps(target, _mm256_castps256_ps128(column));
                let rest = _mm_castps_pd(_mm256_extractf128_ps::<1>(column));
                _mm_storel_pd(target.add(4).cast(), rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_e4m3_packs_to_its_value() {
        let bytes: Vec<u8> = (0..=u8::MAX).filter(|bits| bits & 0x7F != 0x7F).collect();
        let bytes = &bytes[..248];
        let want: Vec<u32> = bytes.iter().map(|&bits| E4m3(bits).to_f32().to_bits()).collect();
        for vectors in [false, crate::product::Tile::fused().vectors] {
            for row in 0..31 {
                let row = row * 8..row * 8 + 8;
                // Eight rows of one matrix with the same eight columns.
                let matrix = E4m3::of(&bytes[row.clone()]).repeat(8);
                let mut words = [0; 64];
                panel(&mut words, 8, &matrix, 8, 0..8, 0..8, vectors);
                for (step, words) in words.chunks(8).enumerate() {
                    assert!(
                        words.iter().all(|&word| word == want[row.start + step]),
                        "{row:?}"
                    );
                }
            }
        }
    }
}
