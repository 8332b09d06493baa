//! The step as stages.

use attest::spec::Dims;

use super::embedding::EMBEDDING_BACK;
use super::loss::LOSS;
use super::{GROUPS, Network, STATES};
use crate::matmul::Order::{AcrossK, AlongK};
use crate::matmul::Product;
use crate::stages::{Last, Op, Sequence, Stage};
use crate::train_block_f32::stages::{Block, norm, norm_back, norm_weight};
use crate::train_block_f32::{BUFFERS, scratch};
use crate::workload::{Plan, Slot, Target};
use crate::{adamw_f32, embedding_gather_f16};

/// Inputs by their place in the specification; states of each group follow.
pub(super) const IDS: usize = 0;
pub(super) const LABELS: usize = 1;
pub(super) const TABLE: usize = 2;
pub(super) const FIRST_STATE: usize = 3;

/// Groups of weights by their place.
pub(super) const EMBEDDING: usize = 0;
pub(super) const STACK: usize = 1;
pub(super) const NORM: usize = 2;
pub(super) const LOGITS: usize = 3;

/// Behind the buffers of the blocks: what stands before and after each block, and the gradient of that; the norm after the
/// last with its scales and its gradient; logits, then their gradient; gradients of a block's weights, of the norm's, of the
/// embedding's or the logits'.
const TRUNK: Slot = Slot::Scratch(BUFFERS);
const DTRUNK: Slot = Slot::Scratch(BUFFERS + 1);
const NORMAL: Slot = Slot::Scratch(BUFFERS + 2);
const SCALE: Slot = Slot::Scratch(BUFFERS + 3);
const DNORMAL: Slot = Slot::Scratch(BUFFERS + 4);
const SCORES: Slot = Slot::Scratch(BUFFERS + 5);
const DBLOCK: Slot = Slot::Scratch(BUFFERS + 6);
const DNORM: Slot = Slot::Scratch(BUFFERS + 7);
const DTABLE: Slot = Slot::Scratch(BUFFERS + 8);

const FLOAT: u64 = size_of::<f32>() as u64;

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    sequence(dims).plan(target)
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    static LAST: Last = Last::none();
    LAST.of(dims, sequence).run(inputs, outputs);
}

fn sequence(dims: &Dims) -> Sequence {
    let network = Network::of(dims);
    Sequence::new(
        network.stages(),
        network.scratch(),
        1 + GROUPS.len() * STATES.len(),
    )
}

/// The weights of a group.
fn weights(group: usize) -> Slot {
    Slot::Input(FIRST_STATE + STATES.len() * group)
}

impl Network {
    /// Bytes of what lies between inputs and outputs.
    fn scratch(self) -> Vec<u64> {
        let rows = self.block.tokens * self.block.hidden;
        let own = [
            (self.layers + 1) * rows,
            rows,
            rows,
            self.block.tokens,
            rows,
            self.block.tokens * self.vocab,
            self.weights_of_block(),
            self.block.hidden,
            self.table(),
        ];
        let own = own.map(|elements| FLOAT * elements as u64);
        scratch(self.block, self.layers).into_iter().chain(own).collect()
    }

    pub(super) fn stages(self) -> Vec<Stage> {
        let sizes = [
            ("vocabulary", self.vocab),
            // Rows are copied, whatever they hold: two halves for each float.
            ("cols", 2 * self.block.hidden),
            ("tokens", self.block.tokens),
        ];
        let from = [weights(EMBEDDING), Slot::Input(IDS)];
        let mut stages = vec![Stage::of(
            &embedding_gather_f16::WORKLOAD,
            &sizes,
            &from,
            self.trunk(0),
        )];
        let layers = || (0..self.layers).map(|layer| self.block_of(layer));
        stages.extend(layers().flat_map(Block::forward));
        stages.extend(self.head());
        for block in layers().rev() {
            stages.extend(block.backward());
            let part = |slot| self.of_layer(slot, block.layer);
            stages.push(updated(STACK, self.weights_of_block(), DBLOCK, part));
        }
        stages.extend(self.tail());
        stages
    }

    /// From the last block to the losses and back to it.
    fn head(self) -> Vec<Stage> {
        let (sizes, vocab) = (self.block, self.vocab);
        let (tokens, hidden) = (sizes.tokens, sizes.hidden);
        let last = self.trunk(self.layers);
        let (x, w) = ((NORMAL, AlongK), (weights(LOGITS), AlongK));
        let loss = [("rows", tokens), ("vocab", vocab)];
        let (dy_down, x_down) = ((SCORES, AcrossK), (NORMAL, AcrossK));
        let (dy, w_down) = ((SCORES, AlongK), (weights(LOGITS), AcrossK));
        vec![
            norm(sizes, last, weights(NORM), [NORMAL, SCALE]),
            Product::plain([tokens, vocab, hidden], x, w, SCORES).stage(),
            Stage::new(LOSS, &loss, &[Slot::Input(LABELS)], &[Slot::Output(0), SCORES]),
            Product::plain([vocab, hidden, tokens], dy_down, x_down, DTABLE).stage(),
            updated(LOGITS, self.table(), DTABLE, |slot| slot),
            Product::plain([tokens, hidden, vocab], dy, w_down, DNORMAL).stage(),
            norm_weight(sizes, [DNORMAL, last, SCALE], DNORM),
            updated(NORM, hidden, DNORM, |slot| slot),
            norm_back(sizes, &[DNORMAL, last, SCALE, weights(NORM)], DTRUNK),
        ]
    }

