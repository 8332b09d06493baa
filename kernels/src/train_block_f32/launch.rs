//! How the kernels are launched.

use attest::spec::Dims;
use attest::statement::Api;

use super::Sizes;
use super::buffers::{Buffer, ON_GPUS, elements};
use crate::matmul::Order::{AcrossK, AlongK};
use crate::matmul::{Operand, Order, Product};
use crate::workload::{Kernel, Launch, Plan, Slot, Target};

macro_rules! kernel {
    ($name:ident, $stem:literal) => {
        static $name: Kernel = Kernel {
            name: $stem,
            folder: "train_block_f32",
            ptx: Some(include_str!(concat!($stem, ".ptx"))),
            spirv: Some(include_bytes!(concat!($stem, ".spv"))),
        };
    };
}

kernel!(SOFTMAX, "train_block_f32");
kernel!(SOFTMAX_BACK, "train_block_f32_softmax_back");
kernel!(NORM, "train_block_f32_norm");
kernel!(NORM_BACK, "train_block_f32_norm_back");
kernel!(NORM_WEIGHT, "train_block_f32_norm_weight");
kernel!(TURN, "train_block_f32_turn");
kernel!(SWIGLU, "train_block_f32_swiglu");
kernel!(SWIGLU_BACK, "train_block_f32_swiglu_back");

const THREADS: usize = 256;

/// Every Vulkan device takes this many groups in one dimension; the kernels stride over the rest.
const MAX_GROUPS: usize = 65_535;

/// Inputs in the specification's order.
const X: Slot = Slot::Input(0);
const DY: Slot = Slot::Input(1);
const TABLE: Slot = Slot::Input(2);
const NORM1: Slot = Slot::Input(3);
const WQ: Slot = Slot::Input(4);
const WK: Slot = Slot::Input(5);
const WV: Slot = Slot::Input(6);
const WO: Slot = Slot::Input(7);
const NORM2: Slot = Slot::Input(8);
const GATE: Slot = Slot::Input(9);
const UP: Slot = Slot::Input(10);
const DOWN: Slot = Slot::Input(11);

/// Outputs in the specification's order.
const Y: Slot = Slot::Output(0);
const DX: Slot = Slot::Output(1);
const DNORM1: Slot = Slot::Output(2);
const DWQ: Slot = Slot::Output(3);
const DWK: Slot = Slot::Output(4);
const DWV: Slot = Slot::Output(5);
const DWO: Slot = Slot::Output(6);
const DNORM2: Slot = Slot::Output(7);
const DGATE: Slot = Slot::Output(8);
const DUP: Slot = Slot::Output(9);
const DDOWN: Slot = Slot::Output(10);

impl From<Buffer> for Slot {
    fn from(buffer: Buffer) -> Self {
        Self::Scratch(buffer as usize)
    }
}

pub(super) fn plan(dims: &Dims, target: Target) -> Plan {
    let sizes = Sizes::of(dims);
    let count = match target.api {
        Api::Cpu => elements(sizes).len(),
        Api::Cuda | Api::Vulkan => ON_GPUS,
    };
    let bytes = elements(sizes).map(|elements| (elements * size_of::<f32>()) as u64);
    let mut launches = sizes.forward();
    launches.extend(sizes.backward_mlp());
    launches.extend(sizes.backward_attention());
    Plan {
        scratch: bytes[..count].to_vec(),
        launches,
    }
}

/// Where a turn leads and whether it turns: see the kernel's contract.
const TO_HEADS: u32 = 0;
const TO_TOKENS: u32 = 1;
const TURNED: u32 = 2;

impl Sizes {
    fn forward(self) -> Vec<Launch> {
        use Buffer::{
            Attention, Flat, FlatKv, Gate, Inner, Key, Middle, Normal1, Normal2, Probability, Query, Scale1,
            Scale2, Up, Value,
        };
        let (query, key) = (self.heads * self.width, self.kvheads * self.width);
        vec![
            self.norm(X, NORM1, Normal1, Scale1),
            self.project(Normal1, WQ, Flat, query, self.hidden).launch(),
            self.turn(Flat, Query, self.heads, TO_HEADS | TURNED),
            self.project(Normal1, WK, FlatKv, key, self.hidden).launch(),
            self.turn(FlatKv, Key, self.kvheads, TO_HEADS | TURNED),
            self.project(Normal1, WV, Value, key, self.hidden).launch(),
            Product {
                factor: self.factor() as f32,
                ..self.scores(Query, (self.by_heads(Key), AlongK), Probability)
            }
            .launch(),
            self.rows(
                &SOFTMAX,
                self.heads * self.tokens,
                vec![Probability.into()],
                &[self.tokens],
            ),
            Product {
                c: self.by_tokens(Attention, self.heads),
                ..self.weighted(Probability, self.by_tokens(Value, self.kvheads), Attention)
            }
            .launch(),
            self.project(Attention, WO, Middle, self.hidden, query)
                .plus(X)
                .launch(),
            self.norm(Middle.into(), NORM2, Normal2, Scale2),
            self.project(Normal2, GATE, Gate, self.inner, self.hidden)
                .launch(),
            self.project(Normal2, UP, Up, self.inner, self.hidden).launch(),
            self.elementwise(&SWIGLU, [Gate, Up, Inner]),
            self.project(Inner, DOWN, Y, self.hidden, self.inner)
                .plus(Middle.into())
                .launch(),
        ]
    }

