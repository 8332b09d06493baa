//! Causal softmax by rows, forwards and backwards, in place. Sizes: `rows` and `cols`, the tokens, which divide them.

use attest::spec::Dims;
use rayon::prelude::*;

use super::{kernel, row_launch};
use crate::exp::exp;
use crate::stages::Op;
use crate::wide::{maximum, sum_of, wide};
use crate::workload::{Plan, Slot, dim};

/// Row i of a head's scores keeps its first i + 1 columns, the others become zero.
pub(super) static SOFTMAX: Op = Op {
    plan: |dims, _| Plan {
        scratch: vec![],
        launches: vec![row_launch(&KERNEL, dims, vec![Slot::Output(0)], &[])],
    },
    cpu: softmax,
    limits: None,
};

/// `p`, and the gradient of `p`, which becomes that of the scores.
pub(super) static SOFTMAX_BACK: Op = Op {
    plan: |dims, _| Plan {
        scratch: vec![],
        launches: vec![row_launch(
            &BACK,
            dims,
            vec![Slot::Input(0), Slot::Output(0)],
            &[],
        )],
    },
    cpu: softmax_back,
    limits: None,
};

kernel!(KERNEL, "train_block_f32");
kernel!(BACK, "train_block_f32_softmax_back");

fn softmax(dims: &Dims, _inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let tokens = dim(dims, "cols");
    let scores: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    let rows = scores.par_chunks_mut(tokens).enumerate();
    rows.for_each(|(row, scores)| {
        let (seen, unseen) = scores.split_at_mut(row % tokens + 1);
        unseen.fill(0.0);
        softmax_row(seen);
    });
}

wide! {
    fn softmax_row(x: &mut [f32]) {
        let top = maximum(x);
        for x in x.iter_mut() {
            *x = exp(*x - top);
        }
        let share = (1.0 / sum_of(x, |x| x)) as f32;
        for x in x {
            *x *= share;
        }
    }
}

fn softmax_back(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let tokens = dim(dims, "cols");
    let p: &[f32] = bytemuck::cast_slice(inputs[0]);
    let dx: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    let rows = p.par_chunks(tokens).zip(dx.par_chunks_mut(tokens));
    rows.for_each(|(p, dx)| softmax_back_row(p, dx));
}

wide! {
    fn softmax_back_row(p: &[f32], dx: &mut [f32]) {
        for (dx, p) in dx.iter_mut().zip(p) {
            *dx *= p;
        }
        let sum = sum_of(dx, |product| product) as f32;
        for (dx, p) in dx.iter_mut().zip(p) {
            *dx -= p * sum;
        }
    }
}
