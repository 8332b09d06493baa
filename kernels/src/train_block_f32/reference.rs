//! The authority for `train.block.f32.v1`: the whole block in f64.
//!
//! Its gradients are compared with finite differences of its output below.

pub(crate) mod block;
pub(crate) mod matrix;

use attest::spec::Dims;

use super::{Sizes, turn};
use crate::elements::f32s;

pub(super) fn outputs(dims: &Dims, inputs: &[&[u8]]) -> Vec<Vec<f64>> {
    let sizes = Sizes::of(dims);
    let wide = |input: &&[u8]| f32s(input, 0..input.len() / 4).map(f64::from).collect();
    let mut inputs: Vec<Vec<f64>> = inputs.iter().map(wide).collect();
    inputs[2] = table(sizes);
    block::run(sizes, &inputs)
}

/// Angles from the position, not from the table.
pub(crate) fn table(sizes: Sizes) -> Vec<f64> {
    let width = sizes.width;
    let pairs = (0..sizes.tokens).flat_map(|token| (0..width / 2).map(move |pair| turn(token, pair, width)));
    pairs.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(count: usize, salt: usize) -> Vec<f64> {
        let value = |i: usize| ((i + 1) * (7919 + 104_729 * salt) % 2003) as f64 / 1001.0 - 1.0;
        (0..count).map(value).collect()
    }

    /// Every gradient against central differences of the sum of y dy, whose error is of the order of the step's square.
    #[test]
    fn gradients_are_the_differences_of_the_output() {
        const STEP: f64 = 1e-5;
        let sizes = Sizes {
            tokens: 5,
            hidden: 6,
            heads: 4,
            kvheads: 2,
            width: 4,
            inner: 7,
        };
        let (query, key) = (sizes.heads * sizes.width, sizes.kvheads * sizes.width);
        let (rows, hidden, inner) = (sizes.tokens * sizes.hidden, sizes.hidden, sizes.inner);
        let counts = [
            rows,
            rows,
            0,
            hidden,
            query * hidden,
            key * hidden,
            key * hidden,
            hidden * query,
            hidden,
            inner * hidden,
            inner * hidden,
            hidden * inner,
        ];
        let mut inputs: Vec<Vec<f64>> = counts
            .iter()
            .enumerate()
            .map(|(salt, &count)| drawn(count, salt))
            .collect();
        inputs[2] = table(sizes);
        let outputs = block::run(sizes, &inputs);
        let objective = |inputs: &[Vec<f64>]| -> f64 {
            let y = &block::run(sizes, inputs)[0];
            y.iter().zip(&inputs[1]).map(|(y, dy)| y * dy).sum()
        };
        for (input, gradient) in [(0, 1)]
            .into_iter()
            .chain((3..12).map(|input| (input, input - 1)))
        {
            assert_eq!(outputs[gradient].len(), inputs[input].len());
            for element in 0..inputs[input].len() {
                let mut moved = |step: f64| {
                    let before = inputs[input][element];
                    inputs[input][element] = before + step;
                    let value = objective(&inputs);
                    inputs[input][element] = before;
                    value
                };
                let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                let got = outputs[gradient][element];
                assert!(
                    (got - slope).abs() < 1e-6 * (1.0 + slope.abs()),
                    "input {input}, element {element}: {got}, slope {slope}"
                );
            }
        }
    }
}
