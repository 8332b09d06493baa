//! One page of keys or of values of one head, with some of its queries.

use super::lanes::Lanes;
use super::{PAGE, SPLIT, VECTOR};

/// Keys, and vectors of values, that are worked on side by side.
const PAIR: usize = 2;

pub(super) struct Page<'a> {
    /// One of the heads of each token.
    tokens: [&'a [[u16; VECTOR]]; PAGE],
    count: usize,
    pub(super) head: usize,
}

/// What is read next, fetched a head at a time in the order of memory, while a page is worked on.
pub(super) struct Ahead<'a> {
    cache: &'a [u16],
    /// The tokens that are left.
    places: &'a [usize],
    /// Elements of a token, and those of the first that are fetched.
    row: usize,
    at: usize,
}

impl<'a> Ahead<'a> {
    pub(super) fn new((cache, places): (&'a [u16], &'a [usize]), row: usize) -> Self {
        Self {
            cache,
            places,
            row,
            at: 0,
        }
    }

    #[inline(always)]
    pub(super) fn fetch<L: Lanes>(&mut self, head: usize) {
        let [place, rest @ ..] = self.places else {
            return;
        };
        L::fetch(&self.cache[place + self.at..][..head]);
        self.at += head;
        if self.at == self.row {
            (self.at, self.places) = (0, rest);
        }
    }
}

impl<'a> Page<'a> {
    /// The heads of which the first stand at `places`, at most [`PAGE`] of them.
    #[inline(always)]
    pub(super) fn of(cache: &'a [u16], kvhead: usize, places: &[usize], head: usize) -> Self {
        let mut tokens: [&[_]; PAGE] = [&[]; PAGE];
        for (token, place) in tokens.iter_mut().zip(places) {
            (*token, _) = cache[place + kvhead * head..][..head].as_chunks();
        }
        Self {
            tokens,
            count: places.len(),
            head,
        }
    }

    /// Products of the keys with `ROWS` queries: those of row r from weight r * [`SPLIT`] on. `ahead` is called for each key.
    #[inline(always)]
    pub(super) fn scores<L: Lanes, const ROWS: usize>(
        &self,
        q: &[f32],
        weights: &mut [f32],
        mut ahead: impl FnMut(),
    ) {
        let q: [_; ROWS] = std::array::from_fn(|row| q[row * self.head..][..self.head].as_chunks().0);
        let (pairs, last) = self.tokens[..self.count].as_chunks::<PAIR>();
        for (pair, keys) in pairs.iter().enumerate() {
            let key = pair * PAIR;
            for _ in 0..PAIR {
                ahead();
            }
            let dots = dots::<L, ROWS, PAIR>(q, *keys);
            for (row, dots) in dots.iter().enumerate() {
                weights[row * SPLIT + key..][..PAIR].copy_from_slice(dots);
            }
        }
        for &last in last {
            let key = self.count - 1;
            ahead();
            let dots = dots::<L, ROWS, 1>(q, [last]);
            for (row, [dot]) in dots.into_iter().enumerate() {
                weights[row * SPLIT + key] = dot;
            }
        }
    }

    /// Adds the values, weighted by `ROWS` queries, to the sums of each. `ahead` is called as often as the page has tokens, or
    /// more seldom.
    #[inline(always)]
    pub(super) fn values<L: Lanes, const ROWS: usize>(
        &self,
        weights: &[f32],
        sums: &mut [f32],
        mut ahead: impl FnMut(),
    ) {
        const STEP: usize = PAIR * VECTOR;
        let even = self.head - self.head % STEP;
        for at in (0..even).step_by(STEP) {
            for _ in 0..self.count * STEP / self.head {
                ahead();
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
        let tokens = &self.tokens[..self.count];
        let weights: [_; ROWS] = std::array::from_fn(|row| &weights[row * SPLIT..][..tokens.len()]);
        for token in 0..tokens.len() {
            let vectors = &tokens[token][at / VECTOR..][..VECTORS];
            let mut wide = [L::ZERO; VECTORS];
            for (wide, vector) in wide.iter_mut().zip(vectors) {
                *wide = L::widen(vector);
            }
            for (sums, weights) in mine.iter_mut().zip(weights) {
                let weight = L::splat(weights[token]);
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
    q: [&[[f32; VECTOR]]; ROWS],
    k: [&[[u16; VECTOR]]; KEYS],
) -> [[f32; KEYS]; ROWS] {
    // Of one length, so that no index is checked below.
    let vectors = q[0].len();
    let (q, k) = (q.map(|q| &q[..vectors]), k.map(|k| &k[..vectors]));
    let mut sums = [[L::ZERO; KEYS]; ROWS];
    for at in 0..vectors {
        let mut wide = [L::ZERO; KEYS];
        for (wide, k) in wide.iter_mut().zip(k) {
            *wide = L::widen(&k[at]);
        }
        for (sums, q) in sums.iter_mut().zip(q) {
            let q = L::read(&q[at]);
            for (sum, wide) in sums.iter_mut().zip(wide) {
                *sum = sum.add_product(wide, q);
            }
        }
    }
    let mut dots = [[0.0; KEYS]; ROWS];
    for key in 0..KEYS {
        let (fours, rest) = sums.as_chunks::<4>();
        let (dots_of_fours, dots_of_rest) = dots.as_chunks_mut::<4>();
        for ([a, b, c, d], dots) in fours.iter().zip(dots_of_fours) {
            let totals = L::totals([a[key], b[key], c[key], d[key]]);
            for (dots, total) in dots.iter_mut().zip(totals) {
                dots[key] = total;
            }
        }
        for (dots, sums) in dots_of_rest.iter_mut().zip(rest) {
            dots[key] = sums[key].total();
        }
    }
    dots
}
