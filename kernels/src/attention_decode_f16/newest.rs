//! Attention of a new token over the cache and itself, as a network has it: its key and its value are no part of the cache
//! yet. Splits are those of `attention.decode.f16.v1`; the new token comes after the last of them. Sizes: as there.

use attest::spec::Dims;

use super::cpu::{Newest, Tensors, attend};
use super::launch::{self, THREADS};
use super::{MAX_GROUPS, Shape, VECTOR, limits};
use crate::stages::Op;
use crate::workload::{Kernel, Launch, Plan, Slot, Target};

/// Inputs of the workload, then the new token's keys and values: `batch * kvheads * head` halves each.
pub(crate) static OP: Op = Op {
    plan,
    cpu,
    limits: Some(limits),
};

static KERNEL: Kernel = Kernel {
    name: "attention_decode_f16_newest",
    folder: "attention_decode_f16",
    ptx: Some(include_str!("attention_decode_f16_newest.ptx")),
    spirv: Some(include_bytes!("attention_decode_f16_newest.spv")),
};

fn plan(dims: &Dims, target: Target) -> Plan {
    let Shape {
        batch,
        heads,
        kvheads,
        head,
        seqpages,
    } = Shape::of(dims);
    let vectors = batch * heads * head / VECTOR;
    let mut whole = launch::plan(dims, target);
    // In place of what puts the splits together without it.
    whole.launches.pop();
    whole.launches.push(Launch {
        kernel: &KERNEL,
        grid: [vectors.div_ceil(THREADS).min(MAX_GROUPS) as u32, 1, 1],
        block: [THREADS as u32, 1, 1],
        push: [batch, heads, kvheads, head, seqpages]
            .map(|size| size as u32)
            .to_vec(),
        buffers: [0, 1]
            .map(Slot::Scratch)
            .into_iter()
            .chain([4, 0, 5, 6].map(Slot::Input))
            .chain([Slot::Output(0)])
            .collect(),
        shared: 0,
    });
    whole
}

fn cpu(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let newest = Newest {
        k: bytemuck::cast_slice(inputs[5]),
        v: bytemuck::cast_slice(inputs[6]),
    };
    let [o, sums, stats] = outputs else {
        unreachable!("one output and the two of the plan's scratch")
    };
    let scratch = [sums, stats].map(|bytes| bytemuck::cast_slice_mut(bytes));
    attend(
        Shape::of(dims),
        &Tensors::of(inputs),
        Some(newest),
        scratch,
        bytemuck::cast_slice_mut(o),
    );
}
