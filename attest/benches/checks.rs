//! What checking a proof costs on one core: `proof.mlp.i8` in operations, `proof.vram` in SHA-256 compressions.
//!
//! `cargo bench -p hallmark-attest --bench checks`

use std::hint::black_box;

use attest::digest::Sha256;
use attest::proof::{OPENED_LANES, Work};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Sampled lanes of as many as a large card holds.
fn samples(lanes: u64) -> Vec<u64> {
    (0..OPENED_LANES)
        .map(|sample| sample * (lanes / OPENED_LANES))
        .collect()
}

fn checks(criterion: &mut Criterion) {
    let seed = Sha256::of(b"checks");
    let mlp = Work::Mlp {
        lanes: 1 << 20,
        width: 512,
        layers: 8,
        steps: 512,
    };
    let vram = Work::Vram {
        entries: 1 << 30,
        lanes: 1 << 20,
        steps: 256,
        rounds: 16,
    };
    let mut group = criterion.benchmark_group("check of 66 lanes");
    for work in [mlp, vram] {
        let samples = samples(work.lanes());
        group.throughput(Throughput::Elements(work.check_cost().expect("no overflow")));
        group.bench_function(work.workload(), |bencher| {
            bencher.iter(|| work.recompute(black_box(&seed), &samples).expect("sound work"));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = checks
}
criterion_main!(benches);
