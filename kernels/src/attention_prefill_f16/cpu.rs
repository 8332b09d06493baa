//! On the CPU: keys and values are widened and packed once, then tasks take the queries of a few tokens of one group.
//!
//! Everything is kept transposed, queries along vectors: a register tile of keys times queries gives scores in the very
//! layout that the second product wants of its right side, and the softmax needs no sum across a vector.

#![allow(
    unsafe_code,
    reason = "tasks write rows of the output that are theirs alone but not contiguous"
)]

use std::cell::RefCell;
use std::ops::Range;

use half::f16;
use half::slice::HalfBitsSliceExt as _;
use rayon::prelude::*;

use super::Sizes;
use crate::aligned::Buffer;
use crate::exp::exp_lanes;
use crate::halves::{narrow, widen};
use crate::product::{Tile, panel};
use crate::wide::wide;

/// Keys that a task takes at a time, at most: with 16 queries their scores are 12 KiB of a first-level cache, and with
/// heads of 128 their keys and values 196 KiB of a second-level cache.
const KEYS: usize = 192;

/// Panels of queries in a task: each block of keys is read from the second-level cache so many times. With heads of 128 and
/// 16 queries they are 132 KiB.
const PANELS: usize = 8;

/// Queries of one vector.
const LANES: usize = 8;

pub(super) fn run(sizes: Sizes, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [q, k, v] = [0, 1, 2].map(|input| bytemuck::cast_slice(inputs[input]));
    let [o, packed] = outputs else {
        unreachable!("one output and the packed keys and values");
    };
    let (o, packed) = (bytemuck::cast_slice_mut(o), bytemuck::cast_slice_mut(packed));
    attend(sizes, [q, k, v], o, packed);
}

/// Bytes that [`attend`] packs keys and values into.
pub(crate) fn scratch_bytes(sizes: Sizes) -> u64 {
    let layout = Layout::of(sizes);
    let words = layout.key_words().saturating_add(layout.value_words());
    (words.saturating_mul(sizes.kvheads) as u64).saturating_mul(4)
}

/// Attention of queries `q` to keys `k` and values `v` into `o`, halves as bits. `packed` has [`scratch_bytes`].
pub(crate) fn attend(sizes: Sizes, [q, k, v]: [&[u16]; 3], o: &mut [u16], packed: &mut [u32]) {
    let layout = Layout::of(sizes);
    let (queries, keys) = (
        sizes.tokens * sizes.heads * sizes.head,
        sizes.tokens * sizes.kvheads * sizes.head,
    );
    assert!(q.len() == queries && o.len() == queries && k.len() == keys && v.len() == keys);
    if queries == 0 {
        return;
    }
    let (keys, values) = packed.split_at_mut(sizes.kvheads * layout.key_words());
    layout.pack_keys(k, keys);
    layout.pack_values(v, values);
    let job = Job {
        layout,
        q: q.reinterpret_cast(),
        keys,
        values,
        o: Output(o.as_mut_ptr()),
    };
    let blocks = sizes.tokens.div_ceil(job.tokens());
    // Late queries see most keys: begun first, they end before the short tasks run out.
    let tasks = (0..blocks * sizes.kvheads).into_par_iter().with_max_len(1);
    tasks.for_each(|task| job.run(blocks - 1 - task / sizes.kvheads, task % sizes.kvheads));
}

/// How keys and values are packed.
#[derive(Clone, Copy)]
struct Layout {
    sizes: Sizes,
    tile: &'static Tile,
    /// Keys of one block: whole tiles.
    block: usize,
    /// Elements of a head's values and a one, whose weighted sum is the total of the weights; in whole tiles.
    depth: usize,
}

impl Layout {
    fn of(sizes: Sizes) -> Self {
        let tile = Tile::fused();
        Self {
            sizes,
            tile,
            block: KEYS / tile.rows * tile.rows,
            depth: (sizes.head + 1).next_multiple_of(tile.rows),
        }
    }

    /// Of one head.
    fn key_words(self) -> usize {
        self.sizes.tokens.next_multiple_of(self.tile.rows) * self.sizes.head
    }

    /// Of one head.
    fn value_words(self) -> usize {
        self.sizes.tokens * self.depth
    }

    /// Panels of as many keys as a tile has rows: for each element of the head, one word of each key.
    fn pack_keys(self, k: &[u16], packed: &mut [u32]) {
        let (rows, head, tokens) = (self.tile.rows, self.sizes.head, self.sizes.tokens);
        let panels = tokens.div_ceil(rows);
        let words = packed.par_chunks_mut(rows * head).enumerate();
        words.for_each(|(index, words)| {
            let (kvhead, first) = (index / panels, index % panels * rows);
            let keys = first..tokens.min(first + rows);
            let elements = kvhead * head..(kvhead + 1) * head;
            panel::<f16>(
                words,
                rows,
                k.reinterpret_cast(),
                self.sizes.kvheads * head,
                keys,
                elements,
                self.tile.vectors,
            );
        });
    }

