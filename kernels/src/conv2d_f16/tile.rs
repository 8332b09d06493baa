//! Register tiles that read pixels where they lie: some pixels by some channels of the output, products in f32.
//!
//! A tile of [`product`](crate::product) has its rows packed side by side for every step. Here each step takes one element
//! from each of several pixels, whose taps are stretches of memory already: an element is used for a tile's columns only, and
//! packing it anew for every tap would cost an eighth of the time where the output has 64 channels.

#![allow(
    unsafe_code,
    reason = "register tiles are written with vector instructions on raw pointers"
)]

const MOST_ROWS: usize = 12;

/// Pixels of a tile: each is the first of `lines` stretches of `length` words, `apart` words from one to the next.
pub(super) struct Taps {
    pub(super) lines: usize,
    pub(super) length: usize,
    pub(super) apart: usize,
}

/// Adds products to a tile of C, or overwrites it with their sum. `b` holds the tile's columns for each of `lines * length`
/// steps; rows of C are `stride` words apart.
///
/// # Safety
/// The processor has the instructions; the taps of each pixel of the tile are there; `b` holds the steps; `c` holds the tile.
type Multiply = unsafe fn(
    taps: &Taps,
    pixels: &[*const f32; MOST_ROWS],
    b: *const u32,
    c: *mut f32,
    stride: usize,
    first: bool,
);

pub(super) struct Tile {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Whether the processor has AVX2 and F16C.
    pub(super) vectors: bool,
    multiply: Multiply,
}

impl Tile {
    /// Multiplies the taps in `image` of the pixels that begin at `firsts` with a panel, into rows of C `stride` words apart.
    #[allow(
        clippy::too_many_arguments,
        reason = "three operands of a product and how they lie"
    )]
    pub(super) fn multiply(
        &self,
        taps: &Taps,
        image: &[f32],
        firsts: &[usize],
        b: &[u32],
        c: &mut [f32],
        stride: usize,
        first: bool,
    ) {
        let last = (taps.lines - 1) * taps.apart + taps.length;
        assert!(firsts.len() == self.rows && firsts.iter().all(|first| first + last <= image.len()));
        assert!(b.len() == taps.lines * taps.length * self.columns);
        assert!(c.len() >= (self.rows - 1) * stride + self.columns && stride >= self.columns);
        let mut pixels = [image.as_ptr(); MOST_ROWS];
        for (pixel, &first) in pixels.iter_mut().zip(firsts) {
            *pixel = image[first..].as_ptr();
        }
        // SAFETY: constructors check for the instructions; the assertions bound what is read and written.
        unsafe { (self.multiply)(taps, &pixels, b.as_ptr(), c.as_mut_ptr(), stride, first) }
    }

    /// The widest this processor has.
    pub(super) fn widest() -> &'static Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
        {
            return match is_x86_feature_detected!("avx512f") {
                true => &avx512::TILE,
                false => &avx2::TILE,
            };
        }
        &PORTABLE
    }
}

/// For any processor.
static PORTABLE: Tile = Tile {
    rows: 4,
    columns: 8,
    vectors: false,
    multiply: |taps, pixels, b, c, stride, first| {
        for (row, pixel) in pixels.iter().enumerate().take(4) {
            // SAFETY: the caller keeps the contract of `Multiply`.
            unsafe {
                let c = c.add(row * stride).cast::<[f32; 8]>();
                let mut sums = if first { [0.0; 8] } else { c.read() };
                for step in 0..taps.lines * taps.length {
                    let x = *pixel.add(step / taps.length * taps.apart + step % taps.length);
                    let columns = b.add(step * 8).cast::<[f32; 8]>().read();
                    for (sum, b) in sums.iter_mut().zip(columns) {
                        *sum += x * b;
                    }
                }
                c.write(sums);
            }
        }
    },
};

/// Words of B fetched ahead of their use, as in [`product`](crate::product).
#[cfg(target_arch = "x86_64")]
const PREFETCH: usize = 256;

