//! How the kernels are launched.

use attest::exact::llm::Shape;
use attest::exact::llm::math::{reciprocal, rsqrt};
use attest::spec::Dims;
use attest::statement::Api;

use super::MAX_GROUPS;
use crate::gemm_f32_exact;
use crate::specify::dims_of;
use crate::workload::{Kernel, Launch, Plan, Slot, Target};

macro_rules! kernel {
    ($name:literal) => {
        Kernel {
            name: $name,
            folder: "llm_exact",
            ptx: Some(include_str!(concat!($name, ".ptx"))),
            spirv: Some(include_bytes!(concat!($name, ".spv"))),
        }
    };
}

static ATTENTION: Kernel = kernel!("llm_exact");
static NORM: Kernel = kernel!("llm_exact_norm");
static TURN: Kernel = kernel!("llm_exact_turn");
static SOFTMAX: Kernel = kernel!("llm_exact_softmax");
static GATE: Kernel = kernel!("llm_exact_gate");
static ADD: Kernel = kernel!("llm_exact_add");

const THREADS: usize = 256;

/// Rows and columns of a tile of the attention.
const TILE: usize = 64;

const X: Slot = Slot::Input(0);
const ATTENTION_NORM: Slot = Slot::Input(1);
const QKV: Slot = Slot::Input(2);
const TURNS: Slot = Slot::Input(3);
const OUT: Slot = Slot::Input(4);
const FFN_NORM: Slot = Slot::Input(5);
const GATE_WEIGHTS: Slot = Slot::Input(6);
const UP_WEIGHTS: Slot = Slot::Input(7);
const DOWN: Slot = Slot::Input(8);
const Y: Slot = Slot::Output(0);

/// Normalized rows.
const NORMED: Slot = Slot::Scratch(0);
/// Queries, keys and values of each token.
const HEADS: Slot = Slot::Scratch(1);
/// What the heads took from the values.
const ATTENDED: Slot = Slot::Scratch(2);
/// What is added to the residual stream.
const CHANGE: Slot = Slot::Scratch(3);
/// The residual stream after the attention.
const MIDDLE: Slot = Slot::Scratch(4);
const GATES: Slot = Slot::Scratch(5);
const UPS: Slot = Slot::Scratch(6);
/// Scores and then shares, `[head][token][key]`; on the CPU keys, `[kv][element][token]`.
const SCORES: Slot = Slot::Scratch(7);

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let shape = Shape::of(dims).expect("sizes within the limits");
    Plan {
        scratch: scratch(&shape, target),
        launches: match target.api {
            Api::Cpu => vec![],
            _ => launches(&shape, target),
        },
    }
}

fn scratch(shape: &Shape, target: Target) -> Vec<u64> {
    let Shape { tokens, hidden, .. } = *shape;
    let stream = tokens * hidden;
    let heads = shape.queries() + 2 * shape.keys();
    let scores = match target.api {
        Api::Cpu => shape.keys() * tokens,
        _ => shape.heads * tokens * tokens,
    };
    let elements = [
        stream,
        tokens * heads,
        tokens * shape.queries(),
        stream,
        stream,
        tokens * shape.ffn,
        tokens * shape.ffn,
        scores,
    ];
    elements.map(|elements| 4 * elements as u64).to_vec()
}

fn launches(shape: &Shape, target: Target) -> Vec<Launch> {
    let Shape {
        tokens, hidden, ffn, ..
    } = *shape;
    let (queries, keys) = (shape.queries(), shape.keys());
    let product = |a, b, c, n, k| product([tokens, n, k], [a, b, c], target);
    vec![
        norm(shape, X, ATTENTION_NORM, false),
        product(NORMED, QKV, HEADS, queries + 2 * keys, hidden),
        turn(shape),
        attention(shape, [HEADS, HEADS, SCORES], false),
        softmax(shape),
        attention(shape, [SCORES, HEADS, ATTENDED], true),
        product(ATTENDED, OUT, CHANGE, hidden, queries),
        norm(shape, X, FFN_NORM, true),
        product(NORMED, GATE_WEIGHTS, GATES, ffn, hidden),
        product(NORMED, UP_WEIGHTS, UPS, ffn, hidden),
        elements(&GATE, vec![GATES, UPS], tokens * ffn),
        product(GATES, DOWN, CHANGE, hidden, ffn),
        elements(&ADD, vec![MIDDLE, CHANGE, Y], tokens * hidden),
    ]
}

/// C = A Bᵀ of m, n and k, on the buffers A, B and C.
fn product(sizes: [usize; 3], buffers: [Slot; 3], target: Target) -> Launch {
    let [m, n, k] = sizes.map(|size| size as u64);
    let dims = dims_of(&[("m", m), ("n", n), ("k", k)]);
    let mut plan = (gemm_f32_exact::WORKLOAD.plan)(&dims, target);
    Launch {
        buffers: buffers.to_vec(),
        ..plan.launches.pop().expect("a product is one launch")
    }
}

/// Of `x`, or where `plus` says so of `x` and the change, whose sum becomes the middle.
fn norm(shape: &Shape, x: Slot, weights: Slot, plus: bool) -> Launch {
    let share = reciprocal(shape.hidden as f32).to_bits();
    Launch {
        kernel: &NORM,
        grid: [shape.tokens.min(MAX_GROUPS) as u32, 1, 1],
        block: [THREADS as u32, 1, 1],
        push: vec![shape.tokens as u32, shape.hidden as u32, share, u32::from(plus)],
        buffers: vec![x, CHANGE, weights, MIDDLE, NORMED],
        shared: 0,
    }
}

fn turn(shape: &Shape) -> Launch {
    let pairs = shape.tokens * (shape.queries() + 2 * shape.keys()) / 2;
    let sizes = [shape.tokens, shape.heads, shape.kv, shape.width].map(|size| size as u32);
    Launch {
        push: [&sizes[..], &[rsqrt(shape.width as f32).to_bits()]].concat(),
        ..elements(&TURN, vec![HEADS, TURNS], pairs)
    }
}

fn attention(shape: &Shape, buffers: [Slot; 3], values: bool) -> Launch {
    let columns = if values { shape.width } else { shape.tokens };
    let sizes = [
        shape.tokens,
        shape.heads,
        shape.kv,
        shape.width,
        usize::from(values),
    ];
    Launch {
        kernel: &ATTENTION,
        grid: [
            columns.div_ceil(TILE) as u32,
            shape.tokens.div_ceil(TILE) as u32,
            shape.heads as u32,
        ],
        block: [THREADS as u32, 1, 1],
        push: sizes.map(|size| size as u32).to_vec(),
        buffers: buffers.to_vec(),
        shared: 0,
    }
}

fn softmax(shape: &Shape) -> Launch {
    let rows = shape.heads * shape.tokens;
    Launch {
        kernel: &SOFTMAX,
        grid: [rows.min(MAX_GROUPS) as u32, 1, 1],
        block: [THREADS as u32, 1, 1],
        push: vec![rows as u32, shape.tokens as u32],
        buffers: vec![SCORES],
        shared: 0,
    }
}

/// One element a thread.
fn elements(kernel: &'static Kernel, buffers: Vec<Slot>, count: usize) -> Launch {
    Launch {
        kernel,
        grid: [count.div_ceil(THREADS).min(MAX_GROUPS) as u32, 1, 1],
        block: [THREADS as u32, 1, 1],
        push: vec![count as u32],
        buffers,
        shared: 0,
    }
}
