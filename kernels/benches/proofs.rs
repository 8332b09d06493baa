//! Proofs on the CPU against peers on the same threads: `proof.mlp.i8` against the integer products of onnxruntime.
//!
//! `cargo bench -p hallmark-kernels --bench proofs` needs onnxruntime and onnx; an absent peer is an error.

#[path = "peers/peer.rs"]
mod peer;
#[path = "peers/race.rs"]
mod race;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use peer::Peer;
use race::{Rival, races};

/// A step is one product of the peer: 1024 lanes by 512 columns over 512 elements.
const STEPS: u64 = 16;

const RIVALS: &[Rival] = &[Rival {
    workload: "proof.mlp.i8.v1",
    first: None,
    dims: &[
        ("m", 1024),
        ("n", 512),
        ("layers", 8),
        ("steps", STEPS),
        ("nodes", 2047),
        ("key", 8),
        ("hash", 32),
    ],
    launches: 2,
    runs: STEPS,
    peer: |lanes| Peer::matmulinteger([lanes, 512, 512]),
    request: "",
    unit: "Gop/s",
    work: STEPS as f64 * 2.0 * 0.268_435_456,
    wanted: 0.7,
}];

fn proofs(criterion: &mut Criterion) {
    races(criterion, RIVALS);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(10));
    targets = proofs
}
criterion_main!(benches);
