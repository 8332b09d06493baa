//! silu(gate) up, forwards and backwards. Sizes: `n` elements.

use attest::spec::Dims;
use rayon::prelude::*;

use super::{element_launch, kernel};
use crate::exp::exp;
use crate::stages::Op;
use crate::wide::wide;
use crate::workload::{Plan, Slot, dim};

/// `gate`, `up` to their product.
pub(super) static SWIGLU: Op = Op {
    plan: |dims, _| {
        let n = dim(dims, "n");
        let buffers = vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)];
        Plan {
            scratch: vec![],
            launches: vec![element_launch(&KERNEL, n, vec![n as u32], buffers)],
        }
    },
    cpu: swiglu,
    limits: None,
};

/// The gradient of the product; gate and up, which become their gradients.
pub(super) static SWIGLU_BACK: Op = Op {
    plan: |dims, _| {
        let n = dim(dims, "n");
        let buffers = vec![Slot::Input(0), Slot::Output(0), Slot::Output(1)];
        Plan {
            scratch: vec![],
            launches: vec![element_launch(&BACK, n, vec![n as u32], buffers)],
        }
    },
    cpu: swiglu_back,
    limits: None,
};

kernel!(KERNEL, "train_block_f32_swiglu");
kernel!(BACK, "train_block_f32_swiglu_back");

/// Elements of one task.
const STRIP: usize = 1 << 14;

fn swiglu(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [gate, up] = [0, 1].map(|index| bytemuck::cast_slice::<u8, f32>(inputs[index]));
    let inner: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    let strips = inner.par_chunks_mut(STRIP).zip(gate.par_chunks(STRIP));
    strips
        .zip(up.par_chunks(STRIP))
        .for_each(|((inner, gate), up)| strip(inner, gate, up));
}

wide! {
    fn strip(inner: &mut [f32], gate: &[f32], up: &[f32]) {
        for (inner, (gate, up)) in inner.iter_mut().zip(gate.iter().zip(up)) {
            *inner = gate / (1.0 + exp(-gate)) * up;
        }
    }
}

fn swiglu_back(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let dy: &[f32] = bytemuck::cast_slice(inputs[0]);
    let [gate, up] = outputs else {
        unreachable!("gate and up")
    };
    let gate: &mut [f32] = bytemuck::cast_slice_mut(gate);
    let up: &mut [f32] = bytemuck::cast_slice_mut(up);
    let strips = gate.par_chunks_mut(STRIP).zip(up.par_chunks_mut(STRIP));
    strips
        .zip(dy.par_chunks(STRIP))
        .for_each(|((gate, up), dy)| strip_back(gate, up, dy));
}

wide! {
    fn strip_back(gate: &mut [f32], up: &mut [f32], dy: &[f32]) {
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            let share = 1.0 / (1.0 + exp(-*gate));
            let dgate = dy * *up * (share * (1.0 + *gate * (1.0 - share)));
            *up = dy * (*gate * share);
            *gate = dgate;
        }
    }
}
