//! How the kernels are launched.

use attest::spec::Dims;

use super::{Shape, VECTOR};
use crate::workload::{Kernel, Launch, Plan, Slot, Target};

static SPLITS: Kernel = Kernel {
    name: "attention_decode_f16",
    folder: "attention_decode_f16",
    ptx: Some(include_str!("attention_decode_f16.ptx")),
    spirv: Some(include_bytes!("attention_decode_f16.spv")),
};

static COMBINE: Kernel = Kernel {
    name: "attention_decode_f16_combine",
    folder: "attention_decode_f16",
    ptx: Some(include_str!("attention_decode_f16_combine.ptx")),
    spirv: Some(include_bytes!("attention_decode_f16_combine.spv")),
};

pub(super) const THREADS: usize = 256;

/// Queries that a block works on at once.
const QUERIES: usize = 8;

/// Where an attention's tensors and its scratch are.
pub(crate) struct Buffers {
    pub(crate) q: Slot,
    pub(crate) kpages: Slot,
    pub(crate) vpages: Slot,
    pub(crate) table: Slot,
    pub(crate) lengths: Slot,
    pub(crate) o: Slot,
    /// Of the bytes that [`Shape::scratch`] tells.
    pub(crate) scratch: [Slot; 2],
}

pub(super) fn plan(dims: &Dims, _target: Target) -> Plan {
    let shape = Shape::of(dims);
    let buffers = Buffers {
        q: Slot::Input(0),
        kpages: Slot::Input(1),
        vpages: Slot::Input(2),
        table: Slot::Input(3),
        lengths: Slot::Input(4),
        o: Slot::Output(0),
        scratch: [0, 1].map(Slot::Scratch),
    };
    Plan {
        scratch: shape.scratch().to_vec(),
        launches: launches(shape, &buffers).into(),
    }
}

/// The splits of every sequence, then what they come to. Lengths are read when the launches run.
pub(crate) fn launches(shape: Shape, buffers: &Buffers) -> [Launch; 2] {
    let Shape {
        batch,
        heads,
        kvheads,
        head,
        seqpages,
    } = shape;
    let [sums, stats] = buffers.scratch;
    let chunks = shape.group().div_ceil(QUERIES);
    let vectors = batch * heads * head / VECTOR;
    [
        Launch {
            kernel: &SPLITS,
            grid: [(kvheads * chunks) as u32, shape.splits() as u32, batch as u32],
            block: [THREADS as u32, 1, 1],
            push: [heads, kvheads, head, seqpages]
                .map(|size| size as u32)
                .into_iter()
                .chain([shape.scale().to_bits()])
                .collect(),
            buffers: vec![
                buffers.q,
                buffers.kpages,
                buffers.vpages,
                buffers.table,
                buffers.lengths,
                sums,
                stats,
            ],
            shared: 0,
        },
        Launch {
            kernel: &COMBINE,
            grid: [vectors.div_ceil(THREADS).min(super::MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: [batch, heads, head, seqpages].map(|size| size as u32).to_vec(),
            buffers: vec![sums, stats, buffers.lengths, buffers.o],
            shared: 0,
        },
    ]
}
