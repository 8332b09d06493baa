//! What conditions a diffusion transformer (adaLN-Zero of arXiv 2212.09748): six vectors for each sample, of which the first
//! three shift, scale and gate its attention, the others its MLP.
//!
//! Vectors are `[samples, 6, cols]`, plus a bias `[6, cols]` that all samples share. Sizes: `rows`, `cols`, of which 8 is a
//! divisor, `tokens`, the rows of a sample, and `vector`, the index of the vector that is meant, or of the first of two.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::elements::f16s;
use crate::exp::exp;
use crate::halves::{map_into, narrow, widen};
use crate::stages::Op;
use crate::wide::{sum_of, wide};
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// y = x / (1 + exp(-x)) over `n` elements, a multiple of 8.
pub(crate) static SILU: Op = Op {
    plan: |dims, _| strided(&SILU_KERNEL, dim(dims, "n"), vec![dim(dims, "n") as u32], 1),
    cpu: |_, inputs, outputs| {
        let y = bytemuck::cast_slice_mut(outputs[0]);
        map_into(y, [bytemuck::cast_slice(inputs[0])], |[x]| silu(x));
    },
    limits: None,
};

/// `x`, vectors and bias to y = normal(x) * (1 + scale) + shift, where normal(x) has a mean of zero and a variance of one,
/// but for [`EPSILON`]. The shift is vector `vector`, the scale the next.
pub(crate) static MODULATE: Op = Op {
    plan: modulate_plan,
    cpu: modulate,
    limits: None,
};

/// `x`, a branch, vectors and bias to y = x + gate * branch.
pub(crate) static GATED: Op = Op {
    plan: |dims, _| {
        let [rows, cols, tokens, vector] = shape(dims);
        let push = [rows, cols, tokens, vector].map(|size| size as u32).to_vec();
        strided(&GATED_KERNEL, rows * cols, push, 4)
    },
    cpu: gated,
    limits: None,
};

/// Vectors of a sample.
pub(crate) const VECTORS: usize = 6;

/// What a variance is added to before its root is taken.
pub(crate) const EPSILON: f64 = 1e-6;

macro_rules! kernel {
    ($name:literal) => {
        Kernel {
            name: $name,
            folder: "modulate",
            ptx: Some(include_str!(concat!("modulate/", $name, ".ptx"))),
            spirv: Some(include_bytes!(concat!("modulate/", $name, ".spv"))),
        }
    };
}

static SILU_KERNEL: Kernel = kernel!("silu");
static MODULATE_KERNEL: Kernel = kernel!("modulate");
static GATED_KERNEL: Kernel = kernel!("gated");

const THREADS: usize = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernels stride over the rest.
const MAX_GROUPS: usize = 65_535;

fn shape(dims: &Dims) -> [usize; 4] {
    ["rows", "cols", "tokens", "vector"].map(|name| dim(dims, name))
}

/// Threads that take eight of `n` elements each.
fn strided(kernel: &'static Kernel, n: usize, push: Vec<u32>, inputs: usize) -> Plan {
    launched(kernel, n.div_ceil(8 * THREADS), push, inputs)
}

fn modulate_plan(dims: &Dims, _target: Target) -> Plan {
    let [rows, cols, tokens, vector] = shape(dims);
    // Rounded once here: devices divide differently.
    let share = (1.0 / cols as f64) as f32;
    let mut push = [rows, cols, tokens, vector].map(|size| size as u32).to_vec();
    push.push(share.to_bits());
    launched(&MODULATE_KERNEL, rows, push, 3)
}

fn launched(kernel: &'static Kernel, groups: usize, push: Vec<u32>, inputs: usize) -> Plan {
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel,
            grid: [groups.min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push,
            buffers: (0..inputs).map(Slot::Input).chain([Slot::Output(0)]).collect(),
            shared: 0,
        }],
    }
}

wide! {
    fn silu(x: &mut [f32]) {
        for x in x {
            *x /= 1.0 + exp(-*x);
        }
    }
}

/// Each sample's vector of that index, its bias added.
fn biased(vectors: &[u8], bias: &[u8], cols: usize, index: usize) -> Vec<Vec<f32>> {
    let samples = vectors.len() / (size_of::<u16>() * VECTORS * cols);
    let of = |sample: usize| {
        let at = (sample * VECTORS + index) * cols;
        let bias = f16s(bias, index * cols..(index + 1) * cols);
        f16s(vectors, at..at + cols)
            .zip(bias)
            .map(|(vector, bias)| vector + bias)
            .collect()
    };
    (0..samples).map(of).collect()
}

fn modulate(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [_, cols, tokens, vector] = shape(dims);
    let [shifts, scales] = [vector, vector + 1].map(|index| biased(inputs[1], inputs[2], cols, index));
    let x: &[u16] = bytemuck::cast_slice(inputs[0]);
    let y: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    let rows = y.par_chunks_mut(cols).zip(x.par_chunks(cols)).enumerate();
    rows.for_each_init(
        || vec![0.0; cols],
        |wide, (row, (y, x))| {
            widen(x, wide);
            modulate_row(wide, &shifts[row / tokens], &scales[row / tokens]);
            narrow(wide, y);
        },
    );
}

fn gated(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [_, cols, tokens, vector] = shape(dims);
    let gates = biased(inputs[2], inputs[3], cols, vector);
    let [x, branch] = [0, 1].map(|input| bytemuck::cast_slice::<u8, u16>(inputs[input]).par_chunks(cols));
    let y: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    let rows = y.par_chunks_mut(cols).zip(x.zip(branch)).enumerate();
    rows.for_each_init(
        || [vec![0.0; cols], vec![0.0; cols]],
        |[wide, added], (row, (y, (x, branch)))| {
            widen(x, wide);
            widen(branch, added);
            add_gated(wide, added, &gates[row / tokens]);
            narrow(wide, y);
        },
    );
}

wide! {
    fn modulate_row(row: &mut [f32], shift: &[f32], scale: &[f32]) {
        let cols = row.len() as f64;
        let mean = (sum_of(row, |x| x) / cols) as f32;
        let squares = sum_of(row, |x| (x - mean) * (x - mean));
        let normal = (1.0 / (squares / cols + EPSILON).sqrt()) as f32;
        for (x, (shift, scale)) in row.iter_mut().zip(shift.iter().zip(scale)) {
            *x = (*x - mean) * normal * (1.0 + scale) + shift;
        }
    }
}

wide! {
    fn add_gated(x: &mut [f32], branch: &[f32], gate: &[f32]) {
        for (x, (branch, gate)) in x.iter_mut().zip(branch.iter().zip(gate)) {
            *x += gate * branch;
        }
    }
}
