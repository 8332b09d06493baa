//! Register tiles: which one this processor runs, and one for every other.

use super::STEPS;
#[cfg(target_arch = "x86_64")]
use crate::wide::{has_avx2, has_avx512};

/// Words of the largest tile: 14 rows of 32.
pub(crate) const MOST_WORDS: usize = 14 * 32;

/// Adds `steps` products to a tile of C, or overwrites it with their sum.
///
/// `a` holds `rows` words a step, `b` holds `columns`. Rows of C are `stride` words apart.
///
/// # Safety
/// The processor has the instructions; `a` and `b` hold `steps` steps; `c` holds the tile.
pub(super) type Multiply =
    unsafe fn(steps: usize, a: *const u32, b: *const u32, c: *mut u32, stride: usize, first: bool);

/// A tile of C that stays in registers while k runs.
pub(crate) struct Tile {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Whether packing may use AVX2 and F16C.
    pub(crate) vectors: bool,
    pub(super) multiply: Multiply,
}

impl Tile {
    /// # Safety
    /// `c` holds the tile's rows, `stride` words apart.
    pub(super) unsafe fn multiply(&self, a: &[u32], b: &[u32], c: *mut u32, stride: usize, first: bool) {
        let steps = a.len() / self.rows;
        debug_assert!(steps <= STEPS && a.len() == steps * self.rows && b.len() == steps * self.columns);
        // SAFETY: lengths as above; constructors check for the instructions; the caller answers for `c`.
        unsafe { (self.multiply)(steps, a.as_ptr(), b.as_ptr(), c, stride, first) }
    }

    /// The tile of products of `a` and `b` alone, rows of [`Tile::columns`] words one after the other.
    pub(crate) fn products<'c>(&self, a: &[u32], b: &[u32], c: &'c mut [u32; MOST_WORDS]) -> &'c mut [u32] {
        self.add(a, b, c, true);
        &mut c[..self.rows * self.columns]
    }

    /// Adds the products of `a` and `b` to a tile whose rows of [`Tile::columns`] words follow each other, or overwrites
    /// it with them if they are the first.
    pub(crate) fn add(&self, a: &[u32], b: &[u32], c: &mut [u32], first: bool) {
        let steps = a.len() / self.rows;
        assert!(a.len() == steps * self.rows && b.len() == steps * self.columns);
        assert!(c.len() >= self.rows * self.columns);
        // SAFETY: the lengths are as `Multiply` wants them; constructors check for the instructions.
        unsafe { (self.multiply)(steps, a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), self.columns, first) };
    }

    /// f32 words, product and sum rounded together where the processor can.
    pub(crate) fn fused() -> &'static Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(tile) = pick(&super::x86::avx512::FUSED, &super::x86::avx2::FUSED) {
            return tile;
        }
        &ROUNDED
    }

    /// f32 words, each product and each sum rounded.
    pub(crate) fn rounded() -> &'static Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(tile) = pick(&super::x86::avx512::ROUNDED, &super::x86::avx2::ROUNDED) {
            return tile;
        }
        &ROUNDED
    }

    /// Words of two i16, exact i32 sums.
    pub(crate) fn integer() -> &'static Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(tile) = pick(&super::x86::avx512::INTEGER, &super::x86::avx2::INTEGER) {
            return tile;
        }
        &INTEGER
    }
}

#[cfg(test)]
impl Tile {
    pub(super) fn portable_rounded() -> &'static Self {
        &ROUNDED
    }

    pub(crate) fn portable_integer() -> &'static Self {
        &INTEGER
    }
}

#[cfg(target_arch = "x86_64")]
fn pick(wide: &'static Tile, narrow: &'static Tile) -> Option<&'static Tile> {
    let wide_runs = has_avx512() && is_x86_feature_detected!("avx512bw");
    match (wide_runs, has_avx2()) {
        (true, _) => Some(wide),
        (_, true) => Some(narrow),
        _ => None,
    }
}

const ROWS: usize = 4;
const COLUMNS: usize = 8;

/// For any processor: eight columns of four rows fit in the registers of most.
static ROUNDED: Tile = Tile {
    rows: ROWS,
    columns: COLUMNS,
    vectors: false,
    multiply: |steps, a, b, c, stride, first| {
        // SAFETY: the caller keeps the contract of `Multiply`.
        unsafe {
            portable(steps, a, b, c, stride, first, |sum, a, b| {
                (f32::from_bits(sum) + f32::from_bits(a) * f32::from_bits(b)).to_bits()
            });
        }
    },
};

static INTEGER: Tile = Tile {
    rows: ROWS,
    columns: COLUMNS,
    vectors: false,
    multiply: |steps, a, b, c, stride, first| {
        // SAFETY: the caller keeps the contract of `Multiply`.
        unsafe { portable(steps, a, b, c, stride, first, add_pair) };
    },
};

fn add_pair(sum: u32, a: u32, b: u32) -> u32 {
    let halves = |word: u32| [word as u16, (word >> 16) as u16].map(|half| i32::from(half.cast_signed()));
    let ([a0, a1], [b0, b1]) = (halves(a), halves(b));
    sum.wrapping_add((a0 * b0 + a1 * b1).cast_unsigned())
}

unsafe fn portable(
    steps: usize,
    a: *const u32,
    b: *const u32,
    c: *mut u32,
    stride: usize,
    first: bool,
    add: impl Fn(u32, u32, u32) -> u32,
) {
    // SAFETY: lengths are the caller's promise; a row of C is COLUMNS words.
    let (a, b) = unsafe {
        (
            std::slice::from_raw_parts(a, steps * ROWS),
            std::slice::from_raw_parts(b, steps * COLUMNS),
        )
    };
    let mut tile = [[0u32; COLUMNS]; ROWS];
    if !first {
        for (row, words) in tile.iter_mut().enumerate() {
            // SAFETY: as above.
            *words = unsafe { c.add(row * stride).cast::<[u32; COLUMNS]>().read() };
        }
    }
    for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(COLUMNS)) {
        for (words, &a) in tile.iter_mut().zip(a) {
            for (word, &b) in words.iter_mut().zip(b) {
                *word = add(*word, a, b);
            }
        }
    }
    for (row, words) in tile.into_iter().enumerate() {
        // SAFETY: as above.
        unsafe { c.add(row * stride).cast::<[u32; COLUMNS]>().write(words) };
    }
}
