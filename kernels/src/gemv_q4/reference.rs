//! The authority for `gemv.q4.v1`: integer sums of blocks, scaled and summed in f64.

use attest::spec::Dims;

use crate::elements::{f16s, i8s, vector_row};
use crate::q4::{BLOCK, BLOCK_BYTES};
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let blocks = dim(dims, "blocks");
    let x: Vec<i8> = i8s(inputs[2], 0..blocks * BLOCK).collect();
    let x_scales: Vec<f32> = f16s(inputs[3], 0..blocks).collect();
    let y = |row: usize| {
        let weights = inputs[0][row * blocks * BLOCK_BYTES..].chunks(BLOCK_BYTES);
        let scales = f16s(inputs[1], row * blocks..(row + 1) * blocks);
        let scales = scales.zip(&x_scales).map(|(w, x)| f64::from(w) * f64::from(*x));
        let sums = weights.zip(x.chunks(BLOCK)).map(|(w, x)| f64::from(sum_of(w, x)));
        scales.zip(sums).map(|(scale, sum)| scale * sum).sum()
    };
    vector_row(dims, row).map(y).collect()
}

fn sum_of(w: &[u8], x: &[i8]) -> i32 {
    let (low, high) = x.split_at(BLOCK_BYTES);
    let product = |nibble: u8, x: i8| (i32::from(nibble) - 8) * i32::from(x);
    let of_byte = |((w, low), high): ((&u8, &i8), &i8)| product(w & 15, *low) + product(w >> 4, *high);
    w.iter().zip(low).zip(high).map(of_byte).sum()
}
