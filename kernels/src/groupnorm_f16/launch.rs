//! How the kernels are launched.

use attest::spec::Dims;
use attest::statement::Api;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// Sums of parts.
static PARTS: Kernel = Kernel {
    name: "groupnorm_f16_parts",
    folder: "groupnorm_f16",
    ptx: Some(include_str!("groupnorm_f16_parts.ptx")),
    spirv: Some(include_bytes!("groupnorm_f16_parts.spv")),
};

static KERNEL: Kernel = Kernel {
    name: "groupnorm_f16",
    folder: "groupnorm_f16",
    ptx: Some(include_str!("groupnorm_f16.ptx")),
    spirv: Some(include_bytes!("groupnorm_f16.spv")),
};

/// Lanes that share one part.
const THREADS: u32 = 256;

/// Elements of a part, four vectors of 16 bytes a lane; the last of a group may have fewer. As in the kernels.
const PART: usize = 8192;

/// Every Vulkan device takes this many groups in one dimension; the kernels stride over further parts.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let [batch, groups, gchannels, pixels] = super::NAMES.map(|name| dim(dims, name));
    let cols = gchannels * pixels;
    let parts = cols.div_ceil(PART);
    let blocks = batch * groups * parts;
    // Rounded once here: devices divide differently.
    let share = |count: usize| ((1.0 / count as f64) as f32).to_bits();
    let [all, last] = [cols, cols - (parts - 1) * PART].map(share);
    let [x, w, b, sums, y] = [
        Slot::Input(0),
        Slot::Input(1),
        Slot::Input(2),
        Slot::Scratch(0),
        Slot::Output(0),
    ];
    let launch = |kernel, buffers: &[Slot], push: &[usize], shares: &[u32]| Launch {
        kernel,
        grid: [blocks.min(MAX_GROUPS) as u32, 1, 1],
        block: [THREADS, 1, 1],
        push: { push.iter().map(|&size| size as u32) }
            .chain(shares.iter().copied())
            .collect(),
        buffers: buffers.to_vec(),
        shared: 0,
    };
    Plan {
        scratch: match target.api {
            Api::Cpu => vec![],
            _ => vec![8 * blocks as u64],
        },
        launches: vec![
            launch(&PARTS, &[x, sums], &[blocks, parts, cols], &[last]),
            launch(
                &KERNEL,
                &[x, w, b, sums, y],
                &[blocks, parts, groups, gchannels, pixels],
                &[all, last],
            ),
        ],
    }
}
