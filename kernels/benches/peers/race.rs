//! Ours and a peer in turn, pair by pair, so that a machine which slows down slows both; the figure is the median of the
//! pairs' ratios. Criterion times ours, within the same pairs.

use attest::statement::PathClass;
use std::cell::RefCell;
use std::time::{Duration, Instant};

use criterion::Criterion;
use kernels::device::{Device, discover};
use kernels::workload::Workload;
use kernels::{catalogue, inputs};

use crate::peer::{self, Peer};

/// OpenBLAS and OpenMP keep their threads spinning for up to 30 ms after a call.
const SPIN: Duration = Duration::from_millis(40);

/// One workload and what it is compared with.
pub(crate) struct Rival {
    pub(crate) workload: &'static str,
    pub(crate) dims: &'static [(&'static str, u64)],
    /// Launches of our side of a pair.
    pub(crate) launches: u64,
    /// Runs of the peer that are the work of one launch.
    pub(crate) runs: u64,
    pub(crate) peer: fn(u64) -> Peer,
    pub(crate) request: &'static str,
    pub(crate) unit: &'static str,
    /// Work of one launch in units of 10^9.
    pub(crate) work: f64,
    pub(crate) wanted: f64,
}

/// Nanoseconds of one launch on each side.
#[derive(Clone, Copy)]
struct Pair {
    ours: f64,
    peer: f64,
}

/// Runs every rival on this machine's processor.
pub(crate) fn races(criterion: &mut Criterion, rivals: &[Rival]) {
    let devices = discover().devices;
    let cpu = devices
        .iter()
        .find(|device| device.facts().id == "cpu:0")
        .expect("a CPU is always found");
    for rival in rivals {
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
        .load(workload, PathClass::Portable, &dims, &inputs, 1)
        .expect("memory for the case");
    let mut peer = (rival.peer)(rival.dims[0].1);
    let pairs = RefCell::new(Vec::new());
    let mut pair = || {
        let theirs = peer.time(rival.request, rival.launches * rival.runs);
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
    let name = format!("{} {}", rival.workload, rival.request.trim());
    criterion.bench_function(name.trim(), |bencher| {
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
    let sizes: Vec<String> = { rival.dims.iter() }
        .map(|(name, size)| format!("{name}={size}"))
        .collect();
    println!(
        "{} {}: {ratio:.3} of {} ({} wanted: {}); ours {:.1} {unit}, peer {:.1} {unit}; medians of {} pairs, {} threads",
        rival.workload,
        sizes.join(" "),
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
