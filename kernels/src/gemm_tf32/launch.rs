//! How the kernels are launched.

use attest::spec::Dims;

use crate::product::grid;
use crate::workload::{Kernel, Plan, Target};

static KERNEL: Kernel = Kernel {
    name: "gemm_tf32",
    folder: "gemm_tf32",
    ptx: Some(include_str!("gemm_tf32.ptx")),
    spirv: Some(include_bytes!("gemm_tf32.spv")),
};

/// For Vulkan on a processor.
static NARROW: Kernel = Kernel {
    name: "gemm_tf32_narrow",
    folder: "gemm_tf32",
    ptx: None,
    spirv: Some(include_bytes!("gemm_tf32_narrow.spv")),
};

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    grid::plan(dims, target, &KERNEL, &NARROW)
}
