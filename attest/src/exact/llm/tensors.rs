//! What a block reads, and how it is drawn.

use std::borrow::Cow;

use super::super::stream;
use super::{Shape, turns};

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

#[cfg(test)]
mod tests {
    use super::super::shape::SHAPE;
    use super::*;

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
