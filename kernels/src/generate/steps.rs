//! What a network that goes on from token to token needs beside the workloads: its place in the text, and keys and values
//! that stay.

use attest::spec::Dims;

use crate::stages::Op;
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// The table of turns to the position and its turns. `begin` is one more than the position to begin at, 0 to go on to the next;
/// sizes otherwise are the `width` of a head and the `rows` of the table.
pub(super) static PLACE: Op = Op {
    plan: plan_place,
    cpu: place,
    limits: None,
};

/// Keys and values of a token, `stride` halves a layer of which `keys` are given, and the position, to caches of `room` tokens
/// for each of `layers`.
pub(super) static APPEND: Op = Op {
    plan: plan_append,
    cpu: append,
    limits: None,
};

static PLACE_KERNEL: Kernel = Kernel {
    name: "generate_place",
    folder: "generate",
    ptx: Some(include_str!("generate_place.ptx")),
    spirv: Some(include_bytes!("generate_place.spv")),
};

static APPEND_KERNEL: Kernel = Kernel {
    name: "generate_append",
    folder: "generate",
    ptx: Some(include_str!("generate_append.ptx")),
    spirv: Some(include_bytes!("generate_append.spv")),
};

/// Halves of a 16-byte vector.
const VECTOR: usize = 8;

const PLACE_THREADS: u32 = 128;
const APPEND_THREADS: usize = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over the rest.
const MAX_GROUPS: usize = 65_535;

fn plan_place(dims: &Dims, _target: Target) -> Plan {
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &PLACE_KERNEL,
            grid: [1, 1, 1],
            block: [PLACE_THREADS, 1, 1],
            push: ["begin", "width", "rows"]
                .map(|name| dim(dims, name) as u32)
                .to_vec(),
            buffers: vec![Slot::Input(0), Slot::Output(0), Slot::Output(1)],
            shared: 0,
        }],
    }
}

fn place(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [begin, width, rows] = ["begin", "width", "rows"].map(|name| dim(dims, name));
    let [position, turns] = outputs else {
        unreachable!("two outputs")
    };
    let position: &mut [u32] = bytemuck::cast_slice_mut(position);
    let at = match begin {
        0 => position[0] as usize + 1,
        begin => begin - 1,
    };
    position[0] = at as u32;
    let row = at.min(rows - 1) * width * size_of::<f32>();
    turns.copy_from_slice(&inputs[0][row..][..width * size_of::<f32>()]);
}

fn plan_append(dims: &Dims, _target: Target) -> Plan {
    let [layers, keys, stride, room] = append_sizes(dims);
    let [keys, stride] = [keys, stride].map(|halves| halves / VECTOR);
    let inputs = (0..3).map(Slot::Input);
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &APPEND_KERNEL,
            grid: [
                (layers * keys).div_ceil(APPEND_THREADS).min(MAX_GROUPS) as u32,
                1,
                1,
            ],
            block: [APPEND_THREADS as u32, 1, 1],
            push: [layers, keys, stride, room].map(|size| size as u32).to_vec(),
            buffers: inputs.chain((0..2).map(Slot::Output)).collect(),
            shared: 0,
        }],
    }
}

fn append(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [layers, keys, stride, room] = append_sizes(dims);
    let position: &[u32] = bytemuck::cast_slice(inputs[2]);
    let at = position[0] as usize;
    if at >= room {
        return;
    }
    for (cache, new) in outputs.iter_mut().zip(inputs) {
        for layer in 0..layers {
            let [from, to] = [layer * stride, (layer * room + at) * keys].map(|half| half * size_of::<u16>());
            let bytes = keys * size_of::<u16>();
            cache[to..to + bytes].copy_from_slice(&new[from..from + bytes]);
        }
    }
}

fn append_sizes(dims: &Dims) -> [usize; 4] {
    ["layers", "keys", "stride", "room"].map(|name| dim(dims, name))
}
