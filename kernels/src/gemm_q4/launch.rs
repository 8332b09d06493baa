//! How the kernels are launched.

use attest::spec::Dims;
use attest::statement::Api;

use super::cpu;
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "gemm_q4",
    folder: "gemm_q4",
    ptx: Some(include_str!("gemm_q4.ptx")),
    spirv: Some(include_bytes!("gemm_q4.spv")),
};

/// For Vulkan devices with a packed dot product.
static DOT: Kernel = Kernel {
    name: "gemm_q4_dot",
    folder: "gemm_q4",
    ptx: None,
    spirv: Some(include_bytes!("gemm_q4_dot.spv")),
};

/// Rows of W and tokens of one block of threads.
const TILE: usize = 64;
const THREADS: u32 = 256;

/// Every device takes this many blocks in each dimension.
const MAX_GROUPS: usize = 65_535;

/// Why no grid holds so many tiles, in words.
pub(super) fn grid_refusal(m: usize, n: usize) -> Option<String> {
    { [("tokens", m), ("rows", n)].into_iter() }
        .find(|(_, size)| size.div_ceil(TILE) > MAX_GROUPS)
        .map(|(name, size)| {
            format!("{size} {name} make more blocks than the {MAX_GROUPS} a side that devices take")
        })
}

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let [m, n, blocks] = ["m", "n", "blocks"].map(|name| dim(dims, name));
    let kernel = match target.api == Api::Vulkan && target.packed_dot {
        true => &DOT,
        false => &KERNEL,
    };
    let inputs = (0..4).map(Slot::Input);
    Plan {
        scratch: match target.api {
            Api::Cpu => vec![cpu::scratch_bytes(m, n)],
            _ => vec![],
        },
        launches: vec![Launch {
            kernel,
            grid: [n.div_ceil(TILE) as u32, m.div_ceil(TILE) as u32, 1],
            block: [THREADS, 1, 1],
            push: [m, n, blocks].map(|size| size as u32).to_vec(),
            buffers: inputs.chain([Slot::Output(0)]).collect(),
            shared: 0,
        }],
    }
}
