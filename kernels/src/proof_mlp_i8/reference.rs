//! The authority for `proof.mlp.i8.v1`: one lane, step by step, as a checker of the proof has it.

use attest::exact::stream::{Form, fill_keyed};
use attest::spec::Dims;

use super::key;
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let [n, layers, steps] = ["n", "layers", "steps"].map(|name| dim(dims, name));
    let mut lane = stream(key(inputs[0], 0), row.index * n as u64, n);
    let weights: Vec<Vec<i32>> = (0..layers)
        .map(|layer| stream(key(inputs[1], layer), 0, n * n))
        .collect();
    for step in 0..steps {
        let weights = weights[step % layers].chunks_exact(n);
        lane = weights.map(|weights| mixed(&lane, weights)).collect();
    }
    lane.into_iter().map(f64::from).collect()
}

fn stream(key: [u32; 2], first: u64, count: usize) -> Vec<i32> {
    let mut bytes = vec![0; count];
    fill_keyed(key, Form::I8, first, &mut bytes);
    bytes
        .into_iter()
        .map(|byte| i32::from(byte.cast_signed()))
        .collect()
}

/// The top byte of the sum times 2^32 over the golden ratio.
fn mixed(lane: &[i32], weights: &[i32]) -> i32 {
    let sum: i32 = lane.iter().zip(weights).map(|(x, w)| x * w).sum();
    sum.wrapping_mul(0x9E37_79B1_u32.cast_signed()) >> 24
}
