//! How the kernels are launched.

use attest::spec::Dims;
use attest::statement::Api;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "gemm_f32",
    folder: "gemm_f32",
    ptx: Some(include_str!("gemm_f32.ptx")),
    spirv: Some(include_bytes!("gemm_f32.spv")),
};

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name));
    // Side of the square tile of C that one block computes, and the block's threads.
    let (tile, block) = match target.api {
        Api::Vulkan | Api::Cuda => (128, [256, 1, 1]),
        Api::Cpu => (16, [16, 16, 1]),
    };
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [n.div_ceil(tile) as u32, m.div_ceil(tile) as u32, 1],
            block,
            push: vec![m as u32, n as u32, k as u32],
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
        }],
    }
}
