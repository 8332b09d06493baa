//! On the CPU: a block of lanes is carried through all steps in the second-level cache of one core.
//!
//! Lanes lie as [`product`](crate::product) packs a left operand, weights, packed once, as it packs a right one: words of
//! two i16, neighbours along k. The mixed sums of a register tile make the next words of its lanes.

use attest::exact::stream::{Form, fill_keyed};
use attest::spec::Dims;
use rayon::prelude::*;

use super::{key, padded};
use crate::aligned::Buffer;
use crate::product::{MOST_WORDS, Tile, panel};
use crate::tree;
use crate::wide::wide;
use crate::workload::dim;

/// Lanes of a block, at most: those of 512 i16, once read and once written, are 96 KiB, and a quarter of that passes
/// through beside them.
const BLOCK_LANES: usize = 48;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [state, tree, ..] = outputs else {
        unreachable!("the specification has two outputs")
    };
    run_with(Tile::integer(), dims, inputs, state);
    tree::build(dim(dims, "n"), state, tree);
}

fn run_with(tile: &Tile, dims: &Dims, inputs: &[&[u8]], state: &mut [u8]) {
    let [m, n, layers, steps] = ["m", "n", "layers", "steps"].map(|name| dim(dims, name));
    let width = padded(n);
    let weights = packed_weights(tile, n, inputs[1], layers);
    let network = Network {
        tile,
        key: key(inputs[0], 0),
        n,
        pairs: width / 2,
        weights: weights.words(),
        steps,
    };
    // Two threads at least for few lanes, whole tiles, and no more lanes than the cache holds.
    let share = m
        .div_ceil(rayon::current_num_threads())
        .next_multiple_of(tile.rows);
    let block = share.min(BLOCK_LANES / tile.rows * tile.rows);
    state
        .par_chunks_mut(block * n)
        .enumerate()
        .with_max_len(1)
        .for_each(|(index, state)| network.carry(index * block, state));
}

/// Layer after layer, panel after panel of [`Tile::columns`] columns.
fn packed_weights(tile: &Tile, n: usize, keys: &[u8], layers: usize) -> Buffer {
    let (width, pairs) = (padded(n), padded(n) / 2);
    let (panels, words) = (width / tile.columns, tile.columns * pairs);
    let mut packed = Buffer::new(layers * panels * words * size_of::<u32>()).expect("memory for weights");
    let parts = packed.words_mut().par_chunks_mut(words).enumerate();
    parts.for_each(|(part, words)| {
        let (layer, first) = (part / panels, part % panels * tile.columns);
        let columns = n.saturating_sub(first).min(tile.columns);
        let matrix = stream(key(keys, layer), first * n, columns * n);
        panel(
            words,
            tile.columns,
            &matrix,
            n,
            0..columns,
            0..n.div_ceil(2),
            tile.vectors,
        );
    });
    packed
}

fn stream(key: [u32; 2], first: usize, count: usize) -> Vec<i8> {
    let mut elements = vec![0i8; count];
    fill_keyed(
        key,
        Form::I8,
        first as u64,
        bytemuck::cast_slice_mut(&mut elements),
    );
    elements
}

struct Network<'a> {
    tile: &'a Tile,
    key: [u32; 2],
    n: usize,
    /// Words of a lane, zeros at its end included.
    pairs: usize,
    weights: &'a [u32],
    steps: usize,
}

impl Network<'_> {
    /// Carries the lanes from `first` on through all steps into their rows of the state.
    fn carry(&self, first: usize, state: &mut [u8]) {
        let rows = self.tile.rows;
        let lanes = state.len() / self.n;
        let tiles = lanes.div_ceil(rows);
        let mut now = vec![0; tiles * rows * self.pairs];
        let mut next = now.clone();
        for (tile, words) in now.chunks_exact_mut(rows * self.pairs).enumerate() {
            let lanes = rows.min(lanes - tile * rows);
            let matrix = stream(self.key, (first + tile * rows) * self.n, lanes * self.n);
            let pairs = 0..self.n.div_ceil(2);
            panel(words, rows, &matrix, self.n, 0..lanes, pairs, self.tile.vectors);
        }
        let layer = self.pairs * 2 * self.pairs;
        for weights in self.weights.chunks_exact(layer).cycle().take(self.steps) {
            self.step(weights, &now, &mut next);
            std::mem::swap(&mut now, &mut next);
        }
        let tiles = now.chunks_exact(rows * self.pairs);
        for (words, state) in tiles.zip(state.chunks_mut(rows * self.n)) {
            for (row, state) in state.chunks_exact_mut(self.n).enumerate() {
                for (k, byte) in state.iter_mut().enumerate() {
                    *byte = (words[k / 2 * rows + row] >> (16 * (k % 2))) as u8;
                }
            }
        }
    }

    fn step(&self, weights: &[u32], now: &[u32], next: &mut [u32]) {
        let (rows, columns) = (self.tile.rows, self.tile.columns);
        let mut sums = [0; MOST_WORDS];
        for (index, panel) in weights.chunks_exact(columns * self.pairs).enumerate() {
            let written = index * columns / 2 * rows..(index + 1) * columns / 2 * rows;
            let tiles = now.chunks_exact(rows * self.pairs);
            for (now, next) in tiles.zip(next.chunks_exact_mut(rows * self.pairs)) {
                let sums = self.tile.products(now, panel, &mut sums);
                mix(sums, columns, &mut next[written.clone()]);
            }
        }
    }
}

wide! {
    /// Top bytes of the sums of a tile times 2^32 over the golden ratio, as words of its lanes.
    fn mix(sums: &mut [u32], columns: usize, words: &mut [u32]) {
        for sum in sums.iter_mut() {
            *sum = (sum.wrapping_mul(0x9E37_79B1).cast_signed() >> 24).cast_unsigned();
        }
        let rows = sums.len() / columns;
        for (row, sums) in sums.chunks_exact(columns).enumerate() {
            for (pair, sums) in sums.chunks_exact(2).enumerate() {
                words[pair * rows + row] = sums[0] & 0xFFFF | sums[1] << 16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use attest::exact::mlp::{Mlp, Params};

    use super::super::keys;
    use super::*;
    use crate::specify::dims_of;

    #[test]
    fn every_tile_gives_the_lanes_of_the_definition() {
        let seed = [9; 32];
        for [m, n, layers, steps] in [[1, 16, 1, 1], [53, 80, 3, 5], [101, 192, 2, 3], [7, 1024, 1, 2]] {
            let dims = dims_of(&[("m", m), ("n", n), ("layers", layers), ("steps", steps)]);
            let inputs = keys(&dims, &seed);
            let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            let params = Params {
                lanes: m,
                width: n as usize,
                layers: layers as usize,
                steps,
            };
            let mlp = Mlp::new(&seed, params).expect("sound parameters");
            for tile in [Tile::integer(), Tile::portable_integer()] {
                let mut state = vec![0xA5; (m * n) as usize];
                run_with(tile, &dims, &inputs, &mut state);
                for (lane, row) in (0..).zip(state.chunks_exact(n as usize)) {
                    let want = mlp.lane(lane).expect("a lane");
                    assert_eq!(bytemuck::cast_slice::<u8, i8>(row), want, "{dims:?}, lane {lane}");
                }
            }
        }
    }
}
