//! `llm.exact`: one decoder block of Llama's form whose every rounding is fixed.
//!
//! Built from additions and products of f32, each rounded to nearest, ties to even, from integer operations, comparisons
//! and bit casts: nothing is fused, divided or taken from a library. [`math`] has `trim`, `exp`, `reciprocal`, `rsqrt`,
//! `silu` and `tree_sum`, [`turns`] the table of angles. `a - b` stands for a + (-b), whose sign is flipped exactly.
//!
//! # Sizes
//!
//! `tokens`, `hidden`, `heads`, `kv` (heads of keys and of values), `width` (elements of a head), `ffn`; `qkv` = heads +
//! 2 kv. All are at least 1, `width` is even, `kv` divides `heads`, and none is past 2^20.
//!
//! # Tensors
//!
//! f32 streams ([`stream`](super::stream)) times a power of two, which is exact; rows one after the other:
//!
//! | stream | shape | power |
//! |---|---|---|
//! | `llm.exact/x` | tokens x hidden | 0 |
//! | `llm.exact/attention_norm` | hidden | 1 |
//! | `llm.exact/qkv` | (qkv width) x hidden: rows of all queries, then of keys, then of values | -s(hidden); queries and keys 1 more |
//! | `llm.exact/out` | hidden x (heads width) | -s(heads width) |
//! | `llm.exact/ffn_norm` | hidden | 1 |
//! | `llm.exact/gate`, `llm.exact/up` | ffn x hidden | -s(hidden) |
//! | `llm.exact/down` | hidden x ffn | -s(ffn) |
//!
//! s(k) is half the number of binary digits of k, rounded down: sums of k products keep the size of their factors. The table
//! `llm.exact/turns`, tokens x width, is no stream; see [`turns`].
//!
//! # Block
//!
//! `A * B` is the product of [`gemm`](super::gemm): A\[i\]\[k\] * B\[j\]\[k\], added from +0 in ascending order of k.
//!
//! 1. h = norm(x, attention_norm), where norm(x, g)\[i\]: t = trim(x\[i\]); m = tree_sum(t t) * reciprocal(hidden) + 1e-5;
//!    trim((t * rsqrt(m)) * g).
//! 2. z = h * qkv, trimmed. Each pair of neighbours (a, b) of a head of queries or of keys becomes (trim(a c - b s),
//!    trim(a s + b c)) with the cosine c and the sine s of its token and place in the head; queries are then multiplied by
//!    rsqrt(width) and trimmed again.
//! 3. For each head and token i: s\[j\] = query i times key j of the head's group (head over heads / kv, rounded down) for
//!    j = 0 .. i, added from +0 over ascending elements; e\[j\] = exp(s\[j\] - the largest s); p\[j\] = trim(e\[j\] *
//!    reciprocal(tree_sum(e))); the head's output is the sum of p\[j\] * value j from +0 over ascending j, trimmed.
//! 4. x2 = x + heads * out.
//! 5. h2 = norm(x2, ffn_norm); f = trim(silu(h2 * gate) * trim(h2 * up)).
//! 6. y = x2 + f * down is the output, tokens x hidden, little-endian.
//!
//! # Why no device meets a subnormal, or a sign of zero
//!
//! `trim` makes +0 of whatever is below 2^-48. Factors are trimmed, or at least 2^-34 (weights), or zero: products are
//! multiples of 2^-119, and so are all sums of them, so nothing is subnormal, and devices that flush or keep subnormals
//! agree. A sum that starts at +0 is never -0, nor is x, so the output has no -0.

pub mod math;
#[cfg(test)]
mod plain;
mod shape;
mod tensors;
pub mod turns;

use std::ops::Range;

use super::gemm::{element, gemm_f32_exact};
use math::{exp, reciprocal, rsqrt, silu, tree_sum, trim};
pub use shape::Shape;
pub use tensors::{NORM_SCALE, SCORE_SCALE, Tensors, scale};

/// Added to the mean of squares, as in Llama 3.
pub const EPSILON: f32 = 1e-5;

/// Keys and values of every token, tokens x (kv width).
pub struct Cache {
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// A block and what it reads.
pub struct Block<'a> {
    pub shape: Shape,
    pub tensors: Tensors<'a>,
}

