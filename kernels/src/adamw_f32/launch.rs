//! How the kernels are launched.

use attest::spec::Dims;

use super::corrections;
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "adamw_f32",
    folder: "adamw_f32",
    ptx: Some(include_str!("adamw_f32.ptx")),
    spirv: Some(include_bytes!("adamw_f32.spv")),
};

const THREADS: usize = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over the rest.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, _target: Target) -> Plan {
    let n = dim(dims, "n");
    let [rate, root] = corrections().map(|correction| (correction as f32).to_bits());
    let outputs = (0..3).map(Slot::Output);
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [n.div_ceil(4 * THREADS).min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: vec![n as u32, rate, root],
            buffers: (0..4).map(Slot::Input).chain(outputs).collect(),
            shared: 0,
        }],
    }
}
