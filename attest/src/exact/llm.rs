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
//! f32 streams ([`stream`]) times a power of two, which is exact; rows one after the other:
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
pub mod turns;

use std::borrow::Cow;
use std::ops::Range;

use super::gemm::{element, gemm_f32_exact};
use super::stream;
use crate::spec::Dims;
use math::{exp, reciprocal, rsqrt, silu, tree_sum, trim};

/// Added to the mean of squares, as in Llama 3.
pub const EPSILON: f32 = 1e-5;

/// Sizes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub tokens: usize,
    pub hidden: usize,
    pub heads: usize,
    pub kv: usize,
    pub width: usize,
    pub ffn: usize,
}

/// The largest of each size.
const MOST: usize = 1 << 20;

impl Shape {
    /// The sizes of a case, or what the definition excludes, in words.
    pub fn of(dims: &Dims) -> Result<Self, String> {
        let size = |name: &str| match dims.get(name).map(|&size| usize::try_from(size)) {
            Some(Ok(size)) if (1..=MOST).contains(&size) => Ok(size),
            Some(_) => Err(format!("{name} is not between 1 and {MOST}")),
            None => Err(format!("there is no {name}")),
        };
        let shape = Self {
            tokens: size("tokens")?,
            hidden: size("hidden")?,
            heads: size("heads")?,
            kv: size("kv")?,
            width: size("width")?,
            ffn: size("ffn")?,
        };
        if !shape.width.is_multiple_of(2) {
            return Err(format!("a head of {} elements is not made of pairs", shape.width));
        }
        if !shape.heads.is_multiple_of(shape.kv) {
            return Err(format!("{} heads do not share {} of keys", shape.heads, shape.kv));
        }
        let qkv = shape.heads + 2 * shape.kv;
        match size("qkv")? == qkv {
            true => Ok(shape),
            false => Err(format!("qkv is not heads + 2 kv, which is {qkv}")),
        }
    }

    /// Elements of all heads of queries.
    pub fn queries(&self) -> usize {
        self.heads * self.width
    }

    /// Elements of all heads of keys, and of values.
    pub fn keys(&self) -> usize {
        self.kv * self.width
    }

    /// Operations of recomputing a block: each product and its sum, and 32 for each exponential and what is around it.
    pub fn cost(&self) -> Option<u64> {
        let product = |factors: &[usize]| {
            let mut factors = factors.iter();
            factors.try_fold(1u64, |product, &factor| product.checked_mul(factor as u64))
        };
        let columns = 2 * self.queries() + 2 * self.keys() + 3 * self.ffn;
        let terms = [
            product(&[2, self.tokens, self.hidden, columns])?,
            product(&[2, self.tokens, self.tokens + 1, self.queries()])?,
            product(&[32, self.tokens, self.tokens, self.heads])?,
            product(&[32, self.tokens, self.ffn + self.hidden + self.width])?,
        ];
        terms.into_iter().try_fold(0u64, u64::checked_add)
    }
}

/// Everything a block reads.
pub struct Tensors<'a> {
    pub x: Cow<'a, [f32]>,
    pub attention_norm: Cow<'a, [f32]>,
    pub qkv: Cow<'a, [f32]>,
    pub turns: Cow<'a, [f32]>,
    pub out: Cow<'a, [f32]>,
    pub ffn_norm: Cow<'a, [f32]>,
    pub gate: Cow<'a, [f32]>,
    pub up: Cow<'a, [f32]>,
    pub down: Cow<'a, [f32]>,
}

/// What a stream of weights for sums of `k` products is multiplied by.
pub fn scale(k: usize) -> f32 {
    let digits = usize::BITS - k.leading_zeros();
    f32::from_bits((127 - digits / 2) << 23)
}

/// Norm weights are streams times this.
pub const NORM_SCALE: f32 = 2.0;

/// Rows of queries and of keys are this many times larger than [`scale`].
pub const SCORE_SCALE: f32 = 2.0;