    /// The embedding's gradient and update.
    fn tail(self) -> [Stage; 2] {
        let sizes = [
            ("tokens", self.block.tokens),
            ("cols", self.block.hidden),
            ("vocab", self.vocab),
        ];
        [
            Stage::new(EMBEDDING_BACK, &sizes, &[Slot::Input(IDS), DTRUNK], &[DTABLE]),
            updated(EMBEDDING, self.table(), DTABLE, |slot| slot),
        ]
    }

    fn block_of(self, layer: usize) -> Block {
        let of_block = |whole: Slot| {
            let mut first = 0;
            self.block.weights().map(|(elements, _)| {
                let bytes = FLOAT * elements as u64;
                first += bytes;
                whole.part(first - bytes, bytes)
            })
        };
        Block {
            sizes: self.block,
            layer,
            x: self.trunk(layer),
            y: self.trunk(layer + 1),
            dy: DTRUNK,
            dx: DTRUNK,
            table: Slot::Input(TABLE),
            weights: of_block(self.of_layer(weights(STACK), layer)),
            gradients: of_block(DBLOCK),
        }
    }

    /// What block `layer` takes.
    fn trunk(self, layer: usize) -> Slot {
        let bytes = FLOAT * (self.block.tokens * self.block.hidden) as u64;
        TRUNK.part(layer as u64 * bytes, bytes)
    }

    /// The share of a layer in the stack.
    fn of_layer(self, stack: Slot, layer: usize) -> Slot {
        let bytes = FLOAT * self.weights_of_block() as u64;
        stack.part(layer as u64 * bytes, bytes)
    }
}

/// AdamW on `n` weights of a group, which `part` chooses of each of its states.
fn updated(group: usize, n: usize, gradient: Slot, part: impl Fn(Slot) -> Slot) -> Stage {
    let first = STATES.len() * group;
    let [p, m, v] = [0, 1, 2].map(|state| part(Slot::Input(FIRST_STATE + first + state)));
    let outputs = [0, 1, 2].map(|state| part(Slot::Output(1 + first + state)));
    Stage::new(
        Op::of(&adamw_f32::WORKLOAD),
        &[("n", n)],
        &[p, gradient, m, v],
        &outputs,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::inputs::generate;
    use crate::workload::{CPU, bytes};

    const SEED: [u8; 32] = [5; 32];

    /// What the check says of outputs that these stages made.
    fn verdict(dims: &Dims, inputs: &[Vec<u8>], stages: Vec<Stage>) -> Result<(), String> {
        let workload = &super::super::WORKLOAD;
        let outputs = workload.spec.outputs.iter().map(|output| bytes(output, dims));
        let mut buffers: Vec<Vec<u8>> = outputs
            .chain(plan(dims, CPU).scratch)
            .map(|bytes| vec![0; bytes as usize])
            .collect();
        let sources: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let mut targets: Vec<&mut [u8]> = buffers.iter_mut().map(Vec::as_mut_slice).collect();
        let whole = sequence(dims);
        let count = whole.outputs;
        Sequence::new(stages, whole.scratch, count).run(&sources, &mut targets);
        buffers.truncate(count);
        let checked = check(workload, dims, inputs, &buffers, &SEED);
        checked.map(drop).map_err(|mismatch| mismatch.to_string())
    }

    fn case() -> (Dims, Vec<Vec<u8>>) {
        let dims = (super::super::WORKLOAD.odd_sizes)().swap_remove(1);
        let inputs = generate(&super::super::WORKLOAD, &dims, &SEED);
        (dims, inputs)
    }

    #[test]
    fn a_stage_left_out_is_noticed_whichever_it_is() {
        let (dims, inputs) = case();
        let network = Network::of(&dims);
        assert_eq!(verdict(&dims, &inputs, network.stages()), Ok(()));
        for index in 0..network.stages().len() {
            let mut stages = network.stages();
            stages.remove(index);
            assert!(verdict(&dims, &inputs, stages).is_err(), "without stage {index}");
        }
    }

    /// The branches that meet in a sum: forwards the trunk, backwards each path to an activation.
    #[test]
    fn a_term_left_out_of_a_sum_is_noticed() {
        let (dims, inputs) = case();
        let network = Network::of(&dims);
        let mut terms = 0;
        for index in 0..network.stages().len() {
            let mut stages = network.stages();
            let stage = &mut stages[index];
            if stage.dims.get("added") != Some(&1) {
                continue;
            }
            terms += 1;
            stage.dims.insert("added".to_owned(), 0);
            assert!(
                verdict(&dims, &inputs, stages).is_err(),
                "without the term of stage {index}"
            );
        }
        assert_eq!(terms, network.layers * 7);
    }

    #[test]
    fn weights_of_another_layer_are_noticed_wherever_they_are_used() {
        let (dims, inputs) = case();
        let network = Network::of(&dims);
        let other = |slot: &Slot| {
            let (whole, at, bytes) = slot.stretch();
            let layer = FLOAT * network.weights_of_block() as u64;
            let stack = weights(STACK);
            (whole == stack.stretch().0)
                .then(|| stack.part((at + layer) % (2 * layer), bytes.expect("a part")))
        };
        let mut used = 0;
        for index in 0..network.stages().len() {
            let mut stages = network.stages();
            let inputs_of = &mut stages[index].inputs;
            let Some((place, wrong)) =
                { inputs_of.iter().enumerate() }.find_map(|(place, slot)| Some((place, other(slot)?)))
            else {
                continue;
            };
            used += 1;
            inputs_of[place] = wrong;
            assert!(verdict(&dims, &inputs, stages).is_err(), "stage {index}");
        }
        // Nine forwards, nine backwards and one update of each layer.
        assert_eq!(used, network.layers * 19);
    }
}