    /// For each block of keys, panels of as many elements of the head as a tile has rows: one word of each element for each
    /// key.
    fn pack_values(self, v: &[u16], packed: &mut [u32]) {
        let heads = packed.par_chunks_mut(self.value_words()).enumerate();
        let blocks = heads.flat_map(|(kvhead, words)| {
            let blocks = words.par_chunks_mut(self.block * self.depth).enumerate();
            blocks.map(move |(block, words)| (kvhead, block * self.block, words))
        });
        blocks.for_each(|(kvhead, first, words)| self.pack_block(v, kvhead, first, words));
    }

    fn pack_block(self, v: &[u16], kvhead: usize, first: usize, words: &mut [u32]) {
        const MOST: usize = super::WIDEST_HEAD + 32;
        let (rows, head, keys) = (self.tile.rows, self.sizes.head, words.len() / self.depth);
        let mut wide = [0.0f32; MOST];
        wide[head] = 1.0;
        for key in 0..keys {
            let start = ((first + key) * self.sizes.kvheads + kvhead) * head;
            widen(&v[start..start + head], &mut wide[..head]);
            let wide: &[u32] = bytemuck::cast_slice(&wide[..self.depth]);
            let panels = words.chunks_exact_mut(keys * rows);
            for (panel, values) in panels.zip(wide.chunks_exact(rows)) {
                panel[key * rows..][..rows].copy_from_slice(values);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Output(*mut u16);

// SAFETY: tasks write disjoint rows; see `Job::finish`.
unsafe impl Sync for Output {}

struct Job<'a> {
    layout: Layout,
    q: &'a [f16],
    keys: &'a [u32],
    values: &'a [u32],
    o: Output,
}

/// Some queries of one head, as many as a tile has columns; each slice holds one word a query for each of its steps.
struct Panel<'a> {
    head: usize,
    tokens: Range<usize>,
    q: &'a mut [u32],
    /// Weighted sums of values so far.
    o: &'a mut [u32],
    /// The largest score so far.
    top: &'a mut [[f32; LANES]],
}

thread_local! {
    /// Panels and scores, kept from task to task.
    static MEMORY: RefCell<Option<Buffer>> = const { RefCell::new(None) };
}

impl Job<'_> {
    /// Tokens of one task.
    fn tokens(&self) -> usize {
        self.layout.tile.columns * (PANELS / self.layout.sizes.group()).max(1)
    }

    /// Words of one panel's queries, sums and tops.
    fn panel_words(&self) -> [usize; 3] {
        let Layout {
            sizes, tile, depth, ..
        } = self.layout;
        [sizes.head, depth, 1].map(|rows| rows * tile.columns)
    }

    fn run(&self, block: usize, kvhead: usize) {
        let Sizes { tokens, .. } = self.layout.sizes;
        let (columns, group) = (self.layout.tile.columns, self.layout.sizes.group());
        let tokens = block * self.tokens()..tokens.min((block + 1) * self.tokens());
        let firsts = tokens.clone().step_by(columns);
        let panels = group * firsts.len();
        let words = panels * self.panel_words().iter().sum::<usize>() + (self.layout.block + 1) * columns;
        let kept = MEMORY.take().filter(|buffer| buffer.words().len() >= words);
        let mut buffer = kept.unwrap_or_else(|| Buffer::new(4 * words).expect("memory for some queries"));
        let (scores, mut rest) = buffer.words_mut().split_at_mut((self.layout.block + 1) * columns);
        let mut panels = Vec::with_capacity(panels);
        for head in kvhead * group..(kvhead + 1) * group {
            for first in firsts.clone() {
                let tokens = first..tokens.end.min(first + columns);
                let (words, after) = rest.split_at_mut(self.panel_words().iter().sum());
                panels.push(self.begin(head, tokens, words));
                rest = after;
            }
        }
        for first in (0..self.seen(&tokens)).step_by(self.layout.block) {
            for panel in &mut panels {
                if first < self.seen(&panel.tokens) {
                    self.advance(panel, kvhead, first, scores);
                }
            }
        }
        for panel in panels {
            self.finish(panel);
        }
        MEMORY.set(Some(buffer));
    }

    /// Keys from the first that some of these tokens' queries see.
    fn seen(&self, tokens: &Range<usize>) -> usize {
        let Sizes {
            tokens: all, causal, ..
        } = self.layout.sizes;
        if causal { tokens.end } else { all }
    }

    /// A panel with its queries packed, times the scale of scores.
    fn begin<'m>(&self, head: usize, tokens: Range<usize>, words: &'m mut [u32]) -> Panel<'m> {
        let Sizes {
            heads, head: width, ..
        } = self.layout.sizes;
        let [q, o, _] = self.panel_words();
        let (q, rest) = words.split_at_mut(q);
        let (o, top) = rest.split_at_mut(o);
        let tile = self.layout.tile;
        let elements = head * width..(head + 1) * width;
        panel(
            q,
            tile.columns,
            self.q,
            heads * width,
            tokens.clone(),
            elements,
            tile.vectors,
        );
        let scale = self.layout.sizes.scale();
        bytemuck::cast_slice_mut(q)
            .iter_mut()
            .for_each(|q: &mut f32| *q *= scale);
        top.fill(f32::NEG_INFINITY.to_bits());
        Panel {
            head,
            tokens,
            q,
            o,
            top: bytemuck::cast_slice_mut(top),
        }
    }

    /// Takes a block of keys from `first` into the sums of a panel, as far as the panel sees them.
    fn advance(&self, panel: &mut Panel, kvhead: usize, first: usize, memory: &mut [u32]) {
        let Layout {
            sizes,
            tile,
            block,
            depth,
        } = self.layout;
        let end = self.seen(&panel.tokens).min(first + block);
        let count = end - first;
        let (rows, columns) = (tile.rows, tile.columns);
        let (memory, factors) = memory.split_at_mut(block * columns);
        let keys = &self.keys[kvhead * self.layout.key_words() + first * sizes.head..];
        let keys = keys.chunks_exact(rows * sizes.head);
        for (scores, keys) in memory
            .chunks_exact_mut(rows * columns)
            .zip(keys)
            .take(count.div_ceil(rows))
        {
            tile.add(keys, panel.q, scores, true);
        }
        let weights = &mut memory[..count * columns];
        if sizes.causal {
            let scores = bytemuck::cast_slice_mut(weights);
            hide(scores, columns, first, panel.tokens.start);
        }
        let factors = bytemuck::cast_slice_mut(factors);
        weigh(bytemuck::cast_slice_mut(weights), panel.top, factors);
        if first > 0 {
            scale(bytemuck::cast_slice_mut(panel.o), factors);
        }
        let keys_of_block = block.min(sizes.tokens - first);
        let values = &self.values[kvhead * self.layout.value_words() + first * depth..];
        let values = values.chunks_exact(keys_of_block * rows);
        for (sums, values) in panel.o.chunks_exact_mut(rows * columns).zip(values) {
            tile.add(&values[..count * rows], weights, sums, first == 0);
        }
    }

    /// Divides the sums by the totals and writes them as rows.
    fn finish(&self, panel: Panel) {
        let Sizes { heads, head, .. } = self.layout.sizes;
        let tile = self.layout.tile;
        let (sums, totals) = panel.o.split_at_mut(head * tile.columns);
        let shares: &mut [f32] = bytemuck::cast_slice_mut(&mut totals[..tile.columns]);
        shares.iter_mut().for_each(|total| *total = 1.0 / *total);
        scale(bytemuck::cast_slice_mut(sums), bytemuck::cast_slice(shares));
        // The queries are used up; their words take the sums turned into rows.
        let rows = panel.q;
        let vectors = tile.vectors && head.is_multiple_of(LANES);
        let sums: &[f32] = bytemuck::cast_slice(sums);
        self::panel(rows, head, sums, tile.columns, 0..head, 0..tile.columns, vectors);
        let rows: &[f32] = bytemuck::cast_slice(rows);
        for (token, row) in panel.tokens.zip(rows.chunks_exact(head)) {
            // SAFETY: the token and the head lie inside the output, and no other panel has both.
            let o = unsafe {
                let start = self.o.0.add((token * heads + panel.head) * head);
                std::slice::from_raw_parts_mut(start, head)
            };
            narrow(row, o);
        }
    }
}

