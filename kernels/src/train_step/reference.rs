//! The authority for `train.step.v1` in f64.
//!
//! Its gradients are compared with finite differences of the losses below, and with PyTorch in the tests of this crate.

use attest::spec::Dims;

use super::stages::{EMBEDDING, FIRST_STATE, IDS, LABELS, LOGITS, NORM, STACK};
use super::{GROUPS, Network, STATES};
use crate::adamw_f32::reference::step as adamw;
use crate::elements::{f32s, u32s};
use crate::train_block_f32::reference::block::{Pass, norm, norm_back};
use crate::train_block_f32::reference::matrix::Matrix;
use crate::train_block_f32::reference::table;

pub(super) fn outputs(dims: &Dims, inputs: &[&[u8]]) -> Vec<Vec<f64>> {
    let words = |input: usize| {
        let bytes = inputs[input];
        u32s(bytes, 0..bytes.len() / 4)
            .map(|word| word as usize)
            .collect()
    };
    let floats = |input: usize| f32s(inputs[input], 0..inputs[input].len() / 4).map(f64::from);
    let state = |group: usize, state: usize| FIRST_STATE + STATES.len() * group + state;
    let step = Step {
        network: Network::of(dims),
        ids: words(IDS),
        labels: words(LABELS),
        weights: [0, 1, 2, 3].map(|group| floats(state(group, 0)).collect()),
    };
    let (losses, gradients) = step.losses_and_gradients();
    // Large cases have billions of weights.
    drop(step);
    let mut outputs = vec![losses];
    for (group, gradient) in gradients.into_iter().enumerate() {
        let mut updated = STATES.map(|_| Vec::with_capacity(gradient.len()));
        let [p, m, v] = [0, 1, 2].map(|index| floats(state(group, index)));
        for ((g, p), (m, v)) in gradient.into_iter().zip(p).zip(m.zip(v)) {
            let states = adamw([p, g, m, v]);
            updated
                .iter_mut()
                .zip(states)
                .for_each(|(all, state)| all.push(state));
        }
        outputs.extend(updated);
    }
    outputs
}

struct Step {
    network: Network,
    ids: Vec<usize>,
    labels: Vec<usize>,
    weights: [Vec<f64>; GROUPS.len()],
}

impl Step {
    /// The loss of each token, and the gradients of their sum by groups.
    fn losses_and_gradients(&self) -> (Vec<f64>, [Vec<f64>; GROUPS.len()]) {
        let Network { layers, block, .. } = self.network;
        let hidden = block.hidden;
        let rows = self
            .ids
            .iter()
            .map(|id| &self.weights[EMBEDDING][id * hidden..][..hidden]);
        let table = Matrix::new(block.tokens, table(block));
        let mut x = Matrix::new(block.tokens, rows.flatten().copied().collect());
        let mut passes = Vec::with_capacity(layers);
        for layer in 0..layers {
            let pass = Pass::forward(block, x, &table, &self.weights_of(layer));
            x = pass.y.clone();
            passes.push(pass);
        }
        let normal = norm(&x, &self.weights[NORM]);
        let logits = Matrix::new(self.network.vocab, self.weights[LOGITS].clone());
        let (losses, dscores) = self.losses(&normal.times(&logits.transposed()));
        let dlogits = dscores.transposed().times(&normal).cells;
        let (mut dx, dnorm) = norm_back(&x, &self.weights[NORM], &dscores.times(&logits));
        let mut blocks = Vec::with_capacity(layers);
        for pass in passes.iter().rev() {
            let (before, gradients) = pass.backward(&dx);
            dx = before;
            blocks.push(gradients.concat());
        }
        blocks.reverse();
        let mut dembedding = vec![0.0; self.weights[EMBEDDING].len()];
        for (id, dx) in self.ids.iter().zip(dx.cells.chunks(hidden)) {
            let row = &mut dembedding[id * hidden..][..hidden];
            row.iter_mut().zip(dx).for_each(|(sum, dx)| *sum += dx);
        }
        (losses, [dembedding, blocks.concat(), dnorm, dlogits])
    }

    fn weights_of(&self, layer: usize) -> Vec<&[f64]> {
        let all = self.network.weights_of_block();
        let mut rest = &self.weights[STACK][layer * all..][..all];
        let weights = self.network.block.weights().map(|(elements, _)| {
            let (weight, after) = rest.split_at(elements);
            rest = after;
            weight
        });
        weights.to_vec()
    }

    /// Cross-entropies of rows of logits, and their gradients.
    fn losses(&self, logits: &Matrix) -> (Vec<f64>, Matrix) {
        let mut losses = Vec::with_capacity(logits.rows);
        let mut gradients = logits.clone();
        for (row, &label) in gradients.cells.chunks_mut(logits.cols).zip(&self.labels) {
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|x| (x - top).exp()).sum();
            losses.push(sum.ln() + top - row[label]);
            row.iter_mut().for_each(|x| *x = (*x - top).exp() / sum);
            row[label] -= 1.0;
        }
        (losses, gradients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train_block_f32::Sizes;

    fn drawn(count: usize, salt: usize) -> Vec<f64> {
        let value = |i: usize| ((i + 1) * (7919 + 104_729 * salt) % 2003) as f64 / 1001.0 - 1.0;
        (0..count).map(value).collect()
    }

    /// Every gradient against central differences of the sum of losses, whose error is of the order of the step's square.
    #[test]
    fn gradients_are_the_differences_of_the_losses() {
        const STEP: f64 = 1e-5;
        let block = Sizes {
            tokens: 5,
            hidden: 6,
            heads: 4,
            kvheads: 2,
            width: 2,
            inner: 3,
        };
        let network = Network {
            layers: 2,
            vocab: 7,
            block,
        };
        let mut salt = 0;
        let mut step = Step {
            network,
            ids: vec![3, 0, 3, 6, 1],
            labels: vec![0, 3, 6, 2, 2],
            weights: [
                network.table(),
                network.layers * network.weights_of_block(),
                block.hidden,
                network.table(),
            ]
            .map(|count| {
                salt += 1;
                drawn(count, salt)
            }),
        };
        let (_, gradients) = step.losses_and_gradients();
        for (group, gradient) in gradients.into_iter().enumerate() {
            assert_eq!(gradient.len(), step.weights[group].len());
            for (element, got) in gradient.into_iter().enumerate() {
                let mut moved = |by: f64| {
                    let before = step.weights[group][element];
                    step.weights[group][element] = before + by;
                    let losses: f64 = step.losses_and_gradients().0.iter().sum();
                    step.weights[group][element] = before;
                    losses
                };
                let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                assert!(
                    (got - slope).abs() < 1e-6 * (1.0 + slope.abs()),
                    "group {group}, element {element}: {got}, slope {slope}"
                );
            }
        }
    }
}
