//! How the kernels are launched.

use attest::spec::Dims;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "gemm_i8",
    folder: "gemm_i8",
    ptx: Some(include_str!("gemm_i8.ptx")),
    spirv: Some(include_bytes!("gemm_i8.spv")),
};

/// For Vulkan devices with a packed dot product.
static DOT: Kernel = Kernel {
    name: "gemm_i8_dot",
    folder: "gemm_i8",
    ptx: None,
    spirv: Some(include_bytes!("gemm_i8_dot.spv")),
};

/// For Vulkan on a processor, where shared memory gains nothing.
static NARROW: Kernel = Kernel {
    name: "gemm_i8_narrow",
    folder: "gemm_i8",
    ptx: None,
    spirv: Some(include_bytes!("gemm_i8_narrow.spv")),
};

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name));
    // Rows and columns of C that one block computes, and the block's threads.
    let (kernel, [rows, cols], threads) = match target {
        Target { software: true, .. } => (&NARROW, [32, 64], 8),
        Target { packed_dot: true, .. } => (&DOT, [128, 128], 256),
        _ => (&KERNEL, [128, 128], 256),
    };
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel,
            grid: [n.div_ceil(cols) as u32, m.div_ceil(rows) as u32, 1],
            block: [threads, 1, 1],
            push: vec![m as u32, n as u32, k as u32],
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
            shared: 0,
        }],
    }
}
