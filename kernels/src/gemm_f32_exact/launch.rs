//! How the kernels are launched.

use attest::spec::Dims;

use crate::product::grid;
use crate::workload::{Kernel, Plan, Target};

static KERNEL: Kernel = Kernel {
    name: "gemm_f32_exact",
    folder: "gemm_f32_exact",
    ptx: Some(include_str!("gemm_f32_exact.ptx")),
    spirv: Some(include_bytes!("gemm_f32_exact.spv")),
};

/// For Vulkan on a processor.
static NARROW: Kernel = Kernel {
    name: "gemm_f32_exact_narrow",
    folder: "gemm_f32_exact",
    ptx: None,
    spirv: Some(include_bytes!("gemm_f32_exact_narrow.spv")),
};

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    grid::plan(dims, target, &KERNEL, &NARROW)
}
