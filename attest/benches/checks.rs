//! What checking a proof costs on one core: `proof.mlp.i8` in operations and in weights drawn, `proof.vram` in SHA-256
//! compressions. Besides the usual shapes, those that cost most for what they count: the registry's door goes by them.
//!
//! `cargo bench -p hallmark-attest --bench checks`

use std::hint::black_box;

use attest::digest::Sha256;
use attest::proof::Work;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Opened lanes, spread over all.
fn samples(work: &Work) -> Vec<u64> {
    let apart = work.lanes() / work.opened();
    (0..work.opened()).map(|sample| sample * apart).collect()
}

fn mlp(lanes: u64, width: u64, layers: u64, steps: u64) -> Work {
    Work::Mlp {
        lanes,
        width,
        layers,
        steps,
    }
}

fn vram(lanes: u64, steps: u64) -> Work {
    Work::Vram {
        entries: 1 << 30,
        lanes,
        steps,
        rounds: 16,
    }
}

fn checks(criterion: &mut Criterion) {
    let seed = Sha256::of(b"checks");
    let mut group = criterion.benchmark_group("check");
    for (what, work) in [
        ("66 lanes of 512", mlp(1 << 20, 512, 8, 512)),
        ("66 lanes of 1024", mlp(1 << 20, 1024, 4, 128)),
        ("66 lanes of 64", mlp(1 << 20, 64, 1, 20_000)),
        ("7 lanes of 64", mlp(7, 64, 1, 100_000)),
        ("1 lane of 1024", mlp(1, 1024, 16, 2000)),
        ("1 lane of 64", mlp(1, 64, 1, 200_000)),
        ("66 lanes", vram(1 << 20, 256)),
        ("1 lane", vram(1, 1 << 14)),
    ] {
        let cost = work.check_cost().expect("no overflow");
        group.throughput(Throughput::Elements(cost));
        group.bench_function(format!("{}, {what}", work.workload()), |bencher| {
            let samples = samples(&work);
            bencher.iter(|| work.recompute(black_box(&seed), &samples).expect("sound work"));
        });
    }
    let weights = mlp(66, 1024, 16, 1);
    group.throughput(Throughput::Elements(16 << 20));
    group.bench_function("weights of proof.mlp.i8.v1", |bencher| {
        bencher.iter(|| weights.recompute(black_box(&seed), &[0]).expect("sound work"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = checks
}
criterion_main!(benches);
