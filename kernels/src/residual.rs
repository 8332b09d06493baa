//! What joins a branch of a network to its trunk: y = a + b in f16, summed in f32 and narrowed once. Sizes: `n` elements.

use attest::spec::Dims;

use crate::halves::map_into;
use crate::stages::Op;
use crate::wide::wide;
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// `a`, `b` to `y`.
pub(crate) static OP: Op = Op {
    plan,
    cpu,
    limits: None,
};

static KERNEL: Kernel = Kernel {
    name: "residual",
    folder: "residual",
    ptx: Some(include_str!("residual/residual.ptx")),
    spirv: Some(include_bytes!("residual/residual.spv")),
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
            grid: [n.div_ceil(8 * THREADS).min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: vec![n as u32],
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
            shared: 0,
        }],
    }
}

fn cpu(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let y = bytemuck::cast_slice_mut(outputs[0]);
    map_into(
        y,
        [0, 1].map(|index| bytemuck::cast_slice(inputs[index])),
        |[a, b]| add(a, b),
    );
}

wide! {
    fn add(a: &mut [f32], b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a += b;
        }
    }
}
