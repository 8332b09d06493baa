//! The authority for `llm.prefill.v1`: [`Weights::logits`].

use attest::spec::Dims;

use super::stages::{IDS, TURNS};
use crate::elements::{f32s, u32s};
use crate::llama::{Model, Weights};
use crate::workload::dim;

pub(super) fn outputs(dims: &Dims, inputs: &[&[u8]]) -> Vec<Vec<f64>> {
    let (model, tokens) = (Model::of(dims), dim(dims, "tokens"));
    let ids: Vec<u32> = u32s(inputs[IDS], 0..tokens).collect();
    let turns: Vec<f32> = f32s(inputs[TURNS], 0..tokens * model.head).collect();
    let weights: Vec<&[u8]> = { inputs.iter().enumerate() }
        .filter_map(|(index, input)| (index != IDS && index != TURNS).then_some(*input))
        .collect();
    vec![Weights::new(model, &weights, &turns).logits(&ids)]
}
