//! RMS norm of rows, forwards and backwards. Sizes: `rows`, `cols`, and of the gradient of rows `added`, 1 or 0.

use attest::spec::Dims;
use rayon::prelude::*;

use super::{EPSILON, THREADS, kernel, row_launch};
use crate::stages::Op;
use crate::wide::{sum_of, wide};
use crate::workload::{Launch, Plan, Slot, Target, dim};

/// `x`, `w` to `y` and the scale of each row.
pub(super) static NORM: Op = Op {
    plan: |dims, _| {
        let buffers = vec![Slot::Input(0), Slot::Input(1), Slot::Output(0), Slot::Output(1)];
        plan(row_launch(&KERNEL, dims, buffers, &[share(dims)]))
    },
    cpu: norm,
    limits: None,
};

/// `dy`, `x`, `scale`, `w` and, where it is added, another gradient of `x` to the gradient of `x`.
pub(super) static NORM_BACK: Op = Op {
    plan: plan_back,
    cpu: norm_back,
    limits: None,
};

/// `dy`, `x`, `scale` to the gradient of `w`.
pub(super) static NORM_WEIGHT: Op = Op {
    plan: plan_weight,
    cpu: norm_weight,
    limits: None,
};

kernel!(KERNEL, "train_block_f32_norm");
kernel!(BACK, "train_block_f32_norm_back");
kernel!(WEIGHT, "train_block_f32_norm_weight");

fn plan(launch: Launch) -> Plan {
    Plan {
        scratch: vec![],
        launches: vec![launch],
    }
}

/// The bits of 1 / cols, rounded once here: devices divide differently.
fn share(dims: &Dims) -> u32 {
    ((1.0 / dim(dims, "cols") as f64) as f32).to_bits()
}

fn plan_back(dims: &Dims, _target: Target) -> Plan {
    let added = dim(dims, "added");
    // Without another gradient the kernel reads none; a buffer stands in its place.
    let more = Slot::Input(if added == 1 { 4 } else { 1 });
    let buffers = (0..4).map(Slot::Input).chain([more, Slot::Output(0)]).collect();
    plan(row_launch(&BACK, dims, buffers, &[share(dims), added as u32]))
}

fn plan_weight(dims: &Dims, _target: Target) -> Plan {
    const COLUMNS: usize = 32;
    let [rows, cols] = ["rows", "cols"].map(|name| dim(dims, name));
    plan(Launch {
        kernel: &WEIGHT,
        grid: [cols.div_ceil(COLUMNS) as u32, 1, 1],
        block: [THREADS as u32, 1, 1],
        push: vec![rows as u32, cols as u32],
        buffers: (0..3).map(Slot::Input).chain([Slot::Output(0)]).collect(),
        shared: 0,
    })
}

fn norm(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let cols = dim(dims, "cols");
    let [x, weight] = [0, 1].map(|index| bytemuck::cast_slice::<u8, f32>(inputs[index]));
    let [y, scale] = outputs else {
        unreachable!("rows and their scales")
    };
    let y: &mut [f32] = bytemuck::cast_slice_mut(y);
    let scale: &mut [f32] = bytemuck::cast_slice_mut(scale);
    let rows = x.par_chunks(cols).zip(y.par_chunks_mut(cols));
    rows.zip(scale)
        .for_each(|((x, y), scale)| *scale = norm_row(x, weight, y));
}

wide! {
    fn norm_row(x: &[f32], weight: &[f32], y: &mut [f32]) -> f32 {
        let mean = sum_of(x, |x| x * x) / x.len() as f64;
        let scale = (1.0 / (mean + EPSILON).sqrt()) as f32;
        for (y, (x, weight)) in y.iter_mut().zip(x.iter().zip(weight)) {
            *y = x * scale * weight;
        }
        scale
    }
}

fn norm_back(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let cols = dim(dims, "cols");
    let [dy, x, scale, weight] = [0, 1, 2, 3].map(|index| bytemuck::cast_slice::<u8, f32>(inputs[index]));
    let dx: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    let nothing = vec![0.0; cols];
    let more = (dim(dims, "added") == 1).then(|| bytemuck::cast_slice::<u8, f32>(inputs[4]));
    let more = |row: usize| more.map_or(&nothing[..], |more| &more[row * cols..(row + 1) * cols]);
    let rows = dy.par_chunks(cols).zip(x.par_chunks(cols)).zip(scale);
    rows.zip(dx.par_chunks_mut(cols))
        .enumerate()
        .for_each(|(row, (((dy, x), &scale), dx))| norm_back_row(dy, x, scale, weight, more(row), dx));
}

wide! {
    fn norm_back_row(dy: &[f32], x: &[f32], scale: f32, weight: &[f32], more: &[f32], dx: &mut [f32]) {
        for (dx, ((dy, x), weight)) in dx.iter_mut().zip(dy.iter().zip(x).zip(weight)) {
            *dx = dy * weight * (x * scale);
        }
        let mean = (sum_of(dx, |product| product) / x.len() as f64) as f32;
        let sources = dy.iter().zip(x).zip(weight.iter().zip(more));
        for (dx, ((dy, x), (weight, more))) in dx.iter_mut().zip(sources) {
            *dx = more + scale * (dy * weight - x * scale * mean);
        }
    }
}

/// Sums over the rows, by strips of columns.
fn norm_weight(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    const COLUMNS: usize = 128;
    let [dy, x, scale] = [0, 1, 2].map(|index| bytemuck::cast_slice::<u8, f32>(inputs[index]));
    let dw: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
    let cols = dw.len();
    dw.par_chunks_mut(COLUMNS).enumerate().for_each(|(strip, dw)| {
        let range = strip * COLUMNS..strip * COLUMNS + dw.len();
        dw.fill(0.0);
        for ((dy, x), scale) in dy.chunks(cols).zip(x.chunks(cols)).zip(scale) {
            for (dw, (dy, x)) in dw.iter_mut().zip(dy[range.clone()].iter().zip(&x[range.clone()])) {
                *dw += dy * (x * scale);
            }
        }
    });
}
