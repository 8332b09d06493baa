//! Products of f32 matrices in every order that training needs, batches of them, and a sum with a third matrix.
//!
//! What a product is comes with each launch, so that one kernel serves forward and backward passes of any network.

use attest::spec::Dims;

use crate::product::{Batch, Matrices, Shape};
use crate::specify::dims_of;
use crate::stages::{Op, Stage};
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// A and B, and a third matrix that is added where C is not added to itself, to C. Sizes are those of [`Product::stage`].
static OP: Op = Op {
    plan,
    cpu,
    limits: None,
};

static KERNEL: Kernel = Kernel {
    name: "matmul_f32",
    folder: "matmul",
    ptx: Some(include_str!("matmul/matmul_f32.ptx")),
    spirv: Some(include_bytes!("matmul/matmul_f32.spv")),
};

/// Rows and columns of C that one block computes.
const TILE: u32 = 128;

const THREADS: u32 = 256;

/// One operand of the products of a batch, in elements.
#[derive(Clone, Copy)]
pub(crate) struct Operand {
    pub(crate) slot: Slot,
    /// From one row, as it is stored, to the next.
    pub(crate) pitch: usize,
    /// From one product's matrix to the next one's.
    pub(crate) stride: usize,
}

impl Operand {
    /// The only matrix of its buffer, with rows of `pitch` elements.
    pub(crate) fn whole(slot: Slot, pitch: usize) -> Self {
        Self {
            slot,
            pitch,
            stride: 0,
        }
    }
}

/// How an operand stands in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// A row for each row (A) or column (B) of C, k elements long.
    AlongK,
    /// A row for each step of k.
    AcrossK,
}

use Order::{AcrossK, AlongK};

/// C = `factor` A B, plus `addend` where there is one, `batch` times.
pub(crate) struct Product {
    pub(crate) sizes: [usize; 3],
    pub(crate) a: (Operand, Order),
    pub(crate) b: (Operand, Order),
    pub(crate) c: Operand,
    /// Laid out as C; may be C itself.
    pub(crate) addend: Option<Slot>,
    pub(crate) factor: f32,
    pub(crate) batch: usize,
    /// Products in a row that share one B.
    pub(crate) group: usize,
}

impl Product {
    /// One product of whole matrices of `m * k` and `n * k` elements into one of `m * n`.
    pub(crate) fn plain([m, n, k]: [usize; 3], a: (Slot, Order), b: (Slot, Order), c: Slot) -> Self {
        let operand = |(slot, order): (Slot, Order), across| {
            let pitch = if order == AlongK { k } else { across };
            (Operand::whole(slot, pitch), order)
        };
        Self {
            sizes: [m, n, k],
            a: operand(a, m),
            b: operand(b, n),
            c: Operand::whole(c, n),
            addend: None,
            factor: 1.0,
            batch: 1,
            group: 1,
        }
    }

    pub(crate) fn plus(self, addend: Slot) -> Self {
        Self {
            addend: Some(addend),
            ..self
        }
    }

    pub(crate) fn stage(self) -> Stage {
        let [a, b] = [self.a, self.b].map(|(operand, _)| operand.slot);
        let c = self.c.slot;
        let more = self.addend.filter(|addend| *addend != c);
        let [m, n, k] = self.sizes;
        let [across_a, across_b] = [self.a, self.b].map(|(_, order)| usize::from(order == AcrossK));
        let (operands, added) = ([self.a.0, self.b.0, self.c], usize::from(self.addend.is_some()));
        let [pitch_a, pitch_b, pitch_c] = operands.map(|operand| operand.pitch);
        let [stride_a, stride_b, stride_c] = operands.map(|operand| operand.stride);
        let sizes = [
            m,
            n,
            k,
            pitch_a,
            pitch_b,
            pitch_c,
            stride_a,
            stride_b,
            stride_c,
            across_a,
            across_b,
            added,
            self.group,
            self.batch,
            self.factor.to_bits() as usize,
            usize::from(more.is_some()),
        ];
        let sizes: Vec<_> = SIZES.into_iter().zip(sizes.map(|size| size as u64)).collect();
        Stage {
            op: OP,
            dims: dims_of(&sizes),
            inputs: [a, b].into_iter().chain(more).collect(),
            outputs: vec![c],
        }
    }
}

/// In the order of the kernel's words but for the last three.
const SIZES: [&str; 16] = [
    "m", "n", "k", "pitch_a", "pitch_b", "pitch_c", "stride_a", "stride_b", "stride_c", "across_a",
    "across_b", "added", "group", "batch", "factor", "third",
];

fn plan(dims: &Dims, _target: Target) -> Plan {
    let sizes = SIZES.map(|name| dim(dims, name) as u32);
    let [m, n, .., across_a, across_b, added, group, batch, factor, third] = sizes;
    let c = Slot::Output(0);
    let addend = if third == 1 { Slot::Input(2) } else { c };
    let flags = across_a | across_b << 1 | added << 2 | group << 3;
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [n.div_ceil(TILE), m.div_ceil(TILE), batch],
            block: [THREADS, 1, 1],
            push: [&sizes[..9], &[flags, factor]].concat(),
            buffers: vec![Slot::Input(0), Slot::Input(1), addend, c],
            shared: 0,
        }],
    }
}

fn cpu(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let sizes = SIZES.map(|name| dim(dims, name));
    let [
        m,
        n,
        k,
        pitch_a,
        pitch_b,
        pitch_c,
        stride_a,
        stride_b,
        stride_c,
        across_a,
        across_b,
        ..,
    ] = sizes;
    let [.., added, group, batch, factor, third] = sizes;
    let matrices = |index: usize, pitch, stride, across| Matrices {
        elements: bytemuck::cast_slice(inputs[index]),
        pitch,
        stride,
        order: if across == 1 { AcrossK } else { AlongK },
    };
    if third == 1 {
        outputs[0].copy_from_slice(inputs[2]);
    }
    let product = Batch {
        shape: Shape { m, n, k },
        count: batch,
        group,
        a: matrices(0, pitch_a, stride_a, across_a),
        b: matrices(1, pitch_b, stride_b, across_b),
        pitch: pitch_c,
        stride: stride_c,
        factor: f32::from_bits(factor as u32),
        keep: added == 1,
    };
    product.run(bytemuck::cast_slice_mut(outputs[0]));
}
