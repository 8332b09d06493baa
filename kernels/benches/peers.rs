//! The CPU against its peers on the same threads: `gemm.f32` against OpenBLAS, `mem.copy` and `mem.triad` against a C STREAM.
//!
//! Ours and the peer alternate, pair by pair, so that a machine which slows down slows both; the figure is the median of
//! the pairs' ratios. Criterion times ours, within the same pairs.
//!
//! `cargo bench -p hallmark-kernels --bench peers` needs a C compiler and numpy; an absent peer is an error.

#[path = "peers/peer.rs"]
mod peer;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use kernels::catalogue;
use kernels::device::{Device, discover};
use kernels::inputs;
use kernels::workload::Workload;
use peer::Peer;

/// OpenBLAS and OpenMP keep their threads spinning for up to 30 ms after a call.
const SPIN: Duration = Duration::from_millis(40);

/// One workload and what it is compared with.
struct Rival {
    workload: &'static str,
    dims: &'static [(&'static str, u64)],
    /// Launches of one side of a pair.
    launches: u64,
    peer: fn(u64) -> Peer,
    request: &'static str,
    unit: &'static str,
    /// Work of one launch in units of 10^9.
    work: f64,
    wanted: f64,
}

/// 256 MiB of f32, far past any cache.
const ARRAY: u64 = 1 << 26;

const RIVALS: &[Rival] = &[
    Rival {
        workload: "gemm.f32.v1",
        dims: &[("m", 1024), ("n", 1024), ("k", 1024)],
        launches: 10,
        peer: Peer::openblas,
        request: "",
        unit: "GFLOP/s",
        work: 2.0 * 1.073_741_824,
        wanted: 0.9,
    },
    Rival {
        workload: "mem.copy.v1",
        dims: &[("n", ARRAY)],
        launches: 3,
        peer: Peer::stream,
        request: "copy ",
        unit: "GB/s",
        work: 8e-9 * ARRAY as f64,
        wanted: 0.95,
    },
    Rival {
        workload: "mem.triad.v1",
        dims: &[("n", ARRAY)],
        launches: 3,
        peer: Peer::stream,
        request: "triad ",
        unit: "GB/s",
        work: 12e-9 * ARRAY as f64,
        wanted: 0.95,
    },
];

/// Nanoseconds of one launch on each side.
#[derive(Clone, Copy)]
struct Pair {
    ours: f64,
    peer: f64,
}

fn peers(criterion: &mut Criterion) {
    let devices = discover().devices;
    let cpu = devices
        .iter()
        .find(|device| device.facts().id == "cpu:0")
        .expect("a CPU is always found");
    for rival in RIVALS {
        race(criterion, cpu.as_ref(), rival);
    }
}

fn race(criterion: &mut Criterion, cpu: &dyn Device, rival: &Rival) {
    let workload: &Workload = catalogue::find(rival.workload).expect("in the catalogue");
    let dims = rival
        .dims
        .iter()
        .map(|&(name, size)| (name.to_owned(), size))
        .collect();
    let inputs = inputs::generate(workload, &dims, &attest::exact::PUBLIC_SEED);
    let mut loaded = cpu
        .load(workload, &dims, &inputs, 1)
        .expect("memory for the case");
    let mut peer = (rival.peer)(rival.dims[0].1);
    let pairs = RefCell::new(Vec::new());
    let mut pair = || {
        let theirs = peer.time(rival.request, rival.launches);
        std::thread::sleep(SPIN);
        loaded.run(1).expect("a launch that wakes the threads");
        let start = Instant::now();
        loaded.run(rival.launches).expect("launches");
        let ours = start.elapsed();
        pairs.borrow_mut().push(Pair {
            ours: ours.as_nanos() as f64 / rival.launches as f64,
            peer: theirs.as_nanos() as f64 / rival.launches as f64,
        });
        ours / u32::try_from(rival.launches).expect("a few launches")
    };
    criterion.bench_function(rival.workload, |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| pair()).sum());
    });
    report(rival, &peer, &pairs.into_inner());
}

#[allow(clippy::print_stdout, reason = "the ratio is what the bench is for")]
fn report(rival: &Rival, peer: &Peer, pairs: &[Pair]) {
    if pairs.is_empty() {
        return;
    }
    let median = |figure: fn(&Pair) -> f64| {
        let mut figures: Vec<f64> = pairs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let ratio = median(|pair| pair.peer / pair.ours);
    let rate = |nanoseconds: f64| rival.work * 1e9 / nanoseconds;
    println!(
        "{}: {ratio:.3} of {} ({} wanted: {}); ours {:.1} {unit}, peer {:.1} {unit}; medians of {} pairs, {} threads",
        rival.workload,
        peer.name,
        rival.wanted,
        if ratio >= rival.wanted { "met" } else { "MISSED" },
        rate(median(|pair| pair.ours)),
        rate(median(|pair| pair.peer)),
        pairs.len(),
        peer::threads(),
        unit = rival.unit,
    );
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
