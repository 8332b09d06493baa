//! How the kernels are launched.

use attest::spec::Dims;

use crate::product::grid;
use crate::workload::{Kernel, Plan, Target};

static KERNEL: Kernel = Kernel {
    name: "gemm_bf16",
    folder: "gemm_bf16",
    ptx: Some(include_str!("gemm_bf16.ptx")),
    spirv: Some(include_bytes!("gemm_bf16.spv")),
};

/// For Vulkan on a processor.
static NARROW: Kernel = Kernel {
    name: "gemm_bf16_narrow",
    folder: "gemm_bf16",
    ptx: None,
    spirv: Some(include_bytes!("gemm_bf16_narrow.spv")),
};

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    grid::plan(dims, target, &KERNEL, &NARROW)
}
