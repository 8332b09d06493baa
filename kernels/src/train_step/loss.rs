//! Cross-entropy of rows of logits, in whose place its gradient stands. Sizes: `rows` and `vocab`.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::crossentropy_f16::cpu::{STRIP, softmax};
use crate::stages::Op;
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// `labels` to the losses, and the logits, which become their gradient.
pub(super) static LOSS: Op = Op {
    plan,
    cpu,
    limits: None,
};

static KERNEL: Kernel = Kernel {
    name: "train_step_loss",
    folder: "train_step",
    ptx: Some(include_str!("train_step_loss.ptx")),
    spirv: Some(include_bytes!("train_step_loss.spv")),
};

const SIZES: [&str; 2] = ["rows", "vocab"];

fn plan(dims: &Dims, _target: Target) -> Plan {
    /// Every Vulkan device takes this many groups in one dimension; the kernel strides over further rows.
    const MAX_GROUPS: u32 = 65_535;
    let [rows, vocab] = SIZES.map(|name| dim(dims, name) as u32);
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [rows.min(MAX_GROUPS), 1, 1],
            block: [256, 1, 1],
            push: vec![rows, vocab],
            buffers: vec![Slot::Input(0), Slot::Output(0), Slot::Output(1)],
            shared: 0,
        }],
    }
}

fn cpu(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let vocab = dim(dims, "vocab");
    let labels: &[u32] = bytemuck::cast_slice(inputs[0]);
    let [loss, x] = outputs else {
        unreachable!("losses and logits")
    };
    let losses: &mut [f32] = bytemuck::cast_slice_mut(loss);
    let x: &mut [f32] = bytemuck::cast_slice_mut(x);
    let rows = x.par_chunks_mut(vocab).zip(losses).zip(labels);
    rows.for_each_init(
        || Vec::with_capacity(vocab.div_ceil(STRIP)),
        |peaks, ((x, loss), &label)| {
            let own = x[label as usize];
            let sum = softmax(x, peaks, 1.0, |_, _| (), |_, _| ());
            x[label as usize] -= 1.0;
            *loss = (sum - f64::from(own)) as f32;
        },
    );
}
