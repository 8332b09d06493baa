//! How the kernels are launched.

use attest::spec::Dims;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "launch_latency",
    folder: "launch_latency",
    ptx: Some(include_str!("launch_latency.ptx")),
    spirv: Some(include_bytes!("launch_latency.spv")),
};

pub(super) fn plan(dims: &Dims, _target: Target) -> Plan {
    let launch = |from: Slot| Launch {
        kernel: &KERNEL,
        grid: [1, 1, 1],
        block: [1, 1, 1],
        push: vec![],
        buffers: vec![from, Slot::Output(0)],
        shared: 0,
    };
    let from = |index: usize| match index {
        0 => Slot::Input(0),
        _ => Slot::Output(0),
    };
    Plan {
        scratch: vec![],
        launches: (0..dim(dims, "launches"))
            .map(|index| launch(from(index)))
            .collect(),
    }
}
