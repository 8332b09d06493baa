//! How the kernels are launched.

use attest::spec::Dims;

use super::NAMES;
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static SELECT: Kernel = Kernel {
    name: "sampling_topk",
    folder: "sampling_topk",
    ptx: Some(include_str!("sampling_topk.ptx")),
    spirv: Some(include_bytes!("sampling_topk.spv")),
};

static DRAW: Kernel = Kernel {
    name: "sampling_topk_draw",
    folder: "sampling_topk",
    ptx: Some(include_str!("sampling_topk_draw.ptx")),
    spirv: Some(include_bytes!("sampling_topk_draw.spv")),
};

const THREADS: u32 = 256;

/// Values that one block selects from.
const SEGMENT: usize = 8192;

/// One round: of each segment of the rows the `k` largest.
struct Round {
    width: usize,
    segments: usize,
}

/// Rounds until a row is one segment. Of more than 8192 values at most 256 in 8192 and 256 are left.
fn rounds(vocabulary: usize, k: usize) -> impl Iterator<Item = Round> {
    let round = |width: usize| Round {
        width,
        segments: width.div_ceil(SEGMENT),
    };
    std::iter::successors(Some(round(vocabulary)), move |last| {
        (last.segments > 1).then(|| round(last.segments * k))
    })
}

/// Each round leaves values and columns in scratch of its own; the last one's columns are an output.
pub(super) fn plan(dims: &Dims, _target: Target) -> Plan {
    let [rows, vocabulary, k] = NAMES.map(|name| dim(dims, name));
    let (mut scratch, mut launches) = (vec![], vec![]);
    let mut from = [Slot::Input(0); 2];
    for (index, Round { width, segments }) in rounds(vocabulary, k).enumerate() {
        let mut place = || {
            scratch.push((4 * rows * segments * k) as u64);
            Slot::Scratch(scratch.len() - 1)
        };
        let to = [place(), if segments == 1 { Slot::Output(0) } else { place() }];
        launches.push(Launch {
            kernel: &SELECT,
            grid: [segments as u32, rows as u32, 1],
            block: [THREADS, 1, 1],
            push: vec![width as u32, k as u32, u32::from(index == 0)],
            buffers: [from, to].concat(),
            shared: 0,
        });
        from = to;
    }
    let [values, columns] = from;
    launches.push(Launch {
        kernel: &DRAW,
        grid: [rows as u32, 1, 1],
        block: [THREADS, 1, 1],
        push: vec![k as u32],
        buffers: vec![values, columns, Slot::Input(1), Slot::Input(2), Slot::Output(1)],
        shared: 0,
    });
    Plan { scratch, launches }
}
