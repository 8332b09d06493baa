//! Register tiles that read pixels where they lie: some pixels by some channels of the output, products in f32.
//!
//! A tile of [`product`](crate::product) has its rows packed side by side for every step. Here each step takes one element
//! from each of several pixels, whose taps are stretches of memory already: an element is used for a tile's columns only, and
//! packing it anew for every tap would cost an eighth of the time where the output has 64 channels.

#![allow(
    unsafe_code,
    reason = "register tiles are written with vector instructions on raw pointers"
)]

use std::marker::PhantomData;

use half::f16;

use crate::halves::narrow;
#[cfg(target_arch = "x86_64")]
use crate::wide::{has_avx2, has_avx512};

const MOST_ROWS: usize = 12;

/// Pixels of a tile: each is the first of `lines` stretches of `length` words, `apart` words from one to the next.
pub(super) struct Taps {
    pub(super) lines: usize,
    pub(super) length: usize,
    pub(super) apart: usize,
}

impl Taps {
    /// Words from the first of the first line to the last of the last.
    fn reach(&self) -> usize {
        (self.lines - 1) * self.apart + self.length
    }
}

/// Where pixels begin in an image, tile after tile.
pub(super) struct Pixels<'a> {
    tiles: Vec<[*const f32; MOST_ROWS]>,
    /// Words of the image from the last pixel on.
    left: usize,
    image: PhantomData<&'a [f32]>,
}

impl<'a> Pixels<'a> {
    /// In tiles of `rows`, the last pixel again up to whole ones.
    pub(super) fn new(image: &'a [f32], firsts: &[usize], rows: usize) -> Self {
        let tiles = firsts.chunks(rows).map(|firsts| {
            let mut tile = [image[firsts[firsts.len() - 1]..].as_ptr(); MOST_ROWS];
            for (pixel, &first) in tile.iter_mut().zip(firsts) {
                *pixel = image[first..].as_ptr();
            }
            tile
        });
        Self {
            tiles: tiles.collect(),
            left: image.len() - firsts.iter().max().copied().unwrap_or(0),
            image: PhantomData,
        }
    }

    pub(super) fn tiles(&self) -> usize {
        self.tiles.len()
    }
}

/// Sums of a tile, in rows `stride` words apart.
pub(super) struct Sums<'a> {
    pub(super) words: &'a mut [f32],
    pub(super) stride: usize,
    /// Whether nothing is there yet.
    pub(super) first: bool,
}

/// A tile of the output, or the part of one that is there, in rows `stride` elements apart.
#[derive(Clone, Copy)]
pub(super) struct Halves {
    pub(super) start: *mut u16,
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// Adds products to a tile of sums; where there is an output the sums go there, narrowed, instead. `b` holds the tile's columns
/// for each of `lines * length` steps.
///
/// # Safety
/// The processor has the instructions; the taps of each pixel of the tile are there; `b` holds the steps; sums and output
/// hold the tile.
type Multiply = unsafe fn(
    taps: &Taps,
    pixels: &[*const f32; MOST_ROWS],
    b: *const u32,
    sums: &mut Sums,
    y: Option<&Halves>,
);

pub(super) struct Tile {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Whether the processor has AVX2 and F16C.
    pub(super) vectors: bool,
    multiply: Multiply,
}

impl Tile {
    /// Adds the products of the taps of a tile's pixels and of a panel to sums; where there is a `y` they go there, narrowed,
    /// and what the sums then are is not said.
    ///
    /// # Safety
    /// `y` is the caller's.
    pub(super) unsafe fn multiply(
        &self,
        taps: &Taps,
        (pixels, tile): (&Pixels, usize),
        b: &[u32],
        mut sums: Sums,
        y: Option<Halves>,
    ) {
        assert!(taps.reach() <= pixels.left);
        assert!(b.len() == taps.lines * taps.length * self.columns);
        assert!(sums.words.len() >= (self.rows - 1) * sums.stride + self.columns);
        // By reference: a copy would wait for the stores of the tile before.
        let whole = (y.as_ref()).filter(|y| y.rows == self.rows && y.columns == self.columns);
        // SAFETY: constructors check for the instructions; the assertions bound what is read and written, but for `y`, which is
        // as large as the tile.
        unsafe { (self.multiply)(taps, &pixels.tiles[tile], b.as_ptr(), &mut sums, whole) };
        let (None, Some(y)) = (whole, &y) else {
            return;
        };
        for (row, sums) in sums.words.chunks(sums.stride).take(y.rows).enumerate() {
            // SAFETY: a row of `y`.
            let y = unsafe { std::slice::from_raw_parts_mut(y.start.add(row * y.stride), y.columns) };
            narrow(&sums[..y.len()], y);
        }
    }

    /// The widest this processor has.
    pub(super) fn widest() -> &'static Self {
        #[cfg(target_arch = "x86_64")]
        match (has_avx512(), has_avx2()) {
            (true, _) => return &avx512::TILE,
            (_, true) => return &avx2::TILE,
            _ => {}
        }
        &PORTABLE
    }
}

/// For any processor.
static PORTABLE: Tile = Tile {
    rows: 4,
    columns: 8,
    vectors: false,
    multiply: |taps, pixels, b, sums, y| {
        for (row, pixel) in pixels.iter().enumerate().take(4) {
            // SAFETY: the caller keeps the contract of `Multiply`.
            unsafe {
                let c = sums.words.as_mut_ptr().add(row * sums.stride).cast::<[f32; 8]>();
                let mut row_sums = if sums.first { [0.0; 8] } else { c.read() };
                for step in 0..taps.lines * taps.length {
                    let x = *pixel.add(step / taps.length * taps.apart + step % taps.length);
                    let columns = b.add(step * 8).cast::<[f32; 8]>().read();
                    for (sum, b) in row_sums.iter_mut().zip(columns) {
                        *sum += x * b;
                    }
                }
                match y {
                    Some(y) => {
                        let y = y.start.add(row * y.stride).cast::<[u16; 8]>();
                        y.write_unaligned(row_sums.map(|sum| f16::from_f32(sum).to_bits()));
                    }
                    None => c.write(row_sums),
                }
            }
        }
    },
};