impl Tensors<'static> {
    /// The tensors of a seed.
    pub fn draw(seed: &[u8; 32], shape: Shape) -> Self {
        let Shape {
            tokens, hidden, ffn, ..
        } = shape;
        let times = |name: &str, elements: usize, scale: f32| {
            let mut values = stream::f32s(seed, &format!("llm.exact/{name}"), elements);
            values.iter_mut().for_each(|value| *value *= scale);
            values
        };
        let mut qkv = times(
            "qkv",
            (shape.queries() + 2 * shape.keys()) * hidden,
            scale(hidden),
        );
        for value in &mut qkv[..(shape.queries() + shape.keys()) * hidden] {
            *value *= SCORE_SCALE;
        }
        Self {
            x: times("x", tokens * hidden, 1.0).into(),
            attention_norm: times("attention_norm", hidden, NORM_SCALE).into(),
            qkv: qkv.into(),
            turns: turns::table(tokens, shape.width).into(),
            out: times("out", hidden * shape.queries(), scale(shape.queries())).into(),
            ffn_norm: times("ffn_norm", hidden, NORM_SCALE).into(),
            gate: times("gate", ffn * hidden, scale(hidden)).into(),
            up: times("up", ffn * hidden, scale(hidden)).into(),
            down: times("down", hidden * ffn, scale(ffn)).into(),
        }
    }
}

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
    use super::*;
    use crate::exact::PUBLIC_SEED;

    fn dims(sizes: [u64; 7]) -> Dims {
        let names = ["tokens", "hidden", "heads", "kv", "width", "ffn", "qkv"];
        names.map(str::to_owned).into_iter().zip(sizes).collect()
    }

    const SHAPE: Shape = Shape {
        tokens: 13,
        hidden: 48,
        heads: 6,
        kv: 3,
        width: 10,
        ffn: 35,
    };

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

    /// The same block in f64 by division, roots and a library's functions.
    #[test]
    fn the_block_is_llamas() {
        let block = block(SHAPE);
        let Shape {
            tokens,
            hidden,
            heads,
            kv,
            width,
            ffn,
        } = SHAPE;
        let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&value| f64::from(value)).collect() };
        let product = |a: &[f64], b: &[f32], k: usize| -> Vec<f64> {
            let rows = a.chunks(k);
            let cell = |row: &[f64], column: &[f32]| -> f64 {
                row.iter().zip(column).map(|(a, &b)| a * f64::from(b)).sum()
            };
            rows.flat_map(|row| b.chunks(k).map(move |column| cell(row, column)))
                .collect()
        };
        let norm = |x: &[f64], weights: &[f32]| -> Vec<f64> {
            let row = |row: &[f64]| {
                let mean = row.iter().map(|x| x * x).sum::<f64>() / hidden as f64;
                let scaled = row.iter().zip(weights);
                scaled
                    .map(|(x, &weight)| x / (mean + 1e-5).sqrt() * f64::from(weight))
                    .collect::<Vec<f64>>()
            };
            x.chunks(hidden).flat_map(row).collect()
        };
        let t = &block.tensors;
        let x = wide(&t.x);
        let z = product(&norm(&x, &t.attention_norm), &t.qkv, hidden);
        let rows = (heads + 2 * kv) * width;
        let turned = |token: usize, head: usize| -> Vec<f64> {
            let head = &z[token * rows + head * width..][..width];
            let pair = |i: usize| {
                let angle = token as f64 * 500_000f64.powf(-2.0 * i as f64 / width as f64);
                let (a, b) = (head[2 * i], head[2 * i + 1]);
                [
                    a * angle.cos() - b * angle.sin(),
                    a * angle.sin() + b * angle.cos(),
                ]
            };
            (0..width / 2).flat_map(pair).collect()
        };
        let mut attended = vec![0.0; tokens * heads * width];
        for (token, head) in (0..tokens).flat_map(|token| (0..heads).map(move |head| (token, head))) {
            let group = head / (heads / kv);
            let q = turned(token, head);
            let score = |j: usize| -> f64 {
                let key = turned(j, heads + group);
                q.iter().zip(key).map(|(q, k)| q * k).sum::<f64>() / (width as f64).sqrt()
            };
            let powers: Vec<f64> = (0..=token).map(|j| score(j).exp()).collect();
            let total: f64 = powers.iter().sum();
            for (j, d) in (0..=token).flat_map(|j| (0..width).map(move |d| (j, d))) {
                let value = z[j * rows + (heads + kv + group) * width + d];
                attended[(token * heads + head) * width + d] += powers[j] / total * value;
            }
        }
        let plus = |a: Vec<f64>, b: Vec<f64>| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a + b).collect() };
        let x = plus(x, product(&attended, &t.out, heads * width));
        let h = norm(&x, &t.ffn_norm);
        let gate = product(&h, &t.gate, hidden);
        let up = product(&h, &t.up, hidden);
        let f: Vec<f64> = gate
            .iter()
            .zip(up)
            .map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up)
            .collect();
        let want = plus(x, product(&f, &t.down, ffn));
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

    #[test]
    fn sizes_that_are_no_block_are_refused_in_words() {
        let refusal = |sizes| Shape::of(&dims(sizes)).err();
        assert_eq!(refusal([13, 48, 6, 3, 10, 35, 12]), None);
        assert!(refusal([0, 48, 6, 3, 10, 35, 12]).is_some());
        assert!(refusal([13, 1 << 21, 6, 3, 10, 35, 12]).is_some());
        let odd = refusal([13, 48, 6, 3, 11, 35, 12]).expect("odd heads");
        assert_eq!(odd, "a head of 11 elements is not made of pairs");
        assert!(refusal([13, 48, 6, 4, 10, 35, 14]).is_some());
        assert!(refusal([13, 48, 6, 3, 10, 35, 11]).is_some());
        assert!(Shape::of(&Dims::new()).is_err());
    }

    #[test]
    fn the_largest_sizes_cost_more_than_can_be_counted_or_paid() {
        let most = MOST as u64;
        let shape = Shape::of(&dims([most, most, most, 1, most, most, most + 2]));
        assert!(shape.is_err(), "qkv is past the limit");
        let shape = Shape::of(&dims([most, most, most / 2, 1, most, most, most / 2 + 2])).expect("sizes");
        assert_eq!(shape.cost(), None);
        assert!(SHAPE.cost().expect("small") > 2 * 13 * 48 * (2 * 60 + 60 + 3 * 35));
    }

    #[test]
    fn weights_shrink_with_the_root_of_their_count() {
        assert_eq!(
            [1, 64, 4096, 14_336].map(scale),
            [1.0, 0.125, 1.0 / 64.0, 1.0 / 128.0]
        );
        let tensors = Tensors::draw(&[7; 32], SHAPE);
        let raw = stream::f32s(&[7; 32], "llm.exact/qkv", tensors.qkv.len());
        assert_eq!(tensors.qkv[0], raw[0] * 0.25);
        assert_eq!(tensors.qkv[tensors.qkv.len() - 1], raw[raw.len() - 1] * 0.125);
    }
}
