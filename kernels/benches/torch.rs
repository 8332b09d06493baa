//! The CPU against PyTorch on the same threads: products, attention, convolution, the optimizer, a block forwards and
//! backwards, a whole network and a step of its training.
//!
//! `cargo bench -p hallmark-kernels --bench torch` needs PyTorch, which runs each operation in the fastest way it has.

#[path = "peers/peer.rs"]
mod peer;
#[path = "peers/race.rs"]
mod race;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use peer::Peer;
use race::{Rival, races};

const fn rival(
    workload: &'static str,
    dims: &'static [(&'static str, u64)],
    request: &'static str,
    launches: u64,
    gflop: f64,
) -> Rival {
    Rival {
        workload,
        first: None,
        dims,
        launches,
        runs: 1,
        peer: |_| Peer::torch(),
        request,
        unit: "GFLOP/s",
        work: gflop,
        wanted: 1.0,
    }
}

const ADAMW: u64 = 4096 * 4096;

/// A product of square matrices.
macro_rules! product {
    ($side:literal, $launches:literal) => {
        rival(
            "gemm.f32.v1",
            &[("m", $side), ("n", $side), ("k", $side)],
            concat!("matmul ", $side, " "),
            $launches,
            2e-9 * ($side * $side * $side) as f64,
        )
    };
}

/// Square images: batch, side, channels in and out, then kernel, stride, padding and side of the output.
macro_rules! convolution {
    ($batch:literal, $side:literal, $cin:literal, $cout:literal, $launches:literal) => {
        convolution!($batch, $side, $cin, $cout, 3, 1, 1, $side, $launches)
    };
    ($batch:literal, $side:literal, $cin:literal, $cout:literal, $kernel:literal, $stride:literal, $pad:literal,
     $out:literal, $launches:literal) => {
        rival(
            "conv2d.f16.v1",
            &[
                ("batch", $batch),
                ("height", $side),
                ("width", $side),
                ("cin", $cin),
                ("cout", $cout),
                ("kernel", $kernel),
                ("stride", $stride),
                ("pad", $pad),
                ("oheight", $out),
                ("owidth", $out),
            ],
            concat!(
                "conv2d ", $batch, " ", $side, " ", $cin, " ", $cout, " ", $kernel, " ", $stride, " ", $pad,
                " "
            ),
            $launches,
            2e-9 * ($batch * $out * $out * $cin) as f64 * ($cout * $kernel * $kernel) as f64,
        )
    };
}

/// Llama 3 8B's heads over a prompt.
macro_rules! attention {
    ($tokens:literal, $launches:literal) => {
        rival(
            "attention.prefill.f16.v1",
            &[("tokens", $tokens), ("heads", 32), ("kvheads", 8), ("head", 128)],
            concat!("attention ", $tokens, " 32 8 128 "),
            $launches,
            2e-9 * (32 * 128 * $tokens) as f64 * ($tokens + 1) as f64,
        )
    };
}

const RIVALS: &[Rival] = &[
    product!(512, 40),
    product!(1024, 10),
    attention!(512, 4),
    attention!(2048, 1),
    // ResNet-50, eight images; SDXL's UNet, two.
    convolution!(8, 224, 3, 64, 7, 2, 3, 112, 5),
    convolution!(8, 56, 64, 64, 5),
    convolution!(8, 28, 128, 128, 5),
    convolution!(8, 14, 256, 256, 5),
    convolution!(8, 7, 512, 512, 5),
    convolution!(8, 14, 256, 1024, 1, 1, 0, 14, 10),
    convolution!(2, 64, 640, 640, 1),
    convolution!(2, 128, 320, 320, 1),
    Rival {
        unit: "GB/s",
        work: 28e-9 * ADAMW as f64,
        ..rival("adamw.f32.v1", &[("n", ADAMW)], "adamw 16777216 ", 3, 0.0)
    },
    // TinyLlama 1.1B, forwards and backwards over 128 tokens.
    rival(
        "train.block.f32.v1",
        &[
            ("tokens", 128),
            ("hidden", 2048),
            ("heads", 32),
            ("kvheads", 4),
            ("width", 64),
            ("inner", 5632),
        ],
        "block 128 2048 32 4 64 5632 ",
        1,
        34.024194,
    ),
    // Llama 160M, a prompt of 128 tokens.
    rival(
        "llm.prefill.v1",
        &[
            ("tokens", 128),
            ("layers", 12),
            ("hidden", 768),
            ("heads", 12),
            ("kvheads", 12),
            ("head", 64),
            ("ffn", 3072),
            ("vocab", 32_000),
        ],
        "prefill 128 12 768 12 12 64 3072 32000 ",
        1,
        29.34,
    ),
    // Four blocks of SmolLM2 135M, 256 tokens.
    rival(
        "train.step.v1",
        &[
            ("tokens", 256),
            ("layers", 4),
            ("hidden", 576),
            ("heads", 9),
            ("kvheads", 3),
            ("width", 64),
            ("inner", 1536),
            ("vocab", 49_152),
            ("block", 3_540_096),
        ],
        "step 256 4 576 9 3 64 1536 49152 ",
        1,
        67.19,
    ),
];

fn torch(criterion: &mut Criterion) {
    races(criterion, RIVALS);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(12)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(8));
    targets = torch
}
criterion_main!(benches);
