//! Tiles of 14 rows and 32 columns: 28 sums, two columns of B and one element of A fill 31 of 32 registers.

use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_epi32, _mm512_add_ps, _mm512_castps_si512,
    _mm512_castsi512_ps, _mm512_fmadd_ps, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_mul_ps,
    _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
};

use super::tile::Tile;

const ROWS: usize = 14;
const LANES: usize = 16;
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
                let mut tile = [[_mm512_setzero_si512(); 2]; ROWS];
                for (row, [left, right]) in tile.iter_mut().enumerate() {
                    let c = c.add(row * stride).cast::<__m512i>();
                    // The next tile down is the next to be multiplied.
                    _mm_prefetch::<_MM_HINT_T0>(c.cast::<i8>().wrapping_add(4 * ROWS * stride));
                    if !first {
                        *left = _mm512_loadu_si512(c);
                        *right = _mm512_loadu_si512(c.add(1));
                    }
                }
                for step in 0..steps {
                    let columns = b.add(step * COLUMNS).cast::<__m512i>();
                    let (b0, b1) = (
                        _mm512_loadu_si512(columns),
                        _mm512_loadu_si512(columns.add(1)),
                    );
                    for (row, [left, right]) in tile.iter_mut().enumerate() {
                        let $a = _mm512_set1_epi32(a.add(step * ROWS + row).read().cast_signed());
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
                    let c = c.add(row * stride).cast::<__m512i>();
                    _mm512_storeu_si512(c, left);
                    _mm512_storeu_si512(c.add(1), right);
                }
            }
        }
    };
}

multiply!(fused, "avx512f", |sum, a, b| _mm512_castps_si512(
    _mm512_fmadd_ps(
        _mm512_castsi512_ps(a),
        _mm512_castsi512_ps(b),
        _mm512_castsi512_ps(sum)
    )
));
multiply!(rounded, "avx512f", |sum, a, b| _mm512_castps_si512(
    _mm512_add_ps(
        _mm512_castsi512_ps(sum),
        _mm512_mul_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b))
    )
));
multiply!(integer, "avx512f,avx512bw", |sum, a, b| _mm512_add_epi32(
    sum,
    _mm512_madd_epi16(a, b)
));
