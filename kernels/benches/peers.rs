//! The CPU against its peers on the same threads: `gemm.f32` against OpenBLAS, `mem.copy` and `mem.triad` against a C STREAM.
//!
//! `cargo bench -p hallmark-kernels --bench peers` needs a C compiler and numpy; an absent peer is an error.

#[path = "peers/peer.rs"]
mod peer;
#[path = "peers/race.rs"]
mod race;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use peer::Peer;
use race::{Rival, races};

/// 256 MiB of f32, far past any cache.
const ARRAY: u64 = 1 << 26;

const RIVALS: &[Rival] = &[
    Rival {
        workload: "gemm.f32.v1",
        first: None,
        dims: &[("m", 1024), ("n", 1024), ("k", 1024)],
        launches: 10,
        runs: 1,
        peer: Peer::openblas,
        request: "",
        unit: "GFLOP/s",
        work: 2.0 * 1.073_741_824,
        wanted: 0.9,
    },
    Rival {
        workload: "mem.copy.v1",
        first: None,
        dims: &[("n", ARRAY)],
        launches: 3,
        runs: 1,
        peer: Peer::stream,
        request: "copy ",
        unit: "GB/s",
        work: 8e-9 * ARRAY as f64,
        wanted: 0.95,
    },
    Rival {
        workload: "mem.triad.v1",
        first: None,
        dims: &[("n", ARRAY)],
        launches: 3,
        runs: 1,
        peer: Peer::stream,
        request: "triad ",
        unit: "GB/s",
        work: 12e-9 * ARRAY as f64,
        wanted: 0.95,
    },
];

fn peers(criterion: &mut Criterion) {
    races(criterion, RIVALS);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(10));
    targets = peers
}
criterion_main!(benches);
