//! How the kernels are launched.

use attest::spec::Dims;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "mem_gather",
    folder: "mem_gather",
    ptx: Some(include_str!("mem_gather.ptx")),
    spirv: Some(include_bytes!("mem_gather.spv")),
};

const THREADS: usize = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over the rest.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, _target: Target) -> Plan {
    let halves = 2 * dim(dims, "reads");
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [halves.div_ceil(THREADS).min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: vec![halves as u32],
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
            shared: 0,
        }],
    }
}
