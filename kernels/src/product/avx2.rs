//! Tiles of 6 rows and 16 columns: twelve sums, two columns of B and one element of A fill 15 of 16 registers.

use std::arch::x86_64::{
    __m256i, _MM_HINT_T0, _mm_prefetch, _mm256_add_epi32, _mm256_add_ps, _mm256_castps_si256,
    _mm256_castsi256_ps, _mm256_fmadd_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mul_ps,
    _mm256_set1_epi32, _mm256_setzero_si256, _mm256_storeu_si256,
};

use super::tile::Tile;

const ROWS: usize = 6;
const LANES: usize = 8;
const COLUMNS: usize = 2 * LANES;

pub(super) static FUSED: Tile = tile(fused);
pub(super) static ROUNDED: Tile = tile(rounded);
pub(super) static INTEGER: Tile = tile(integer);

const fn tile(multiply: super::tile::Multiply) -> Tile {
    Tile {
        rows: ROWS,
        columns: COLUMNS,
        vectors: true,
        multiply,
    }
}

macro_rules! multiply {
    ($name:ident, $features:literal, |$sum:ident, $a:ident, $b:ident| $add:expr) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(steps: usize, a: *const u32, b: *const u32, c: *mut u32, stride: usize, first: bool) {
            // SAFETY: the contract of `Multiply`.
            unsafe {
                let mut tile = [[_mm256_setzero_si256(); 2]; ROWS];
                for (row, [left, right]) in tile.iter_mut().enumerate() {
                    let c = c.add(row * stride).cast::<__m256i>();
                    // The next tile down is the next to be multiplied.
                    _mm_prefetch::<_MM_HINT_T0>(c.cast::<i8>().wrapping_add(4 * ROWS * stride));
                    if !first {
                        *left = _mm256_loadu_si256(c);
                        *right = _mm256_loadu_si256(c.add(1));
                    }
                }
                for step in 0..steps {
                    let columns = b.add(step * COLUMNS).cast::<__m256i>();
                    let (b0, b1) = (
                        _mm256_loadu_si256(columns),
                        _mm256_loadu_si256(columns.add(1)),
                    );
                    for (row, [left, right]) in tile.iter_mut().enumerate() {
                        let $a = _mm256_set1_epi32(a.add(step * ROWS + row).read().cast_signed());
                        *left = {
                            let ($sum, $b) = (*left, b0);
                            $add
                        };
                        *right = {
                            let ($sum, $b) = (*right, b1);
                            $add
                        };
                    }
                }
                for (row, [left, right]) in tile.into_iter().enumerate() {
                    let c = c.add(row * stride).cast::<__m256i>();
                    _mm256_storeu_si256(c, left);
                    _mm256_storeu_si256(c.add(1), right);
                }
            }
        }
    };
}

multiply!(fused, "avx2,fma", |sum, a, b| _mm256_castps_si256(
    _mm256_fmadd_ps(
        _mm256_castsi256_ps(a),
        _mm256_castsi256_ps(b),
        _mm256_castsi256_ps(sum)
    )
));
multiply!(rounded, "avx2", |sum, a, b| _mm256_castps_si256(_mm256_add_ps(
    _mm256_castsi256_ps(sum),
    _mm256_mul_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b))
)));
multiply!(integer, "avx2", |sum, a, b| _mm256_add_epi32(
    sum,
    _mm256_madd_epi16(a, b)
));
