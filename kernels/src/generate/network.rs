//! The network as stages: a prompt all at once, then token after token, each over the keys and values of those before it.
//!
//! A prompt runs as `llm.prefill` does and a token as `llm.decode`; products are `gemm.f16` and `gemv.f16`, or with 4-bit weights
//! `gemm.q4` and `gemv.q4`. What the tokens leave stays in the device's memory: the id that the largest logit picks is the next
//! one's input.

mod prompt;
mod token;
mod weights;

use super::config::Config;
use super::inputs::Inputs;
use super::steps::PLACE;
use super::{Request, Weights};
use crate::gemv_q4::abreast::apart;
use crate::llama::Model;
use crate::program::Program;
use crate::stages::{Op, Stage};
use crate::workload::Slot;
use crate::{attention_decode_f16, embedding_gather_f16, rmsnorm_f16, rope_f16, sampling_topk, swiglu_f16};
use crate::{narrow, quantize, residual};
pub(super) use weights::tensors;
use weights::{Fixed, Layer};

pub(super) const LOGITS: usize = 0;
pub(super) const PICKED: usize = 1;

/// Places in scratch: the trunk before and after attention, what a norm gives, queries and keys before they are turned,
/// queries, what attention gives, a branch, gate and up and their product; what products take (integers and scales) and give
/// (sums in f32); of a single token queries and keys unturned, gate and up beside each other, new keys and values of all
/// layers; what sampling draws; the position and its turns; keys and values.
const TRUNK: Slot = Slot::Scratch(0);
const MIDDLE: Slot = Slot::Scratch(1);
const NORMED: Slot = Slot::Scratch(2);
const Q: Slot = Slot::Scratch(3);
const K: Slot = Slot::Scratch(4);
const Q_TURNED: Slot = Slot::Scratch(5);
const ATTENDED: Slot = Slot::Scratch(6);
const BRANCH: Slot = Slot::Scratch(7);
const GATES: Slot = Slot::Scratch(8);
const UPS: Slot = Slot::Scratch(9);
const GATED: Slot = Slot::Scratch(10);
const INTEGERS: Slot = Slot::Scratch(11);
const SCALES: Slot = Slot::Scratch(12);
const SUMS: Slot = Slot::Scratch(13);
const UNTURNED: Slot = Slot::Scratch(14);
const GATES_UPS: Slot = Slot::Scratch(15);
const NEW_KEYS: Slot = Slot::Scratch(16);
const NEW_VALUES: Slot = Slot::Scratch(17);
const DRAWN: Slot = Slot::Scratch(18);
const POSITION: Slot = Slot::Scratch(19);
const TURNS: Slot = Slot::Scratch(20);
const KEYS: Slot = Slot::Scratch(21);
const VALUES: Slot = Slot::Scratch(22);

const HALF: usize = 2;
const SINGLE: usize = 4;

const BLOCK: usize = quantize::BLOCK;
const PAGE: usize = attention_decode_f16::PAGE;

struct Network<'a> {
    model: Model,
    request: &'a Request,
    epsilon: f32,
    /// Tokens for which there are keys and values, in whole pages.
    room: usize,
    fixed: Fixed,
    layers: Vec<Layer>,
}

/// Why no kernel runs such a network, in words.
fn refusal(model: Model, weights: Weights) -> Option<String> {
    let multiple = match weights {
        Weights::F16 => 8,
        Weights::Q4 => BLOCK,
    };
    let sizes = [
        ("hidden_size", model.hidden),
        ("intermediate_size", model.ffn),
        ("num_attention_heads * head_dim", model.queries()),
    ];
    let odd = { sizes.into_iter() }.find(|(_, size)| !size.is_multiple_of(multiple));
    odd.map(|(name, size)| {
        format!(
            "{name} of {size} is no multiple of the {multiple} weights that kernels with {} weights take at once",
            weights.as_str()
        )
    })
}

/// Phases: the prompt, a token.
pub(super) fn program(config: &Config, request: &Request) -> Result<(Program, Inputs), String> {
    if let Some(reason) = refusal(config.model, request.weights) {
        return Err(reason);
    }
    let mut inputs = Inputs::default();
    let network = Network::new(config, request, &mut inputs);
    let phases = vec![network.prompt(), network.token()];
    let outputs = vec![(SINGLE * config.model.vocab) as u64, SINGLE as u64];
    let program = Program::new(inputs.sizes.clone(), outputs, &network.scratch(), phases)?;
    Ok((program, inputs))
}

impl<'a> Network<'a> {
    fn new(config: &Config, request: &'a Request, inputs: &mut Inputs) -> Self {
        let model = config.model;
        let room = (request.prompt.len() + request.tokens).next_multiple_of(PAGE);
        let table = rope_f16::table(room, &config.steps());
        let fixed = Fixed::new(config, request, table, room, inputs);
        let layers = (0..model.layers).map(|layer| Layer::new(model, layer, request.weights, inputs));
        Self {
            model,
            request,
            epsilon: config.epsilon,
            room,
            fixed,
            layers: layers.collect(),
        }
    }

