//! The gradient of an embedding: a row for each word, the sum of the rows of its tokens. Sizes: `tokens`, `cols`, which
//! four divides, and `vocab`.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::stages::Op;
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// `ids`, and the gradient of their rows, to that of the table.
pub(super) static EMBEDDING_BACK: Op = Op {
    plan,
    cpu,
    limits: None,
};

static KERNEL: Kernel = Kernel {
    name: "train_step_embedding",
    folder: "train_step",
    ptx: Some(include_str!("train_step_embedding.ptx")),
    spirv: Some(include_bytes!("train_step_embedding.spv")),
};

const SIZES: [&str; 3] = ["tokens", "cols", "vocab"];

fn plan(dims: &Dims, _target: Target) -> Plan {
    /// Every Vulkan device takes this many groups in one dimension; the kernel strides over further rows.
    const MAX_GROUPS: u32 = 65_535;
    let [tokens, cols, vocab] = SIZES.map(|name| dim(dims, name) as u32);
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [vocab.min(MAX_GROUPS), 1, 1],
            block: [256, 1, 1],
            push: vec![tokens, cols / 4, vocab],
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
            shared: 0,
        }],
    }
}

/// A stretch of the table a task: zeros, then the rows of its tokens in their order.
fn cpu(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    const ROWS: usize = 256;
    let cols = dim(dims, "cols");
    let ids: &[u32] = bytemuck::cast_slice(inputs[0]);
    let dy: &[f32] = bytemuck::cast_slice(inputs[1]);
    let table: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    let mut order: Vec<(usize, usize)> = ids.iter().map(|&id| id as usize).zip(0..).collect();
    order.sort_unstable();
    let stretches = table.par_chunks_mut(ROWS * cols).enumerate();
    stretches.for_each(|(stretch, rows)| {
        rows.fill(0.0);
        let first = stretch * ROWS;
        let [start, end] = [first, first + ROWS].map(|word| order.partition_point(|&(id, _)| id < word));
        for &(id, token) in &order[start..end] {
            let row = &mut rows[(id - first) * cols..][..cols];
            let more = &dy[token * cols..][..cols];
            row.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
    });
}