    fn backward_mlp(self) -> Vec<Launch> {
        use Buffer::{DInner, DMiddle, DNormal, Gate, Inner, Middle, Normal2, Scale2, Up};
        vec![
            self.back(DY, DOWN, DInner, self.hidden, self.inner).launch(),
            self.gradient(DY, Inner, DDOWN, self.hidden, self.inner),
            self.elementwise(&SWIGLU_BACK, [DInner, Gate, Up]),
            self.gradient(Gate, Normal2, DGATE, self.inner, self.hidden),
            self.gradient(Up, Normal2, DUP, self.inner, self.hidden),
            self.back(Gate, GATE, DNormal, self.inner, self.hidden).launch(),
            self.back(Up, UP, DNormal, self.inner, self.hidden)
                .plus(DNormal.into())
                .launch(),
            self.norm_weight(Middle.into(), Scale2, DNORM2),
            self.norm_back([Middle.into(), Scale2.into(), NORM2, DY], DMiddle),
        ]
    }

    fn backward_attention(self) -> Vec<Launch> {
        use Buffer::{
            Attention, DAttention, DKey, DMiddle, DNormal, DQuery, DScore, DValue, Flat, FlatKv, Key,
            Normal1, Probability, Query, Scale1, Value,
        };
        let (query, key) = (self.heads * self.width, self.kvheads * self.width);
        let factor = self.factor() as f32;
        vec![
            self.gradient(DMiddle, Attention, DWO, self.hidden, query),
            self.back(DMiddle, WO, Flat, self.hidden, query).launch(),
            self.turn(Flat, DAttention, self.heads, TO_HEADS),
            self.scores(DAttention, (self.by_tokens(Value, self.kvheads), AlongK), DScore)
                .launch(),
            Product {
                c: self.by_tokens(DValue, self.kvheads),
                ..self.gathered(Probability, DAttention, DValue)
            }
            .launch(),
            self.rows(
                &SOFTMAX_BACK,
                self.heads * self.tokens,
                vec![Probability.into(), DScore.into()],
                &[self.tokens],
            ),
            Product {
                factor,
                ..self.weighted(DScore, self.by_heads(Key), DQuery)
            }
            .launch(),
            Product {
                factor,
                ..self.gathered(DScore, Query, DKey)
            }
            .launch(),
            self.turn(DQuery, Flat, self.heads, TO_TOKENS | TURNED),
            self.turn(DKey, FlatKv, self.kvheads, TO_TOKENS | TURNED),
            self.gradient(Flat, Normal1, DWQ, query, self.hidden),
            self.gradient(FlatKv, Normal1, DWK, key, self.hidden),
            self.gradient(DValue, Normal1, DWV, key, self.hidden),
            self.back(Flat, WQ, DNormal, query, self.hidden).launch(),
            self.back(FlatKv, WK, DNormal, key, self.hidden)
                .plus(DNormal.into())
                .launch(),
            self.back(DValue, WV, DNormal, key, self.hidden)
                .plus(DNormal.into())
                .launch(),
            self.norm_weight(X, Scale1, DNORM1),
            self.norm_back([X, Scale1.into(), NORM1, DMiddle.into()], DX),
        ]
    }

    /// Rows of `from` columns times a weight's rows: `to` columns.
    fn project(
        self,
        x: impl Into<Slot>,
        weight: Slot,
        y: impl Into<Slot>,
        to: usize,
        from: usize,
    ) -> Product {
        Product::plain(
            [self.tokens, to, from],
            (x.into(), AlongK),
            (weight, AlongK),
            y.into(),
        )
    }

    /// What a projection passes back to its `to` columns from its `from` rows of weights.
    fn back(self, dy: impl Into<Slot>, weight: Slot, dx: Buffer, from: usize, to: usize) -> Product {
        Product::plain(
            [self.tokens, to, from],
            (dy.into(), AlongK),
            (weight, AcrossK),
            dx.into(),
        )
    }

    /// The gradient of a weight of `rows * columns`.
    fn gradient(self, dy: impl Into<Slot>, x: Buffer, dw: Slot, rows: usize, columns: usize) -> Launch {
        let sizes = [rows, columns, self.tokens];
        Product::plain(sizes, (dy.into(), AcrossK), (x.into(), AcrossK), dw).launch()
    }

