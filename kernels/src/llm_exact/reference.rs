//! The authority for `llm.exact.v1`: the block of [`attest::exact::llm`].

use std::borrow::Cow;

use attest::exact::llm::{Block, Shape, Tensors};
use attest::spec::Dims;
use rayon::prelude::*;

use crate::elements::f32s;

pub(super) fn outputs(dims: &Dims, inputs: &[&[u8]]) -> Vec<Vec<f64>> {
    let output = computed(dims, inputs);
    vec![output.into_iter().map(f64::from).collect()]
}

fn computed(dims: &Dims, inputs: &[&[u8]]) -> Vec<f32> {
    let shape = Shape::of(dims).expect("sizes within the limits");
    let input = |index: usize| values(inputs[index]);
    let tensors = Tensors {
        x: input(0),
        attention_norm: input(1),
        qkv: input(2),
        turns: input(3),
        out: input(4),
        ffn_norm: input(5),
        gate: input(6),
        up: input(7),
        down: input(8),
    };
    let block = Block { shape, tensors };
    let cache = block.cache();
    let part = shape.tokens.div_ceil(rayon::current_num_threads());
    let starts = (0..shape.tokens).into_par_iter().step_by(part);
    starts
        .flat_map_iter(|start| block.rows(&cache, start..shape.tokens.min(start + part)))
        .collect()
}

fn values(bytes: &[u8]) -> Cow<'_, [f32]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(values) => values.into(),
        Err(_) => f32s(bytes, 0..bytes.len() / 4).collect::<Vec<f32>>().into(),
    }
}
