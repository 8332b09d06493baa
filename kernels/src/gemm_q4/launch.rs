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

/// For Vulkan on a processor.
static NARROW: Kernel = Kernel {
    name: "gemm_q4_narrow",
    folder: "gemm_q4",
    ptx: None,
    spirv: Some(include_bytes!("gemm_q4_narrow.spv")),
};

/// Rows of W and tokens of one block of threads, and how many these are.
const TILE: usize = 64;
const THREADS: u32 = 256;
const NARROW_TILE: [usize; 2] = [32, 8];
const NARROW_THREADS: u32 = 8;

/// Blocks of a row that the narrow kernel takes, one a round: Mesa ends a loop after so many.
const MAX_NARROW_BLOCKS: usize = 65_535;

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
    let (kernel, [rows, tokens], threads) = match (target.api, target.packed_dot) {
        _ if target.software && narrow_takes([m, n, blocks]) => (&NARROW, NARROW_TILE, NARROW_THREADS),
        (Api::Vulkan, true) => (&DOT, [TILE; 2], THREADS),
        _ => (&KERNEL, [TILE; 2], THREADS),
    };
    let inputs = (0..4).map(Slot::Input);
    Plan {
        scratch: match target.api {
            Api::Cpu => vec![cpu::scratch_bytes(m, n)],
            _ => vec![],
        },
        launches: vec![Launch {
            kernel,
            grid: [n.div_ceil(rows) as u32, m.div_ceil(tokens) as u32, 1],
            block: [threads, 1, 1],
            push: [m, n, blocks].map(|size| size as u32).to_vec(),
            buffers: inputs.chain([Slot::Output(0)]).collect(),
            shared: 0,
        }],
    }
}

/// Sizes past these are left to the others, whose tiles are larger and whose rounds take more.
fn narrow_takes([m, n, blocks]: [usize; 3]) -> bool {
    let [rows, tokens] = NARROW_TILE;
    n.div_ceil(rows) <= MAX_GROUPS && m.div_ceil(tokens) <= MAX_GROUPS && blocks <= MAX_NARROW_BLOCKS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specify::dims_of;

    #[test]
    fn rows_longer_than_a_loop_of_mesa_are_left_to_the_wide_kernel() {
        let software = Target {
            api: Api::Vulkan,
            software: true,
            packed_dot: false,
            capability: 0,
        };
        let kernel = |m: u64, n: u64, blocks: u64| {
            let dims = dims_of(&[("m", m), ("n", n), ("blocks", blocks), ("block", 32)]);
            plan(&dims, software).launches[0].kernel.name
        };
        assert_eq!(kernel(1, 1, 65_535), NARROW.name);
        assert_eq!(kernel(1, 1, 65_536), KERNEL.name);
        assert_eq!(kernel(8 * 65_535, 32 * 65_535, 1), NARROW.name);
        assert_eq!(kernel(8 * 65_535 + 1, 1, 1), KERNEL.name);
        assert_eq!(kernel(1, 32 * 65_535 + 1, 1), KERNEL.name);
    }
}
