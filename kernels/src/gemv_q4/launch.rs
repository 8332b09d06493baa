//! How the kernels are launched.

use attest::spec::Dims;
use attest::statement::Api;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "gemv_q4",
    folder: "gemv_q4",
    ptx: Some(include_str!("gemv_q4.ptx")),
    spirv: Some(include_bytes!("gemv_q4.spv")),
};

/// For Vulkan devices with a packed dot product.
static DOT: Kernel = Kernel {
    name: "gemv_q4_dot",
    folder: "gemv_q4",
    ptx: None,
    spirv: Some(include_bytes!("gemv_q4_dot.spv")),
};

/// Rows of one block of threads: 32 lanes for two rows.
const ROWS: usize = 16;
const THREADS: u32 = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernels stride over further rows.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let [n, blocks] = ["n", "blocks"].map(|name| dim(dims, name));
    let kernel = match target.api == Api::Vulkan && target.packed_dot {
        true => &DOT,
        false => &KERNEL,
    };
    let inputs = (0..4).map(Slot::Input);
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel,
            grid: [n.div_ceil(ROWS).min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS, 1, 1],
            push: vec![n as u32, blocks as u32],
            buffers: inputs.chain([Slot::Output(0)]).collect(),
            shared: 0,
        }],
    }
}
