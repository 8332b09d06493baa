//! How the kernels are launched.

use attest::spec::Dims;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "rmsnorm_f16",
    folder: "rmsnorm_f16",
    ptx: Some(include_str!("rmsnorm_f16.ptx")),
    spirv: Some(include_bytes!("rmsnorm_f16.spv")),
};

/// Lanes that share one row.
const THREADS: u32 = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over further rows.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, _target: Target) -> Plan {
    let [rows, cols] = ["rows", "cols"].map(|name| dim(dims, name));
    let epsilon = super::epsilon(dims) as f32;
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [rows.min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS, 1, 1],
            push: vec![rows as u32, cols as u32, epsilon.to_bits()],
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
            shared: 0,
        }],
    }
}
