//! How the kernels are launched.

use attest::spec::Dims;
use attest::statement::Api;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// For any number of columns; on CUDA also with 16-byte loads where the columns allow them.
static KERNEL: Kernel = Kernel {
    name: "gemv_f16",
    folder: "gemv_f16",
    ptx: Some(include_str!("gemv_f16.ptx")),
    spirv: Some(include_bytes!("gemv_f16.spv")),
};

/// For whole vectors of eight halves.
static WIDE: Kernel = Kernel {
    name: "gemv_f16_wide",
    folder: "gemv_f16",
    ptx: None,
    spirv: Some(include_bytes!("gemv_f16_wide.spv")),
};

/// Rows of one block, 32 lanes each.
const ROWS: usize = 8;
const THREADS: u32 = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernels stride over further rows.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let [n, k] = ["n", "k"].map(|name| dim(dims, name));
    let kernel = match target.api == Api::Vulkan && k.is_multiple_of(8) {
        true => &WIDE,
        false => &KERNEL,
    };
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel,
            grid: [n.div_ceil(ROWS).min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS, 1, 1],
            push: vec![n as u32, k as u32],
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
            shared: 0,
        }],
    }
}
