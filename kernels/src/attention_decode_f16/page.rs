//! One page of keys or of values of one head, with some of its queries: rows that are worked on side by side, their elements
//! beside each other.

use super::lanes::Lanes;

/// Keys that are worked on side by side.
const PAIR: usize = 2;

/// Where the tokens of a page stand in a cache, one after the other.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) first: usize,
    pub(super) count: usize,
}

/// One of the heads of each token.
pub(super) struct Page<'a> {
    /// From the first token's on.
    tokens: &'a [u16],
    /// Elements from a token to the next.
    token: usize,
    count: usize,
    head: usize,
}

/// What is read next, fetched a head at a time in the order of memory, while a page is worked on.
pub(super) struct Ahead<'a> {
    page: Page<'a>,
    /// Elements of a token that are fetched, and where the next of them stands.
    row: usize,
    at: usize,
}

impl<'a> Ahead<'a> {
    /// All heads of a page, or nothing.
    pub(super) fn new(next: Option<(&'a [u16], Place)>, kvheads: usize, sizes: [usize; 2]) -> Self {
        let (cache, place) = next.unwrap_or_default();
        Self {
            page: Page::of(cache, place, 0, sizes),
            row: kvheads * sizes[0],
            at: 0,
        }
    }

    #[inline(always)]
    pub(super) fn fetch<L: Lanes>(&mut self) {
        let Page {
            tokens, token, head, ..
        } = self.page;
        if self.page.count == 0 {
            return;
        }
        L::fetch(&tokens[self.at..][..head]);
        self.at += head;
        if self.at == self.row {
            self.at = 0;
            self.page.count -= 1;
            self.page.tokens = tokens.get(token..).unwrap_or_default();
        }
    }
}

impl<'a> Page<'a> {
    /// Of the `kvhead`th of the heads that stand at `place`; a token has `token` elements.
    #[inline(always)]
    pub(super) fn of(cache: &'a [u16], place: Place, kvhead: usize, [head, token]: [usize; 2]) -> Self {
        Self {
            tokens: &cache[place.first + kvhead * head..],
            token,
            count: place.count,
            head,
        }
    }

    /// Vectors of each token, `elements` of the head from the one at `at` on.
    #[inline(always)]
    fn vectors<L: Lanes>(&self, at: usize, elements: usize) -> impl Iterator<Item = &'a [L::Halves]> {
        let tokens = self.tokens[at..].chunks(self.token).take(self.count);
        tokens.map(move |token| bytemuck::cast_slice(&token[..elements]))
    }

    /// Products of each key with `ROWS` queries, whose vectors lie beside each other, to `ROWS` scores for each key.
    #[inline(always)]
    pub(super) fn scores<L: Lanes, const ROWS: usize>(
        &self,
        q: &[f32],
        weights: &mut [f32],
        ahead: &mut Ahead,
    ) {
        let q = bytemuck::cast_slice::<f32, L::Singles>(q).as_chunks().0;
        let (pairs, last) = weights.as_chunks_mut().0[..self.count].as_chunks_mut::<PAIR>();
        let mut keys = self.vectors::<L>(0, self.head);
        for (weights, (a, b)) in pairs
            .iter_mut()
            .zip(std::iter::from_fn(|| keys.next().zip(keys.next())))
        {
            for _ in 0..PAIR {
                ahead.fetch::<L>();
            }
            *weights = dots::<L, ROWS>(q, [a, b]);
        }
        if let [last] = last {
            ahead.fetch::<L>();
            let key = self
                .vectors::<L>(0, self.head)
                .nth(self.count - 1)
                .expect("the last");
            [*last, _] = dots::<L, ROWS>(q, [key, key]);
        }
    }

    /// Adds the values, weighted by `ROWS` queries, to the sums of each.
    #[inline(always)]
    pub(super) fn values<L: Lanes, const ROWS: usize>(
        &self,
        weights: &[f32],
        sums: &mut [f32],
        ahead: &mut Ahead,
    ) {
        let weights = weights.as_chunks().0;
        let mut at = 0;
        while at < self.head {
            let left = (self.head - at) / lanes::<L>();
            let vectors = 1 << left.min(L::VECTORS).ilog2();
            for _ in 0..self.count * vectors * lanes::<L>() / self.head {
                ahead.fetch::<L>();
            }
            match vectors {
                4 => self.columns::<L, ROWS, 4>(weights, sums, at),
                2 => self.columns::<L, ROWS, 2>(weights, sums, at),
                _ => self.columns::<L, ROWS, 1>(weights, sums, at),
            }
            at += vectors * lanes::<L>();
        }
    }

    /// [`values`](Self::values) of the vectors that begin at element `at` of the head.
    #[inline(always)]
    fn columns<L: Lanes, const ROWS: usize, const VECTORS: usize>(
        &self,
        weights: &[[f32; ROWS]],
        sums: &mut [f32],
        at: usize,
    ) {
        let elements = VECTORS * lanes::<L>();
        let mut mine = [[L::ZERO; VECTORS]; ROWS];
        for (row, mine) in mine.iter_mut().enumerate() {
            let vectors: &[L::Singles] = bytemuck::cast_slice(&sums[row * self.head + at..][..elements]);
            for (sum, vector) in mine.iter_mut().zip(vectors) {
                *sum = L::read(vector);
            }
        }
        for (weights, vectors) in weights.iter().zip(self.vectors::<L>(at, elements)) {
            let mut wide = [L::ZERO; VECTORS];
            for (wide, vector) in wide.iter_mut().zip(vectors) {
                *wide = L::widen(vector);
            }
            for (sums, weight) in mine.iter_mut().zip(weights) {
                let weight = L::splat(*weight);
                for (sum, wide) in sums.iter_mut().zip(wide) {
                    *sum = sum.add_product(wide, weight);
                }
            }
        }
        for (row, mine) in mine.iter().enumerate() {
            let vectors: &mut [L::Singles] =
                bytemuck::cast_slice_mut(&mut sums[row * self.head + at..][..elements]);
            for (sum, vector) in mine.iter().zip(vectors) {
                sum.write(vector);
            }
        }
    }
}

/// Elements of a vector.
const fn lanes<L: Lanes>() -> usize {
    size_of::<L::Singles>() / size_of::<f32>()
}

#[inline(always)]
fn dots<L: Lanes, const ROWS: usize>(
    q: &[[L::Singles; ROWS]],
    [a, b]: [&[L::Halves]; PAIR],
) -> [[f32; ROWS]; PAIR] {
    let mut sums = [[L::ZERO; ROWS]; PAIR];
    for (q, (a, b)) in q.iter().zip(a.iter().zip(b)) {
        let (a, b) = (L::widen(a), L::widen(b));
        for (row, q) in q.iter().enumerate() {
            let q = L::read(q);
            sums[0][row] = sums[0][row].add_product(a, q);
            sums[1][row] = sums[1][row].add_product(b, q);
        }
    }
    [L::totals(sums[0]), L::totals(sums[1])]
}