    fn scratch(&self) -> Vec<u64> {
        let Model {
            layers, hidden, ffn, ..
        } = self.model;
        let (rows, queries, keys) = (self.request.prompt.len(), self.model.queries(), self.model.keys());
        let widest = hidden.max(queries).max(ffn);
        // With f16 weights only a token's products leave sums in f32.
        let sums_rows = match self.request.weights {
            Weights::F16 => 1,
            Weights::Q4 => rows,
        };
        let cache = HALF * layers * self.room * keys;
        let bytes = [
            HALF * rows * hidden,
            HALF * rows * hidden,
            HALF * rows * hidden,
            HALF * rows * queries,
            HALF * rows * keys,
            HALF * rows * queries,
            HALF * rows * queries,
            HALF * rows * hidden,
            HALF * rows * ffn,
            HALF * rows * ffn,
            HALF * rows * ffn,
            sums_rows * widest,
            HALF * sums_rows * widest.div_ceil(BLOCK),
            SINGLE
                * (sums_rows * widest)
                    .max(apart(queries) + 2 * apart(keys))
                    .max(2 * apart(ffn)),
            HALF * (apart(queries) + apart(keys)),
            HALF * 2 * apart(ffn),
            HALF * layers * apart(keys),
            HALF * layers * apart(keys),
            SINGLE,
            SINGLE,
            SINGLE * self.model.head,
            cache,
            cache,
        ];
        bytes.map(|bytes| bytes as u64).to_vec()
    }

    /// From the last row of the trunk to the id of the largest logit.
    fn end(&self, trunk: Slot) -> Vec<Stage> {
        let Model { hidden, vocab, .. } = self.model;
        let mut stages = vec![self.norm(1, self.fixed.norm, trunk)];
        stages.extend(self.rounded(NORMED, hidden));
        let logits = Slot::Output(LOGITS);
        stages.extend(self.products(&[(self.fixed.logits, vocab)], hidden, NORMED, logits));
        let topk = Op::of(&sampling_topk::WORKLOAD);
        let inputs = [logits, self.fixed.scale, self.fixed.draw];
        let sizes = [("rows", 1), ("vocabulary", vocab), ("k", 1)];
        stages.push(Stage::new(topk, &sizes, &inputs, &[Slot::Output(PICKED), DRAWN]));
        stages
    }

    fn embed(&self, tokens: usize, ids: Slot) -> Stage {
        let Model { hidden, vocab, .. } = self.model;
        let sizes = [("vocabulary", vocab), ("cols", hidden), ("tokens", tokens)];
        let inputs = [self.fixed.embedding, ids];
        Stage::of(
            &embedding_gather_f16::WORKLOAD,
            &sizes,
            &inputs,
            self.trunk(TRUNK, tokens),
        )
    }

    fn norm(&self, tokens: usize, weights: Slot, x: Slot) -> Stage {
        let epsilon = self.epsilon.to_bits() as usize;
        let sizes = [
            ("rows", tokens),
            ("cols", self.model.hidden),
            ("epsilon", epsilon),
        ];
        let inputs = [self.trunk(x, tokens), weights];
        Stage::of(
            &rmsnorm_f16::WORKLOAD,
            &sizes,
            &inputs,
            self.trunk(NORMED, tokens),
        )
    }

    fn join(&self, tokens: usize, trunk: Slot, sum: Slot) -> Stage {
        let [trunk, branch, sum] = [trunk, BRANCH, sum].map(|slot| self.trunk(slot, tokens));
        Stage::new(
            residual::OP,
            &[("n", tokens * self.model.hidden)],
            &[trunk, branch],
            &[sum],
        )
    }

    fn gated(&self, tokens: usize, gates: Slot, ups: Slot) -> Stage {
        let ffn = self.model.ffn;
        let sizes = [("rows", tokens), ("cols", ffn)];
        let gated = GATED.elements(0, tokens * ffn, HALF);
        Stage::of(&swiglu_f16::WORKLOAD, &sizes, &[gates, ups], gated)
    }

    /// Rows of the trunk's width.
    fn trunk(&self, slot: Slot, tokens: usize) -> Slot {
        slot.elements(0, tokens * self.model.hidden, HALF)
    }

    /// What products with 4-bit weights take of `x`.
    fn rounded(&self, x: Slot, elements: usize) -> Option<Stage> {
        let round = || {
            let x = x.elements(0, elements, HALF);
            let sizes = [("blocks", elements / BLOCK)];
            Stage::new(quantize::OP, &sizes, &[x], &integers(elements))
        };
        (self.request.weights == Weights::Q4).then(round)
    }

    fn place(&self, begin: usize) -> Stage {
        let sizes = [("begin", begin), ("width", self.model.head), ("rows", self.room)];
        Stage::new(PLACE, &sizes, &[self.fixed.table], &[POSITION, TURNS])
    }
}

/// Integers and scales of activations.
fn integers(elements: usize) -> [Slot; 2] {
    [
        INTEGERS.elements(0, elements, 1),
        SCALES.elements(0, elements / BLOCK, HALF),
    ]
}

fn narrowed(sums: Slot, elements: usize, y: Slot) -> Stage {
    let y = y.elements(0, elements, HALF);
    Stage::new(narrow::OP, &[("n", elements)], &[sums], &[y])
}
