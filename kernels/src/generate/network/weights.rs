//! Inputs of the network: its tensors by the names that transformers gives them, and what else its stages take.

use super::super::config::Config;
use super::super::inputs::{Inputs, Matrix, Product};
use super::super::{Request, Weights};
use super::{Network, PAGE};
use crate::llama::Model;
use crate::workload::Slot;

/// Inputs that no layer has.
pub(super) struct Fixed {
    pub(super) embedding: Slot,
    pub(super) norm: Slot,
    pub(super) logits: Product,
    pub(super) prompt: Slot,
    /// Index of the prompt's last token.
    pub(super) last: Slot,
    /// Cosines and sines of every position.
    pub(super) table: Slot,
    /// Pages in their order.
    pub(super) pages: Slot,
    /// What sampling takes: one row's scale and its random word.
    pub(super) scale: Slot,
    pub(super) draw: Slot,
}

pub(super) struct Layer {
    pub(super) attention_norm: Slot,
    pub(super) query: Product,
    pub(super) key: Product,
    pub(super) value: Product,
    pub(super) out: Product,
    pub(super) ffn_norm: Slot,
    pub(super) gate: Product,
    pub(super) up: Product,
    pub(super) down: Product,
}

impl Fixed {
    pub(super) fn new(
        config: &Config,
        request: &Request,
        table: Vec<u8>,
        room: usize,
        inputs: &mut Inputs,
    ) -> Self {
        let Model { hidden, vocab, .. } = config.model;
        let embedding = Matrix::new("model.embed_tokens.weight", vocab, hidden);
        let slot = inputs.halves(embedding.clone());
        let logits = match (config.tied, request.weights) {
            // One matrix in memory serves both.
            (true, Weights::F16) => Product {
                weights: slot,
                scales: None,
            },
            (true, Weights::Q4) => inputs.product(embedding, Weights::Q4),
            (false, weights) => inputs.product(Matrix::new("lm_head.weight", vocab, hidden), weights),
        };
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let pages: Vec<u32> = (0..(room / PAGE) as u32).collect();
        Self {
            embedding: slot,
            norm: inputs.halves(Matrix::new("model.norm.weight", 1, hidden)),
            logits,
            prompt: inputs.bytes(words(&request.prompt)),
            last: inputs.bytes(words(&[request.prompt.len() as u32 - 1])),
            table: inputs.bytes(table),
            pages: inputs.bytes(words(&pages)),
            scale: inputs.bytes(1f32.to_le_bytes().to_vec()),
            draw: inputs.bytes(words(&[0])),
        }
    }
}

impl Layer {
    pub(super) fn new(model: Model, layer: usize, weights: Weights, inputs: &mut Inputs) -> Self {
        let Model {
            hidden, head, ffn, ..
        } = model;
        let (queries, keys) = (model.queries(), model.keys());
        let matrix = |name: &str, rows: usize, cols: usize| {
            Matrix::new(&format!("model.layers.{layer}.{name}.weight"), rows, cols)
        };
        let mut norm = |name: &str| inputs.halves(matrix(name, 1, hidden));
        let (attention_norm, ffn_norm) = (norm("input_layernorm"), norm("post_attention_layernorm"));
        let mut product = |matrix: Matrix| inputs.product(matrix, weights);
        Self {
            attention_norm,
            query: product(matrix("self_attn.q_proj", queries, hidden).turned(head)),
            key: product(matrix("self_attn.k_proj", keys, hidden).turned(head)),
            value: product(matrix("self_attn.v_proj", keys, hidden)),
            out: product(matrix("self_attn.o_proj", hidden, queries)),
            ffn_norm,
            gate: product(matrix("mlp.gate_proj", ffn, hidden)),
            up: product(matrix("mlp.up_proj", ffn, hidden)),
            down: product(matrix("mlp.down_proj", hidden, ffn)),
        }
    }
}

/// Every tensor of the network.
pub(in super::super) fn tensors(config: &Config) -> Vec<Matrix> {
    let request = Request {
        prompt: vec![0],
        tokens: 1,
        weights: Weights::F16,
    };
    let mut inputs = Inputs::default();
    Network::new(config, &request, &mut inputs);
    inputs.matrices().cloned().collect()
}
