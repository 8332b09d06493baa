//! How the kernels are launched.

use attest::spec::Dims;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "gemm_i8",
    folder: "gemm_i8",
    ptx: Some(include_str!("gemm_i8.ptx")),
    spirv: Some(include_bytes!("gemm_i8.spv")),
};

/// Side of the square tile of C that one block computes.
const TILE: usize = 16;

pub(super) fn plan(dims: &Dims, _target: Target) -> Plan {
    let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name));
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [n.div_ceil(TILE) as u32, m.div_ceil(TILE) as u32, 1],
            block: [TILE as u32, TILE as u32, 1],
            push: vec![m as u32, n as u32, k as u32],
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
        }],
    }
}
