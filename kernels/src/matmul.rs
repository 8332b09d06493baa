//! Products of f32 matrices on GPUs in every order that training needs, batches of them, and a sum with a third matrix.
//!
//! What a product is comes with each launch, so that one kernel serves forward and backward passes of any network.

use crate::workload::{Kernel, Launch, Slot};

static KERNEL: Kernel = Kernel {
    name: "matmul_f32",
    folder: "matmul",
    ptx: Some(include_str!("matmul/matmul_f32.ptx")),
    spirv: Some(include_bytes!("matmul/matmul_f32.spv")),
};

/// Rows and columns of C that one block computes.
const TILE: usize = 128;

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
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// A row for each row (A) or column (B) of C, k elements long.
    AlongK,
    /// A row for each step of k.
    AcrossK,
}

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
            let pitch = if order == Order::AlongK { k } else { across };
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

    pub(crate) fn launch(&self) -> Launch {
        let [m, n, k] = self.sizes.map(|size| size as u32);
        let bit = |set: bool, bit: u32| u32::from(set) << bit;
        let flags = bit(self.a.1 == Order::AcrossK, 0)
            | bit(self.b.1 == Order::AcrossK, 1)
            | bit(self.addend.is_some(), 2)
            | (self.group as u32) << 3;
        let operands = [self.a.0, self.b.0, self.c];
        let [a, b, c] = operands.map(|operand| operand.slot);
        let pitches = operands.map(|operand| operand.pitch as u32);
        let strides = operands.map(|operand| operand.stride as u32);
        Launch {
            kernel: &KERNEL,
            grid: [
                n.div_ceil(TILE as u32),
                m.div_ceil(TILE as u32),
                self.batch as u32,
            ],
            block: [THREADS, 1, 1],
            push: [
                &[m, n, k][..],
                &pitches,
                &strides,
                &[flags, self.factor.to_bits()],
            ]
            .concat(),
            buffers: vec![a, b, self.addend.unwrap_or(c), c],
            shared: 0,
        }
    }
}
