//! How the kernels are launched.

use attest::spec::Dims;

use crate::product::grid;
use crate::workload::{Kernel, Plan, Target};

static KERNEL: Kernel = Kernel {
    name: "gemm_f16",
    folder: "gemm_f16",
    ptx: Some(include_str!("gemm_f16.ptx")),
    spirv: Some(include_bytes!("gemm_f16.spv")),
};

/// For Vulkan on a processor.
static NARROW: Kernel = Kernel {
    name: "gemm_f16_narrow",
    folder: "gemm_f16",
    ptx: None,
    spirv: Some(include_bytes!("gemm_f16_narrow.spv")),
};

/// For matrix units of CUDA devices.
static MMA: Kernel = Kernel {
    name: "gemm_f16_mma",
    folder: "gemm_f16",
    ptx: Some(include_str!("gemm_f16_mma.ptx")),
    spirv: None,
};

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    grid::plan(dims, target, &KERNEL, &NARROW)
}

pub(super) fn tuned(dims: &Dims, target: Target) -> Result<Plan, String> {
    grid::matrix_units(dims, target, &MMA)
}
