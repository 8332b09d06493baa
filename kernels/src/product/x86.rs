//! Tiles for x86-64: of 6 rows and 16 columns with AVX2, where twelve sums, two vectors of B and one element of A fill 15
//! of 16 registers; of 14 rows and 32 columns with AVX-512, where they fill 31 of 32.

use super::tile::{Multiply, Tile};
use crate::wide::fetch;

/// Defines a module of three tiles over one kind of vector.
macro_rules! tiles {
    (
        $isa:ident, $rows:literal rows of $lanes:literal lanes in $vector:ident,
        $zero:ident, $load:ident, $store:ident, $splat:ident,
        fused $fused:literal |$fs:ident, $fa:ident, $fb:ident| $fadd:expr,
        rounded $rounded:literal |$rs:ident, $ra:ident, $rb:ident| $radd:expr,
        integer $integer:literal |$is:ident, $ia:ident, $ib:ident| $iadd:expr $(,)?
    ) => {
        pub(super) mod $isa {
            use std::arch::x86_64::*;

            use super::*;

            const ROWS: usize = $rows;
            const LANES: usize = $lanes;
            const COLUMNS: usize = 2 * LANES;

            pub(in crate::product) static FUSED: Tile = tile(fused);
            pub(in crate::product) static ROUNDED: Tile = tile(rounded);
            pub(in crate::product) static INTEGER: Tile = tile(integer);

            const fn tile(multiply: Multiply) -> Tile {
                Tile {
                    rows: ROWS,
                    columns: COLUMNS,
                    vectors: true,
                    multiply,
                }
            }

            multiply!(
                $fused,
                $vector,
                $zero,
                $load,
                $store,
                $splat,
                fused | $fs,
                $fa,
                $fb | $fadd
            );
            multiply!(
                $rounded,
                $vector,
                $zero,
                $load,
                $store,
                $splat,
                rounded | $rs,
                $ra,
                $rb | $radd
            );
            multiply!(
                $integer,
                $vector,
                $zero,
                $load,
                $store,
                $splat,
                integer | $is,
                $ia,
                $ib | $iadd
            );
        }
    };
}

/// Defines one [`Multiply`].
macro_rules! multiply {
    (
        $features:literal, $vector:ident, $zero:ident, $load:ident, $store:ident, $splat:ident,
        $name:ident |$sum:ident, $a:ident, $b:ident| $add:expr
    ) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(steps: usize, a: *const u32, b: *const u32, c: *mut u32, stride: usize, first: bool) {
            // SAFETY: the contract of `Multiply`; prefetching reads nothing.
            unsafe {
                let mut tile = [[$zero(); 2]; ROWS];
                for (row, [left, right]) in tile.iter_mut().enumerate() {
                    let c = c.add(row * stride);
                    // The next tile down is the next to be multiplied.
                    fetch(c.wrapping_add(ROWS * stride));
                    if !first {
                        *left = $load(c.cast());
                        *right = $load(c.add(LANES).cast());
                    }
                }
                let mut add = |step: usize| {
                    let columns = b.add(step * COLUMNS);
                    let (b0, b1) = ($load(columns.cast()), $load(columns.add(LANES).cast()));
                    for (row, [left, right]) in tile.iter_mut().enumerate() {
                        let $a = $splat(a.add(step * ROWS + row).read().cast_signed());
                        *left = {
                            let ($sum, $b) = (*left, b0);
                            $add
                        };
                        *right = {
                            let ($sum, $b) = (*right, b1);
                            $add
                        };
                    }
                };
                let whole = steps / UNROLLED * UNROLLED;
                for first in (0..whole).step_by(UNROLLED) {
                    (first..first + UNROLLED).for_each(&mut add);
                }
                (whole..steps).for_each(add);
                for (row, [left, right]) in tile.into_iter().enumerate() {
                    let c = c.add(row * stride);
                    $store(c.cast(), left);
                    $store(c.add(LANES).cast(), right);
                }
            }
        }
    };
}

/// Steps between two branches: counting them takes a tenth of what a core decodes. Words are not fetched ahead of their use, which
/// the processor does itself: measured on Zen 3, asking for them costs 2 to 4 %.
const UNROLLED: usize = 4;

tiles!(
    avx2, 6 rows of 8 lanes in __m256i,
    _mm256_setzero_si256, _mm256_loadu_si256, _mm256_storeu_si256, _mm256_set1_epi32,
    fused "avx2,fma" |sum, a, b| _mm256_castps_si256(_mm256_fmadd_ps(
        _mm256_castsi256_ps(a),
        _mm256_castsi256_ps(b),
        _mm256_castsi256_ps(sum),
    )),
    rounded "avx2" |sum, a, b| _mm256_castps_si256(_mm256_add_ps(
        _mm256_castsi256_ps(sum),
        _mm256_mul_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)),
    )),
    integer "avx2" |sum, a, b| _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)),
);

tiles!(
    avx512, 14 rows of 16 lanes in __m512i,
    _mm512_setzero_si512, _mm512_loadu_si512, _mm512_storeu_si512, _mm512_set1_epi32,
    fused "avx512f" |sum, a, b| _mm512_castps_si512(_mm512_fmadd_ps(
        _mm512_castsi512_ps(a),
        _mm512_castsi512_ps(b),
        _mm512_castsi512_ps(sum),
    )),
    rounded "avx512f" |sum, a, b| _mm512_castps_si512(_mm512_add_ps(
        _mm512_castsi512_ps(sum),
        _mm512_mul_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)),
    )),
    integer "avx512f,avx512bw" |sum, a, b| _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)),
);
