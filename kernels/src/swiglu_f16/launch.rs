//! How the kernels are launched.

use attest::spec::Dims;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "swiglu_f16",
    folder: "swiglu_f16",
    ptx: Some(include_str!("swiglu_f16.ptx")),
    spirv: Some(include_bytes!("swiglu_f16.spv")),
};

const THREADS: usize = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over the rest.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, _target: Target) -> Plan {
    let n = dim(dims, "rows") * dim(dims, "cols");
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
