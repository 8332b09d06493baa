//! Some tokens' activations, for products of each with the same rows of weights.

use rayon::prelude::*;

use super::{Activations, BLOCK, Block, ROWS, Rows, Weights, of_rows, of_tokens};

/// In the order in which this processor reads them.
pub(crate) enum Tokens<'a> {
    Rows(Vec<Activations<'a>>),
    #[cfg(target_arch = "x86_64")]
    Transposed(super::vnni::Tokens),
}

impl<'a> Tokens<'a> {
    /// Of rows of so many blocks.
    pub(crate) fn new(x: &'a [[i8; BLOCK]], scales: &'a [u16], blocks: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        if super::vnni::is_available() {
            return Self::Transposed(super::vnni::Tokens::new(x, scales, blocks));
        }
        Self::in_rows(x, scales, blocks)
    }

    fn in_rows(x: &'a [[i8; BLOCK]], scales: &'a [u16], blocks: usize) -> Self {
        let rows = x.par_chunks(blocks).zip(scales.par_chunks(blocks));
        Self::Rows(rows.map(|(x, scales)| Activations::new(x, scales)).collect())
    }

    /// Of each token the products with some rows, blocks and the bits of their scales, which are as long.
    pub(crate) fn products<'w>(&self, row: impl Fn(usize) -> (&'w [Block], &'w [u16]), sums: &mut [f32]) {
        match self {
            Self::Rows(x) => products(x, |at| Weights::new(row(at)), sums),
            #[cfg(target_arch = "x86_64")]
            Self::Transposed(x) => x.products(row, sums),
        }
    }

    /// Of the only token.
    pub(crate) fn of_rows(&self, rows: Rows<'_>) {
        match self {
            Self::Rows(x) => of_rows(rows, &x[0]),
            #[cfg(target_arch = "x86_64")]
            Self::Transposed(x) => {
                let (blocks, scales) = (rows.blocks, rows.scales);
                let part = blocks.len() / rows.y.len();
                let row = |at: usize| (&blocks[at * part..][..part], &scales[at * part..][..part]);
                x.products(row, rows.y);
            }
        }
    }
}

fn products<'w>(x: &[Activations<'_>], row: impl Fn(usize) -> Weights<'w>, sums: &mut [f32]) {
    let count = sums.len() / x.len();
    let (fours, rest) = x.as_chunks::<ROWS>();
    let (sums, rest_sums) = sums.split_at_mut(fours.len() * ROWS * count);
    for (sums, x) in sums.chunks_mut(ROWS * count).zip(fours) {
        for at in 0..count {
            let of_row = of_tokens(row(at), x.each_ref());
            for (token, sum) in of_row.into_iter().enumerate() {
                sums[token * count + at] = sum;
            }
        }
    }
    for (sums, x) in rest_sums.chunks_mut(count).zip(rest) {
        for (at, sum) in sums.iter_mut().enumerate() {
            [*sum] = of_tokens(row(at), [x]);
        }
    }
}

#[cfg(test)]
mod tests {
    use attest::exact::stream::{Form, bytes};

    use super::*;
    use crate::q4::{BLOCK_BYTES, integer_sum};

    const COUNT: usize = 3;

    fn drawn<T: bytemuck::Pod>(name: &str, count: usize) -> Vec<T> {
        let drawn = bytes(&[7; 32], name, Form::I8, count * size_of::<T>());
        bytemuck::cast_slice(&drawn).to_vec()
    }

    fn products_of(x: &Tokens<'_>, tokens: usize, w: &[Block], scales: &[u16]) -> Vec<f32> {
        let blocks = w.len() / COUNT;
        let row = |at: usize| (&w[at * blocks..][..blocks], &scales[at * blocks..][..blocks]);
        let mut sums = vec![f32::NAN; tokens * COUNT];
        x.products(row, &mut sums);
        sums
    }

    /// With scales of 1 every sum is an integer that f32 holds, so any order gives the same.
    #[test]
    fn every_token_meets_every_row_in_either_order() {
        for (tokens, blocks) in [(1, 1), (2, 16), (7, 19), (8, 8), (21, 37)] {
            let x: Vec<[i8; BLOCK]> = drawn("x", tokens * blocks);
            let w: Vec<Block> = drawn("w", COUNT * blocks);
            let ones = vec![0x3C00; tokens.max(COUNT) * blocks];
            let scales = &ones[..tokens * blocks];
            let want = x.chunks(blocks).flat_map(|x| {
                let of_row = |w: &[Block]| w.iter().zip(x).map(|(w, x)| integer_sum(w, x)).sum::<i32>();
                w.chunks(blocks).map(of_row).collect::<Vec<_>>()
            });
            let want: Vec<f32> = want.map(|sum| sum as f32).collect();
            for x in [
                Tokens::new(&x, scales, blocks),
                Tokens::in_rows(&x, scales, blocks),
            ] {
                assert_eq!(
                    products_of(&x, tokens, &w, &ones),
                    want,
                    "{tokens} of {blocks} blocks"
                );
            }
        }
    }

    #[test]
    fn the_only_token_meets_rows_as_one_of_some_does() {
        const BLOCKS: usize = 19;
        let x: Vec<[i8; BLOCK]> = drawn("x", BLOCKS);
        let w: Vec<Block> = drawn("w", COUNT * BLOCKS);
        let ones = [0x3C00u16; COUNT * BLOCKS];
        let parts = [bytemuck::cast_slice(&w), bytemuck::cast_slice(&ones)];
        for x in [
            Tokens::new(&x, &ones[..BLOCKS], BLOCKS),
            Tokens::in_rows(&x, &ones[..BLOCKS], BLOCKS),
        ] {
            let mut y = [f32::NAN; COUNT];
            x.of_rows(Rows::new(parts, &mut y));
            assert_eq!(y[..], products_of(&x, 1, &w, &ones));
        }
    }

    #[test]
    fn the_largest_sums_fit() {
        for (w, x) in [(0xFF, -128), (0xFF, 127), (0x00, -128), (0x00, 127)] {
            let (w, x) = ([[w; BLOCK_BYTES]; COUNT], [[x; BLOCK]]);
            let ones = [0x3C00; COUNT];
            let want = integer_sum(&w[0], &x[0]) as f32;
            let got = products_of(&Tokens::new(&x, &ones[..1], 1), 1, &w, &ones);
            assert_eq!(got, [want; COUNT]);
        }
    }

    #[test]
    fn a_token_alone_has_the_bits_that_it_has_among_others() {
        const TOKENS: usize = 15;
        const BLOCKS: usize = 53;
        let x: Vec<[i8; BLOCK]> = drawn("x", TOKENS * BLOCKS);
        let w: Vec<Block> = drawn("w", COUNT * BLOCKS);
        let scales: Vec<u16> = (0..TOKENS * BLOCKS).map(|at| 0x2C00 + 7 * at as u16).collect();
        let all = products_of(&Tokens::new(&x, &scales, BLOCKS), TOKENS, &w, &scales);
        let alone = x.chunks(BLOCKS).zip(scales.chunks(BLOCKS));
        let alone = alone.flat_map(|(x, scale)| products_of(&Tokens::new(x, scale, BLOCKS), 1, &w, &scales));
        assert!(alone.eq(all));
    }
}
