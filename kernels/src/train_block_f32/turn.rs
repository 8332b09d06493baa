//! Heads moved between rows of tokens and matrices of their own, their pairs turned by the table's angles or left. Sizes:
//! `tokens`, `heads`, `width` and `flags`.

use attest::spec::Dims;
use rayon::prelude::*;

use super::{element_launch, kernel};
use crate::stages::Op;
use crate::workload::{Plan, Slot, Target, dim};

/// Where a turn leads, [`TO_HEADS`] or [`TO_TOKENS`], and whether it is [`TURNED`].
pub(super) const TO_HEADS: usize = 0;
pub(super) const TO_TOKENS: usize = 1;
pub(super) const TURNED: usize = 2;

/// The heads and the table to the heads.
pub(super) static TURN: Op = Op {
    plan,
    cpu,
    limits: None,
};

kernel!(KERNEL, "train_block_f32_turn");

const SIZES: [&str; 4] = ["tokens", "heads", "width", "flags"];

fn plan(dims: &Dims, _target: Target) -> Plan {
    let sizes = SIZES.map(|name| dim(dims, name));
    let [tokens, heads, width, _] = sizes;
    let buffers = vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)];
    let push = sizes.map(|size| size as u32).into();
    Plan {
        scratch: vec![],
        launches: vec![element_launch(&KERNEL, tokens * heads * width / 2, push, buffers)],
    }
}

fn cpu(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [tokens, heads, width, flags] = SIZES.map(|name| dim(dims, name));
    let [from, table] = [0, 1].map(|index| bytemuck::cast_slice::<u8, f32>(inputs[index]));
    let to: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    let part = |x, index: usize| -> &[f32] {
        let x: &[f32] = x;
        &x[index * width..(index + 1) * width]
    };
    to.par_chunks_mut(width).enumerate().for_each(|(index, to)| {
        let (token, source, direction) = match flags & TO_TOKENS {
            TO_HEADS => (index % tokens, index % tokens * heads + index / tokens, 1.0),
            _ => (index / heads, index % heads * tokens + index / heads, -1.0),
        };
        to.copy_from_slice(part(from, source));
        if flags & TURNED != 0 {
            turn(to, part(table, token), direction);
        }
    });
}

fn turn(head: &mut [f32], angles: &[f32], direction: f32) {
    for (pair, angle) in head.chunks_exact_mut(2).zip(angles.chunks_exact(2)) {
        let (a, b, cosine, sine) = (pair[0], pair[1], angle[0], direction * angle[1]);
        pair[0] = a * cosine - b * sine;
        pair[1] = a * sine + b * cosine;
    }
}