/// Takes out the scores of keys that come after their query: keys from `first` in rows, queries from `token` in columns.
fn hide(scores: &mut [f32], columns: usize, first: usize, token: usize) {
    let diagonal = token.saturating_sub(first);
    for (key, row) in scores.chunks_exact_mut(columns).enumerate().skip(diagonal) {
        let before = (first + key - token).min(columns);
        row[..before].fill(f32::NEG_INFINITY);
    }
}

wide! {
    /// Turns scores into weights, e to the distance below the largest score so far, and tells by what earlier weights must
    /// be multiplied.
    fn weigh(scores: &mut [[f32; LANES]], tops: &mut [[f32; LANES]], factors: &mut [[f32; LANES]]) {
        let strips = tops.len();
        for (strip, (top, factor)) in tops.iter_mut().zip(factors).enumerate() {
            let mut highest = *top;
            for score in scores.iter().skip(strip).step_by(strips) {
                for lane in 0..LANES {
                    highest[lane] = if score[lane] > highest[lane] { score[lane] } else { highest[lane] };
                }
            }
            for score in scores.iter_mut().skip(strip).step_by(strips) {
                *score = exp_lanes(std::array::from_fn(|lane| score[lane] - highest[lane]));
            }
            *factor = exp_lanes(std::array::from_fn(|lane| top[lane] - highest[lane]));
            *top = highest;
        }
    }
}

wide! {
    /// Multiplies each column by its factor.
    fn scale(rows: &mut [[f32; LANES]], factors: &[[f32; LANES]]) {
        for row in rows.chunks_exact_mut(factors.len()) {
            for (values, factors) in row.iter_mut().zip(factors) {
                for lane in 0..LANES {
                    values[lane] *= factors[lane];
                }
            }
        }
    }
}
