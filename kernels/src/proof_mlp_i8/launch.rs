//! How the kernels are launched.

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

/// For Vulkan devices with a packed dot product.
static DOT: Kernel = Kernel {
    name: "proof_mlp_i8_dot",
    folder: "proof_mlp_i8",
    ptx: None,
    spirv: Some(include_bytes!("proof_mlp_i8_dot.spv")),
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
    let weights = fill(
        [Slot::Input(1), Slot::Scratch(0)],
        layers,
        [n, n / 4, width, width / 4, 1],
    );
    let mut launches = if target.software && dim(dims, "steps") > 0 {
        scratch.extend([(m.next_multiple_of(NARROW_LANES) * width) as u64; 2]);
        on_a_processor(dims, weights)
    } else {
        let state = fill([Slot::Input(0), Slot::Output(0)], 1, [m, n / 4, m, n / 4, 0]);
        [state, weights]
            .into_iter()
            .chain(on_a_gpu(dims, target))
            .collect()
    };
    launches.extend(tree::launches(
        n as u32,
        m as u64,
        Slot::Output(0),
        Slot::Output(1),
        target,
    ));
    Plan { scratch, launches }
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

/// Launches that carry the lanes through all steps, in place.
fn on_a_gpu(dims: &Dims, target: Target) -> impl Iterator<Item = Launch> {
    let [m, n, layers, steps] = ["m", "n", "layers", "steps"].map(|name| dim(dims, name));
    let width = padded(n);
    let matrix_units = matrix_units(width, target);
    let lanes = matrix_units.map_or(CELLS / width.next_power_of_two(), |(lanes, _)| lanes);
    let kernel = match matrix_units {
        Some(_) => &MMA,
        None if target.packed_dot => &DOT,
        None => &KERNEL,
    };
    let at_once = steps_at_once(width, target);
    (0..steps).step_by(at_once).map(move |begin| {
        let end = steps.min(begin.saturating_add(at_once));
        let sizes = [m, n, width, layers, begin, end].into_iter();
        Launch {
            kernel,
            grid: [m.div_ceil(lanes) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: sizes
                .chain(matrix_units.map(|(lanes, _)| lanes))
                .map(|size| size as u32)
                .collect(),
            buffers: vec![Slot::Scratch(0), Slot::Output(0)],
            shared: matrix_units.map_or(0, |(_, shared)| shared),
        }
    })
}

/// Launches that make X_0 and carry it through one step each, from one scratch buffer to the other.
fn on_a_processor(dims: &Dims, weights: Launch) -> Vec<Launch> {
    let [m, n, layers, steps] = ["m", "n", "layers", "steps"].map(|name| dim(dims, name));
    let (width, lanes) = (padded(n), m.next_multiple_of(NARROW_LANES));
    let scratch = |step: usize| Slot::Scratch(1 + step % 2);
    let state = fill([Slot::Input(0), scratch(0)], 1, [m, n / 4, lanes, width / 4, 1]);
    let step = |step: usize| {
        let last = step + 1 == steps;
        let result = if last { Slot::Output(0) } else { scratch(step + 1) };
        let sizes = [m, n, width, lanes, step % layers, usize::from(last)];
        Launch {
            kernel: &NARROW,
            grid: [(width / 64) as u32, (lanes / NARROW_LANES) as u32, 1],
            block: [8, 1, 1],
            push: sizes.map(|size| size as u32).to_vec(),
            buffers: vec![Slot::Scratch(0), scratch(step), result],
            shared: 0,
        }
    };
    [state, weights].into_iter().chain((0..steps).map(step)).collect()
}

/// Steps of one launch. Software Vulkan of Mesa ends a shader's loops after 65,535 iterations in all, and a step has one for
/// each word of a lane.
fn steps_at_once(width: usize, target: Target) -> usize {
    const ITERATIONS: usize = 60_000;
    match target.api {
        Api::Vulkan => ITERATIONS / (width / 4 + 2),
        _ => usize::MAX,
    }
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