/// Steps between two branches, as in [`product`](crate::product).
#[cfg(target_arch = "x86_64")]
const UNROLLED: usize = 4;

/// Defines a module with one tile: `rows` by two vectors.
#[cfg(target_arch = "x86_64")]
macro_rules! tile {
    ($isa:ident, $features:literal, $rows:literal rows of $lanes:literal lanes,
     $zero:ident, $load:ident, $store:ident, $splat:ident, $fma:ident, $narrow:ident, $store_halves:ident) => {
        mod $isa {
            use std::arch::x86_64::*;

            use super::{Halves, MOST_ROWS, Sums, Taps, Tile, UNROLLED};

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
                sums: &mut Sums,
                y: Option<&Halves>,
            ) {
                // SAFETY: the contract of `Multiply`.
                unsafe {
                    let mut tile = [[$zero(); 2]; ROWS];
                    if !sums.first {
                        for (row, [left, right]) in tile.iter_mut().enumerate() {
                            let sums = sums.words.as_mut_ptr().add(row * sums.stride);
                            *left = $load(sums);
                            *right = $load(sums.add(LANES));
                        }
                    }
                    let mut columns = b.cast::<f32>();
                    for line in 0..taps.lines {
                        let line: [*const f32; ROWS] =
                            std::array::from_fn(|row| pixels[row].add(line * taps.apart));
                        let mut add = |step: usize| {
                            let (b0, b1) = ($load(columns), $load(columns.add(LANES)));
                            for (row, [left, right]) in tile.iter_mut().enumerate() {
                                let x = $splat(*line[row].add(step));
                                *left = $fma(x, b0, *left);
                                *right = $fma(x, b1, *right);
                            }
                            columns = columns.add(COLUMNS);
                        };
                        let whole = taps.length / UNROLLED * UNROLLED;
                        for first in (0..whole).step_by(UNROLLED) {
                            (first..first + UNROLLED).for_each(&mut add);
                        }
                        (whole..taps.length).for_each(add);
                    }
                    for (row, [left, right]) in tile.into_iter().enumerate() {
                        if let Some(y) = y {
                            let y = y.start.add(row * y.stride);
                            $store_halves(y.cast(), $narrow::<_MM_FROUND_TO_NEAREST_INT>(left));
                            $store_halves(
                                y.add(LANES).cast(),
                                $narrow::<_MM_FROUND_TO_NEAREST_INT>(right),
                            );
                        } else {
                            let sums = sums.words.as_mut_ptr().add(row * sums.stride);
                            $store(sums, left);
                            $store(sums.add(LANES), right);
                        }
                    }
                }
            }
        }
    };
}

// Twelve sums, two vectors of B and an element fill 15 of 16 registers, six pixels as many addresses.
#[cfg(target_arch = "x86_64")]
tile!(
    avx2, "avx2,fma,f16c", 6 rows of 8 lanes,
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_fmadd_ps,
    _mm256_cvtps_ph, _mm_storeu_si128
);

// Registers would hold 14 rows, but not 14 addresses.
#[cfg(target_arch = "x86_64")]
tile!(
    avx512, "avx512f", 12 rows of 16 lanes,
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_fmadd_ps,
    _mm512_cvtps_ph, _mm256_storeu_si256
);

#[cfg(test)]
mod tests {
    use super::*;

    const POISON: u16 = 0x7E00;

    /// On small integers, whose sums are exact in any order; the second product is added to the first and
    /// the third narrowed with both.
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
            let pixels = Pixels::new(&image, &firsts, rows);
            let multiply = |c: &mut [f32], first: bool, y: Option<Halves>| {
                let sums = Sums {
                    words: c,
                    stride,
                    first,
                };
                // SAFETY: `y` is none or holds the tile.
                unsafe { tile.multiply(&taps, (&pixels, 0), &words, sums, y) };
            };
            let once = |row: usize, column: usize| -> f32 {
                let tap = |step: usize| image[firsts[row] + step / 7 * 40 + step % 7];
                (0..21).map(|step| tap(step) * b[step * columns + column]).sum()
            };
            let places = || (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
            for round in 1..=2u8 {
                multiply(&mut c, round == 1, None);
                for (row, column) in places() {
                    let want = f32::from(round) * once(row, column);
                    assert_eq!(c[row * stride + column], want, "{rows} rows");
                }
            }
            assert!(c[columns].is_nan(), "what lies between rows of C is left alone");
            for (rows, columns) in [(rows, columns), (rows - 1, columns), (rows, columns - 3)] {
                let (mut c, mut y) = (c.clone(), vec![POISON; tile.rows * stride]);
                let start = y.as_mut_ptr();
                let halves = Halves {
                    start,
                    stride,
                    rows,
                    columns,
                };
                multiply(&mut c, false, Some(halves));
                let want = |place: usize| match (place / stride, place % stride) {
                    (row, column) if row < rows && column < columns => {
                        f16::from_f32(3.0 * once(row, column)).to_bits()
                    }
                    _ => POISON,
                };
                assert!(
                    y.iter().enumerate().all(|(place, y)| *y == want(place)),
                    "{rows} rows"
                );
            }
        }
    }
}
