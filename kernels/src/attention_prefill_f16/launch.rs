//! How the kernel is launched.

use super::Sizes;
use crate::workload::{Kernel, Launch, Slot};

static KERNEL: Kernel = Kernel {
    name: "attention_prefill_f16",
    folder: "attention_prefill_f16",
    ptx: Some(include_str!("attention_prefill_f16.ptx")),
    spirv: Some(include_bytes!("attention_prefill_f16.spv")),
};

const THREADS: u32 = 128;

/// Queries of one block.
const QUERIES: usize = 64;

/// Every device takes this many blocks in the second dimension.
pub(super) const MAX_GROUPS: usize = 65_535;

/// Heads change fastest, so that heads which share keys run together and blocks with most keys begin first.
pub(super) fn grid(sizes: Sizes) -> [usize; 2] {
    [sizes.heads, sizes.tokens.div_ceil(QUERIES)]
}

/// One launch over queries, keys, values and outputs, in that order.
pub(crate) fn launch(sizes: Sizes, buffers: [Slot; 4]) -> Launch {
    let [heads, tiles] = grid(sizes);
    Launch {
        kernel: &KERNEL,
        grid: [heads as u32, tiles as u32, 1],
        block: [THREADS, 1, 1],
        push: vec![
            sizes.tokens as u32,
            sizes.heads as u32,
            sizes.kvheads as u32,
            sizes.head as u32,
            sizes.scale().to_bits(),
            if sizes.causal { 0 } else { sizes.tokens as u32 },
        ],
        buffers: buffers.to_vec(),
        shared: 0,
    }
}
