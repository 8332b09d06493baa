//! How the kernels are launched.

use attest::spec::Dims;

use crate::product::grid;
use crate::workload::{Kernel, Plan, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "gemm_batched_f16",
    folder: "gemm_batched_f16",
    ptx: Some(include_str!("gemm_batched_f16.ptx")),
    spirv: Some(include_bytes!("gemm_batched_f16.spv")),
};

/// For Vulkan on a processor.
static NARROW: Kernel = Kernel {
    name: "gemm_batched_f16_narrow",
    folder: "gemm_batched_f16",
    ptx: None,
    spirv: Some(include_bytes!("gemm_batched_f16_narrow.spv")),
};

/// Blocks deep, at most: what CUDA takes and every Vulkan device. Deeper batches are taken in strides.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let mut plan = grid::plan(dims, target, &KERNEL, &NARROW);
    let batch = dim(dims, "batch");
    for launch in &mut plan.launches {
        launch.grid[2] = batch.min(MAX_GROUPS) as u32;
        launch.push.push(batch as u32);
        if !target.software {
            let [m, n] = ["m", "n"].map(|name| dim(dims, name).div_ceil(64) as u32);
            (launch.grid[0], launch.grid[1], launch.block) = (n, m, [64, 1, 1]);
        }
    }
    plan
}