impl Block<'_> {
    /// The whole output.
    pub fn output(&self) -> Vec<f32> {
        self.rows(&self.cache(), 0..self.shape.tokens)
    }

    /// What tokens see of those before them.
    pub fn cache(&self) -> Cache {
        let Shape { tokens, hidden, .. } = self.shape;
        let x = normalized(&self.tensors.x, &self.tensors.attention_norm);
        let (_, weights) = self.tensors.qkv.split_at(self.shape.queries() * hidden);
        let (keys, values) = weights.split_at(self.shape.keys() * hidden);
        let product = |weights| trimmed(gemm_f32_exact(&x, weights, tokens, self.shape.keys(), hidden));
        let mut keys = product(keys);
        self.turn(&mut keys, self.shape.keys(), 0);
        Cache {
            keys,
            values: product(values),
        }
    }

    /// Rows of the output. Each depends on the cache and on its own token alone.
    pub fn rows(&self, cache: &Cache, tokens: Range<usize>) -> Vec<f32> {
        let Shape { hidden, ffn, .. } = self.shape;
        let (count, queries) = (tokens.len(), self.shape.queries());
        let x = &self.tensors.x[tokens.start * hidden..tokens.end * hidden];
        let h = normalized(x, &self.tensors.attention_norm);
        let weights = &self.tensors.qkv[..queries * hidden];
        let mut q = trimmed(gemm_f32_exact(&h, weights, count, queries, hidden));
        self.turn(&mut q, queries, tokens.start);
        let factor = rsqrt(self.shape.width as f32);
        q.iter_mut().for_each(|value| *value = trim(*value * factor));
        let rows = q.chunks_exact(queries).zip(tokens);
        let attended: Vec<f32> = rows.flat_map(|(q, token)| self.attend(cache, q, token)).collect();
        let x = sum(
            x,
            &gemm_f32_exact(&attended, &self.tensors.out, count, hidden, queries),
        );
        let h = normalized(&x, &self.tensors.ffn_norm);
        let [gate, up] = [&self.tensors.gate, &self.tensors.up]
            .map(|weights| gemm_f32_exact(&h, weights, count, ffn, hidden));
        let pairs = gate.iter().zip(&up);
        let f: Vec<f32> = pairs.map(|(&gate, &up)| trim(silu(gate) * trim(up))).collect();
        sum(&x, &gemm_f32_exact(&f, &self.tensors.down, count, hidden, ffn))
    }

    /// Turns the pairs of rows of heads, each of `elements`, the first of token `first`.
    fn turn(&self, rows: &mut [f32], elements: usize, first: usize) {
        let tokens = self.tensors.turns.chunks_exact(self.shape.width).skip(first);
        for (row, turns) in rows.chunks_exact_mut(elements).zip(tokens) {
            let turns = turns.as_chunks().0.iter().cycle();
            for (pair, [cos, sin]) in row.as_chunks_mut().0.iter_mut().zip(turns) {
                let [a, b] = *pair;
                *pair = [trim(a * cos + -(b * sin)), trim(a * sin + b * cos)];
            }
        }
    }

    /// What the heads of one token take from the values.
    fn attend(&self, cache: &Cache, q: &[f32], token: usize) -> Vec<f32> {
        let Shape { heads, kv, width, .. } = self.shape;
        let mut output = vec![0.0; heads * width];
        let pairs = q.chunks_exact(width).zip(output.chunks_exact_mut(width));
        for (head, (q, output)) in pairs.enumerate() {
            let first = head / (heads / kv) * width;
            let seen = |rows: &'_ [f32]| -> Vec<Range<usize>> {
                let starts = (0..rows.len()).step_by(kv * width).take(token + 1);
                starts.map(|start| start + first..start + first + width).collect()
            };
            let keys = seen(&cache.keys).into_iter().map(|key| &cache.keys[key]);
            let scores: Vec<f32> = keys.map(|key| element(q, key)).collect();
            let values = seen(&cache.values).into_iter().map(|value| &cache.values[value]);
            for (share, value) in shares(&scores).into_iter().zip(values) {
                for (sum, value) in output.iter_mut().zip(value) {
                    *sum += share * value;
                }
            }
        }
        trimmed(output)
    }
}

/// Each score's share of the attention.
fn shares(scores: &[f32]) -> Vec<f32> {
    let largest = scores.iter().fold(
        f32::NEG_INFINITY,
        |largest, &score| if score > largest { score } else { largest },
    );
    let powers: Vec<f32> = scores.iter().map(|score| exp(score + -largest)).collect();
    let factor = reciprocal(tree_sum(powers.iter().copied()));
    powers.into_iter().map(|power| trim(power * factor)).collect()
}

/// `norm` of rows as long as `weights`.
fn normalized(rows: &[f32], weights: &[f32]) -> Vec<f32> {
    let share = reciprocal(weights.len() as f32);
    let row = |row: &[f32]| {
        let squares = row.iter().map(|&x| trim(x) * trim(x));
        let factor = rsqrt(tree_sum(squares) * share + EPSILON);
        let scaled = row.iter().zip(weights);
        scaled
            .map(|(&x, weight)| trim(trim(x) * factor * weight))
            .collect::<Vec<f32>>()
    };
    rows.chunks_exact(weights.len()).flat_map(row).collect()
}

fn trimmed(mut values: Vec<f32>) -> Vec<f32> {
    values.iter_mut().for_each(|value| *value = trim(*value));
    values
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

#[cfg(test)]
mod tests {
    use super::shape::SHAPE;
    use super::*;
    use crate::exact::PUBLIC_SEED;

    fn block(shape: Shape) -> Block<'static> {
        let tensors = Tensors::draw(&PUBLIC_SEED, shape);
        Block { shape, tensors }
    }

    #[test]
    fn rows_are_the_same_in_any_parts() {
        let block = block(SHAPE);
        let (whole, cache) = (block.output(), block.cache());
        for cuts in [vec![0, 13], vec![0, 1, 2, 9, 13]] {
            let parts: Vec<f32> = cuts
                .windows(2)
                .flat_map(|cut| block.rows(&cache, cut[0]..cut[1]))
                .collect();
            assert_eq!(parts, whole, "{cuts:?}");
        }
    }

    #[test]
    fn the_block_is_llamas() {
        let block = block(SHAPE);
        let want = plain::output(&block);
        let got = block.output();
        let worst = got
            .iter()
            .zip(&want)
            .map(|(&got, want)| (f64::from(got) - want).abs())
            .fold(0.0, f64::max);
        let size = (want.iter().map(|y| y * y).sum::<f64>() / want.len() as f64).sqrt();
        assert!(size > 0.3 && size < 3.0, "outputs of size {size}");
        assert!(worst < 5e-6, "{worst:e}");
    }
}
