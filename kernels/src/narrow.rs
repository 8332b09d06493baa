//! Sums of products to halves: y is the f16 nearest to x in f32, ties to even. Sizes: `n` elements, a multiple of four.

use attest::spec::Dims;

use crate::halves;
use crate::stages::Op;
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// `x` to `y`.
pub(crate) static OP: Op = Op {
    plan,
    cpu,
    limits: None,
};

static KERNEL: Kernel = Kernel {
    name: "narrow_f32",
    folder: "narrow",
    ptx: Some(include_str!("narrow/narrow_f32.ptx")),
    spirv: Some(include_bytes!("narrow/narrow_f32.spv")),
};

const THREADS: usize = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over the rest.
const MAX_GROUPS: usize = 65_535;

fn plan(dims: &Dims, _target: Target) -> Plan {
    let n = dim(dims, "n");
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [n.div_ceil(4 * THREADS).min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: vec![n as u32],
            buffers: vec![Slot::Input(0), Slot::Output(0)],
            shared: 0,
        }],
    }
}

fn cpu(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    halves::narrow(
        bytemuck::cast_slice(inputs[0]),
        bytemuck::cast_slice_mut(outputs[0]),
    );
}
