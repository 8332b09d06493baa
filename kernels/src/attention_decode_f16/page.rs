//! One page of keys or of values of one head, with some of its queries.

use super::lanes::Lanes;
use super::{SPLIT, VECTOR};

/// Keys, and vectors of values, that are worked on side by side.
const PAIR: usize = 2;

pub(super) struct Page<'a> {
    pub(super) cache: &'a [u16],
    /// Where the heads of its tokens stand in the cache.
    pub(super) places: &'a [usize],
    pub(super) head: usize,
}

impl<'a> Page<'a> {
    #[inline(always)]
    fn token(&self, place: usize) -> &'a [[u16; VECTOR]] {
        self.cache[place..][..self.head].as_chunks().0
    }

    /// Products of the keys with `ROWS` queries: those of row r from weight r * [`SPLIT`] on. `ahead` is told each key.
    #[inline(always)]
    pub(super) fn scores<L: Lanes, const ROWS: usize>(
        &self,
        q: &[f32],
        weights: &mut [f32],
        ahead: impl Fn(usize),
    ) {
        let (q, _) = q[..ROWS * self.head].as_chunks::<VECTOR>();
        let (pairs, last) = self.places.as_chunks::<PAIR>();
        for (pair, places) in pairs.iter().enumerate() {
            let key = pair * PAIR;
            for key in key..key + PAIR {
                ahead(key);
            }
            let dots = dots::<L, ROWS, PAIR>(q, [self.token(places[0]), self.token(places[1])]);
            for (row, dots) in dots.iter().enumerate() {
                weights[row * SPLIT + key..][..PAIR].copy_from_slice(dots);
            }
        }
        for &place in last {
            let key = self.places.len() - 1;
            ahead(key);
            let dots = dots::<L, ROWS, 1>(q, [self.token(place)]);
            for (row, [dot]) in dots.into_iter().enumerate() {
                weights[row * SPLIT + key] = dot;
            }
        }
    }

    /// Adds the values, weighted by `ROWS` queries, to the sums of each. `ahead` is told as many tokens as the page has, or
    /// fewer.
    #[inline(always)]
    pub(super) fn values<L: Lanes, const ROWS: usize>(
        &self,
        weights: &[f32],
        sums: &mut [f32],
        ahead: impl Fn(usize),
    ) {
        const STEP: usize = PAIR * VECTOR;
        let even = self.head - self.head % STEP;
        let each = self.places.len() * STEP / self.head.max(STEP);
        for at in (0..even).step_by(STEP) {
            let first = at / STEP * each;
            for token in first..first + each {
                ahead(token);
            }
            self.columns::<L, ROWS, PAIR>(weights, sums, at);
        }
        if even < self.head {
            self.columns::<L, ROWS, 1>(weights, sums, even);
        }
    }

    /// [`values`](Self::values) of the vectors that begin at element `at` of the head.
    #[inline(always)]
    fn columns<L: Lanes, const ROWS: usize, const VECTORS: usize>(
        &self,
        weights: &[f32],
        sums: &mut [f32],
        at: usize,
    ) {
        let mut mine = [[L::ZERO; VECTORS]; ROWS];
        for (row, mine) in mine.iter_mut().enumerate() {
            let (vectors, _) = sums[row * self.head + at..][..VECTORS * VECTOR].as_chunks();
            for (sum, vector) in mine.iter_mut().zip(vectors) {
                *sum = L::read(vector);
            }
        }
        let weights = &weights[..(ROWS - 1) * SPLIT + self.places.len()];
        for (token, &place) in self.places.iter().enumerate() {
            let (vectors, _) = self.cache[place + at..][..VECTORS * VECTOR].as_chunks();
            let mut wide = [L::ZERO; VECTORS];
            for (wide, vector) in wide.iter_mut().zip(vectors) {
                *wide = L::widen(vector);
            }
            for (row, sums) in mine.iter_mut().enumerate() {
                let weight = L::splat(weights[row * SPLIT + token]);
                for (sum, wide) in sums.iter_mut().zip(wide) {
                    *sum = sum.add_product(wide, weight);
                }
            }
        }
        for (row, mine) in mine.iter().enumerate() {
            let (vectors, _) = sums[row * self.head + at..][..VECTORS * VECTOR].as_chunks_mut();
            for (sum, vector) in mine.iter().zip(vectors) {
                sum.write(vector);
            }
        }
    }
}

#[inline(always)]
fn dots<L: Lanes, const ROWS: usize, const KEYS: usize>(
    q: &[[f32; VECTOR]],
    k: [&[[u16; VECTOR]]; KEYS],
) -> [[f32; KEYS]; ROWS] {
    let vectors = k[0].len();
    let mut sums = [[L::ZERO; KEYS]; ROWS];
    for at in 0..vectors {
        let mut wide = [L::ZERO; KEYS];
        for (wide, k) in wide.iter_mut().zip(k) {
            *wide = L::widen(&k[at]);
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            let q = L::read(&q[row * vectors + at]);
            for (sum, wide) in sums.iter_mut().zip(wide) {
                *sum = sum.add_product(wide, q);
            }
        }
    }
    let mut dots = [[0.0; KEYS]; ROWS];
    for (dots, sums) in dots.iter_mut().zip(sums) {
        for (dot, sum) in dots.iter_mut().zip(sums) {
            *dot = sum.total();
        }
    }
    dots
}
