//! How the kernels are launched.

use std::ops::Range;

use attest::spec::Dims;
use attest::statement::Api;

use super::padded;
use crate::tree;
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// Makes X_0 in the output, and the weights in the first scratch buffer.
static FILL: Kernel = Kernel {
    name: "proof_mlp_i8_fill",
    folder: "proof_mlp_i8",
    ptx: Some(include_str!("proof_mlp_i8_fill.ptx")),
    spirv: Some(include_bytes!("proof_mlp_i8_fill.spv")),
};

static KERNEL: Kernel = Kernel {
    name: "proof_mlp_i8",
    folder: "proof_mlp_i8",
    ptx: Some(include_str!("proof_mlp_i8.ptx")),
    spirv: Some(include_bytes!("proof_mlp_i8.spv")),
};

/// For CUDA devices with matrix units for i8 that `mma.sync` reaches.
static MMA: Kernel = Kernel {
    name: "proof_mlp_i8_mma",
    folder: "proof_mlp_i8",
    ptx: Some(include_str!("proof_mlp_i8_mma.ptx")),
    spirv: None,
};

/// For Vulkan on a processor, where shared memory gains nothing.
static NARROW: Kernel = Kernel {
    name: "proof_mlp_i8_narrow",
    folder: "proof_mlp_i8",
    ptx: None,
    spirv: Some(include_bytes!("proof_mlp_i8_narrow.spv")),
};

const THREADS: usize = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over the rest.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let [m, n, layers] = ["m", "n", "layers"].map(|name| dim(dims, name));
    let width = padded(n);
    let mut scratch = vec![(layers * width * width) as u64];
    if target.software {
        scratch.push((m.next_multiple_of(NARROW_LANES) * 2 * width) as u64);
    }
    let state = [Slot::Input(0), Slot::Output(0)];
    let weights = [Slot::Input(1), Slot::Scratch(0)];
    let mut launches = vec![
        fill(state, 1, [m, n / 4, m, n / 4, 0]),
        fill(weights, layers, [n, n / 4, width, width / 4, 1]),
    ];
    let (all, at_once) = (dim(dims, "steps"), steps_at_once(width, target));
    let parts = (0..all).step_by(at_once);
    launches.extend(parts.map(|begin| steps(dims, target, begin..all.min(begin + at_once))));
    launches.extend(tree::launches(
        n as u32,
        m as u64,
        Slot::Output(0),
        Slot::Output(1),
        target,
    ));
    Plan { scratch, launches }
}

/// Steps of one launch. Software Vulkan of Mesa ends a shader's loops after 65,535 iterations in all, of which the test that
/// ends a loop is one.
fn steps_at_once(width: usize, target: Target) -> usize {
    const ITERATIONS: usize = 60_000;
    // Of the kernel for processors, which has the most: for each stretch of 64 columns, six for a word of k and one a lane.
    let step = width.div_ceil(64) * (6 * width / 4 + NARROW_LANES + 3);
    match target.api {
        Api::Vulkan => (ITERATIONS / step).max(1),
        _ => usize::MAX,
    }
}

/// `sizes` are the words of the contract: rows, words, padded rows, padded words, by word.
fn fill(buffers: [Slot; 2], matrices: usize, sizes: [usize; 5]) -> Launch {
    let [_, _, rows, words, _] = sizes;
    Launch {
        kernel: &FILL,
        grid: [
            (rows * words.div_ceil(4)).div_ceil(THREADS).clamp(1, MAX_GROUPS) as u32,
            matrices as u32,
            1,
        ],
        block: [THREADS as u32, 1, 1],
        push: sizes.map(|size| size as u32).to_vec(),
        buffers: buffers.to_vec(),
        shared: 0,
    }
}

/// The launch that carries all lanes through some steps.
fn steps(dims: &Dims, target: Target, steps: Range<usize>) -> Launch {
    let [m, n, layers] = ["m", "n", "layers"].map(|name| dim(dims, name));
    let width = padded(n);
    let mut launch = Launch {
        kernel: &KERNEL,
        grid: [m.div_ceil(CELLS / width.next_power_of_two()) as u32, 1, 1],
        block: [THREADS as u32, 1, 1],
        push: [m, n, width, layers, steps.start, steps.end]
            .map(|size| size as u32)
            .to_vec(),
        buffers: vec![Slot::Scratch(0), Slot::Output(0)],
        shared: 0,
    };
    if target.software {
        launch.kernel = &NARROW;
        launch.grid[0] = m.div_ceil(NARROW_LANES) as u32;
        launch.block[0] = 8;
        launch.buffers.push(Slot::Scratch(1));
    }
    if let Some((lanes, shared)) = matrix_units(width, target) {
        launch.kernel = &MMA;
        launch.grid[0] = m.div_ceil(lanes) as u32;
        launch.push.push(lanes as u32);
        launch.shared = shared;
    }
    launch
}

/// Bytes of lanes that a block of the kernel without matrix units holds.
const CELLS: usize = 16_384;

/// Lanes of a workgroup of the kernel for processors.
const NARROW_LANES: usize = 32;

/// Lanes and bytes of shared memory of a block on matrix units, where the device has both.
fn matrix_units(width: usize, target: Target) -> Option<(usize, u32)> {
    const AMPERE: u32 = 80;
    if target.api != Api::Cuda || target.capability < AMPERE {
        return None;
    }
    [128, 64]
        .map(|lanes| (lanes, (2 * lanes * (width + 32)) as u32))
        .into_iter()
        .find(|(_, shared)| *shared <= target.shared_bytes())
}
