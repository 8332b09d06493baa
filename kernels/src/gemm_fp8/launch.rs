//! How the kernels are launched.

use attest::spec::Dims;

use crate::product::grid;
use crate::workload::{Kernel, Plan, Target};

static KERNEL: Kernel = Kernel {
    name: "gemm_fp8",
    folder: "gemm_fp8",
    ptx: Some(include_str!("gemm_fp8.ptx")),
    spirv: Some(include_bytes!("gemm_fp8.spv")),
};

/// For Vulkan on a processor.
static NARROW: Kernel = Kernel {
    name: "gemm_fp8_narrow",
    folder: "gemm_fp8",
    ptx: None,
    spirv: Some(include_bytes!("gemm_fp8_narrow.spv")),
};

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    grid::plan(dims, target, &KERNEL, &NARROW)
}