/// Defines a module with one tile: `rows` by two vectors.
#[cfg(target_arch = "x86_64")]
macro_rules! tile {
    ($isa:ident, $features:literal, $rows:literal rows of $lanes:literal lanes,
     $zero:ident, $load:ident, $store:ident, $splat:ident, $fma:ident) => {
        mod $isa {
            use std::arch::x86_64::*;

            use super::{MOST_ROWS, PREFETCH, Taps, Tile};

            const ROWS: usize = $rows;
            const LANES: usize = $lanes;
            const COLUMNS: usize = 2 * LANES;

            pub(super) static TILE: Tile = Tile {
                rows: ROWS,
                columns: COLUMNS,
                vectors: true,
                multiply,
            };

            #[target_feature(enable = $features)]
            unsafe fn multiply(
                taps: &Taps,
                pixels: &[*const f32; MOST_ROWS],
                b: *const u32,
                c: *mut f32,
                stride: usize,
                first: bool,
            ) {
                // SAFETY: the contract of `Multiply`; prefetching reads nothing.
                unsafe {
                    let mut tile = [[$zero(); 2]; ROWS];
                    if !first {
                        for (row, [left, right]) in tile.iter_mut().enumerate() {
                            *left = $load(c.add(row * stride));
                            *right = $load(c.add(row * stride + LANES));
                        }
                    }
                    let mut columns = b.cast::<f32>();
                    for line in 0..taps.lines {
                        let line: [*const f32; ROWS] =
                            std::array::from_fn(|row| pixels[row].add(line * taps.apart));
                        for step in 0..taps.length {
                            for ahead in (0..COLUMNS).step_by(16) {
                                _mm_prefetch::<_MM_HINT_T0>(columns.wrapping_add(PREFETCH + ahead).cast());
                            }
                            let (b0, b1) = ($load(columns), $load(columns.add(LANES)));
                            for (row, [left, right]) in tile.iter_mut().enumerate() {
                                let x = $splat(*line[row].add(step));
                                *left = $fma(x, b0, *left);
                                *right = $fma(x, b1, *right);
                            }
                            columns = columns.add(COLUMNS);
                        }
                    }
                    for (row, [left, right]) in tile.into_iter().enumerate() {
                        $store(c.add(row * stride), left);
                        $store(c.add(row * stride + LANES), right);
                    }
                }
            }
        }
    };
}

// Twelve sums, two vectors of B and an element fill 15 of 16 registers, six pixels as many addresses.
#[cfg(target_arch = "x86_64")]
tile!(
    avx2, "avx2,fma", 6 rows of 8 lanes,
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_fmadd_ps
);

// Registers would hold 14 rows, but not 14 addresses.
#[cfg(target_arch = "x86_64")]
tile!(
    avx512, "avx512f", 12 rows of 16 lanes,
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_fmadd_ps
);

#[cfg(test)]
mod tests {
    use super::*;

    /// On small integers, whose sums are exact in any order; C is added to from the second product on.
    #[test]
    fn every_tile_takes_the_taps_of_each_of_its_pixels() {
        let taps = Taps {
            lines: 3,
            length: 7,
            apart: 40,
        };
        let image: Vec<f32> = (0..400).map(|i| (i * 7 % 61) as f32 - 30.0).collect();
        for tile in [&PORTABLE, Tile::widest()] {
            let (rows, columns, stride) = (tile.rows, tile.columns, tile.columns + 3);
            let firsts: Vec<usize> = (0..rows).map(|row| row * 53 % 300).collect();
            let b: Vec<f32> = (0..21 * columns).map(|i| (i * 5 % 17) as f32 - 8.0).collect();
            let words: Vec<u32> = b.iter().map(|b| b.to_bits()).collect();
            let mut c = vec![f32::NAN; rows * stride];
            for round in 1..=2u8 {
                tile.multiply(&taps, &image, &firsts, &words, &mut c, stride, round == 1);
                for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                    let tap = |step: usize| image[firsts[row] + step / 7 * 40 + step % 7];
                    let once: f32 = (0..21).map(|step| tap(step) * b[step * columns + column]).sum();
                    assert_eq!(c[row * stride + column], f32::from(round) * once, "{rows} rows");
                }
            }
            assert!(c[columns].is_nan(), "what lies between rows of C is left alone");
        }
    }
}