    /// Matrices of `tokens * width`, one a head.
    fn by_heads(self, buffer: Buffer) -> Operand {
        Operand {
            slot: buffer.into(),
            pitch: self.width,
            stride: self.tokens * self.width,
        }
    }

    /// The same of `heads` heads side by side in each row.
    fn by_tokens(self, buffer: Buffer, heads: usize) -> Operand {
        Operand {
            slot: buffer.into(),
            pitch: heads * self.width,
            stride: self.width,
        }
    }

    /// A matrix of `tokens * tokens` for each head.
    fn by_scores(self, buffer: Buffer) -> Operand {
        Operand {
            slot: buffer.into(),
            pitch: self.tokens,
            stride: self.tokens * self.tokens,
        }
    }

    /// Each head's rows of `a` times those of its group's `b`.
    fn scores(self, a: Buffer, b: (Operand, Order), c: Buffer) -> Product {
        Product {
            sizes: [self.tokens, self.tokens, self.width],
            a: (self.by_heads(a), AlongK),
            b,
            c: self.by_scores(c),
            addend: None,
            factor: 1.0,
            batch: self.heads,
            group: self.group(),
        }
    }

    /// Each head's scores times the rows of its group's `b`.
    fn weighted(self, scores: Buffer, b: Operand, c: Buffer) -> Product {
        Product {
            sizes: [self.tokens, self.width, self.tokens],
            a: (self.by_scores(scores), AlongK),
            b: (b, AcrossK),
            c: self.by_heads(c),
            ..self.scores(c, (b, AcrossK), c)
        }
    }

    /// Transposed scores of a group's heads times their rows of `b`, summed: a group's matrices follow each other, so that
    /// the sum over heads and tokens is one.
    fn gathered(self, scores: Buffer, b: Buffer, c: Buffer) -> Product {
        let group = |operand: Operand| Operand {
            stride: operand.stride * self.group(),
            ..operand
        };
        Product {
            sizes: [self.tokens, self.width, self.group() * self.tokens],
            a: (group(self.by_scores(scores)), AcrossK),
            b: (group(self.by_heads(b)), AcrossK),
            c: self.by_heads(c),
            addend: None,
            factor: 1.0,
            batch: self.kvheads,
            group: 1,
        }
    }

    fn norm(self, x: Slot, weight: Slot, y: Buffer, scale: Buffer) -> Launch {
        let buffers = vec![x, weight, y.into(), scale.into()];
        self.rows(&NORM, self.tokens, buffers, &[self.hidden])
            .with(self.share())
    }

    fn norm_back(self, [x, scale, weight, more]: [Slot; 4], dx: impl Into<Slot>) -> Launch {
        let buffers = vec![Buffer::DNormal.into(), x, scale, weight, more, dx.into()];
        self.rows(&NORM_BACK, self.tokens, buffers, &[self.hidden])
            .with(self.share())
    }

    /// The bits of 1 / hidden, rounded once here: devices divide differently.
    fn share(self) -> u32 {
        ((1.0 / self.hidden as f64) as f32).to_bits()
    }

    fn norm_weight(self, x: Slot, scale: Buffer, dw: Slot) -> Launch {
        const COLUMNS: usize = 32;
        Launch {
            kernel: &NORM_WEIGHT,
            grid: [self.hidden.div_ceil(COLUMNS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: vec![self.tokens as u32, self.hidden as u32],
            buffers: vec![Buffer::DNormal.into(), x, scale.into(), dw],
            shared: 0,
        }
    }

    fn turn(self, from: Buffer, to: Buffer, heads: usize, flags: u32) -> Launch {
        let groups = (self.tokens * heads * self.width / 2).div_ceil(THREADS);
        Launch {
            kernel: &TURN,
            grid: [groups.min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: vec![self.tokens as u32, heads as u32, self.width as u32, flags],
            buffers: vec![from.into(), TABLE, to.into()],
            shared: 0,
        }
    }

    fn elementwise(self, kernel: &'static Kernel, buffers: [Buffer; 3]) -> Launch {
        let n = self.tokens * self.inner;
        Launch {
            kernel,
            grid: [n.div_ceil(THREADS).min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: vec![n as u32],
            buffers: buffers.map(Slot::from).into(),
            shared: 0,
        }
    }

    /// A block for each row.
    fn rows(self, kernel: &'static Kernel, rows: usize, buffers: Vec<Slot>, sizes: &[usize]) -> Launch {
        Launch {
            kernel,
            grid: [rows.min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: std::iter::once(rows)
                .chain(sizes.iter().copied())
                .map(|size| size as u32)
                .collect(),
            buffers,
            shared: 0,
        }
    }
}

impl Launch {
    fn with(mut self, word: u32) -> Self {
        self.push.push(word);
        self
    }
}
