//! Sampling from logits of which many are equal, more than a block of kernels ranks.

use attest::spec::Dims;
use kernels::catalogue::find;
use kernels::inputs;
use kernels::workload::{Workload, dim};

use crate::harness::{devices, dims, expect_right, fresh_seed};

fn sampling() -> &'static Workload {
    find("sampling.topk.v1").expect("in the catalogue")
}

/// The case's inputs with logits of `LEVELS` values at scattered columns; zeros have either sign.
fn tied<const LEVELS: u32>(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let logit = |index: u32| {
        let level = (index.wrapping_mul(0x9E37_79B9) >> 8) % LEVELS;
        let sign = if index % 3 == 1 { -1.0 } else { 1.0 };
        sign * level as f32
    };
    let mut inputs = inputs::generate(sampling(), dims, seed);
    let count = (dim(dims, "rows") * dim(dims, "vocabulary")) as u32;
    inputs[0] = (0..count).flat_map(|index| logit(index).to_le_bytes()).collect();
    inputs
}

#[test]
fn of_equal_logits_the_lower_columns_are_taken() {
    for device in devices() {
        for inputs in [tied::<1>, tied::<2>, tied::<300>] {
            let tied = Workload {
                inputs: Some(inputs),
                ..*sampling()
            };
            for (vocabulary, k) in [(20_001, 100), (8192, 256), (257, 1)] {
                let dims = dims(&[("rows", 2), ("vocabulary", vocabulary), ("k", k)]);
                expect_right(device.as_ref(), &tied, &dims, fresh_seed());
            }
        }
    }
}
