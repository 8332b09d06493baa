//! How the kernels are launched.

use attest::spec::Dims;

use crate::product::grid;
use crate::workload::{Kernel, Plan, Target};

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

/// For Vulkan on a processor.
static NARROW: Kernel = Kernel {
    name: "gemm_i8_narrow",
    folder: "gemm_i8",
    ptx: None,
    spirv: Some(include_bytes!("gemm_i8_narrow.spv")),
};

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let tile = if target.packed_dot { &DOT } else { &KERNEL };
    grid::plan(dims, target, tile, &NARROW)
}
