//! How the kernels are launched.

use attest::spec::Dims;

use crate::tree::{self, HASH};
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static FILL: Kernel = Kernel {
    name: "proof_vram_fill",
    folder: "proof_vram",
    ptx: Some(include_str!("proof_vram_fill.ptx")),
    spirv: Some(include_bytes!("proof_vram_fill.spv")),
};

static WALK: Kernel = Kernel {
    name: "proof_vram",
    folder: "proof_vram",
    ptx: Some(include_str!("proof_vram.ptx")),
    spirv: Some(include_bytes!("proof_vram.spv")),
};

const THREADS: usize = 64;

/// Every Vulkan device takes this many groups in one dimension; the kernels stride over the rest.
const MAX_GROUPS: usize = 65_535;

/// Steps of one launch. Software Vulkan of Mesa ends a shader's loops after 65,535 iterations in all, which two lanes of an
/// invocation share; and displays wait for long launches.
const STEPS_AT_ONCE: usize = 1 << 14;

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let [entries, m, steps, rounds] = ["entries", "m", "steps", "rounds"].map(|name| dim(dims, name));
    let last = entries.wrapping_sub(1) as u32;
    let (keys, table, state) = (Slot::Input(0), Slot::Scratch(0), Slot::Output(0));
    let fill = launch(&FILL, entries, vec![last, rounds as u32], vec![keys, table]);
    let walk = |begin: usize| {
        let end = steps.min(begin + STEPS_AT_ONCE);
        let words = [m, begin, end].map(|size| size as u32);
        launch(&WALK, m, [&words[..], &[last]].concat(), vec![keys, table, state])
    };
    let mut launches = vec![fill, walk(0)];
    launches.extend((STEPS_AT_ONCE..steps).step_by(STEPS_AT_ONCE).map(walk));
    launches.extend(tree::launches(
        HASH as u32,
        m as u64,
        state,
        Slot::Output(1),
        target,
    ));
    Plan {
        scratch: vec![(entries as u64).saturating_mul(HASH as u64)],
        launches,
    }
}

fn launch(kernel: &'static Kernel, threads: usize, push: Vec<u32>, buffers: Vec<Slot>) -> Launch {
    Launch {
        kernel,
        grid: [threads.div_ceil(THREADS).clamp(1, MAX_GROUPS) as u32, 1, 1],
        block: [THREADS as u32, 1, 1],
        push,
        buffers,
        shared: 0,
    }
}
