//! How the kernels are launched.

use attest::spec::Dims;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "embedding_gather_f16",
    folder: "embedding_gather_f16",
    ptx: Some(include_str!("embedding_gather_f16.ptx")),
    spirv: Some(include_bytes!("embedding_gather_f16.spv")),
};

const THREADS: usize = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over the rest.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, _target: Target) -> Plan {
    let [tokens, cols] = ["tokens", "cols"].map(|name| dim(dims, name));
    let vectors = (tokens * cols).div_ceil(8);
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [vectors.div_ceil(THREADS).min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: vec![tokens as u32, cols as u32],
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
            shared: 0,
        }],
    }
}
