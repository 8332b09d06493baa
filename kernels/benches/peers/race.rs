//! Ours and a peer in turn, pair by pair, so that a machine which slows down slows both; the figure is the median of the
//! pairs' ratios. Criterion times ours, within the same pairs.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use attest::statement::PathClass;
use criterion::{Criterion, SamplingMode};
use kernels::device::{Device, Loaded, discover};
use kernels::workload::Workload;
use kernels::{catalogue, inputs};

use attest::spec::Dims;

use crate::peer::{self, Peer};

/// OpenBLAS and OpenMP keep their threads spinning for up to 30 ms after a call.
const SPIN: Duration = Duration::from_millis(40);

/// How long ours runs before it is timed: meanwhile the processors idled, and virtual ones run two threads on one of them for
/// milliseconds after that. The peer is asked right after ours, when they are awake.
const WAKING: Duration = SPIN;

/// A step of ours that the peer's run includes: a workload, and its sizes from those of the rival.
pub(crate) type Step = (&'static Workload, fn(&Dims) -> Dims);

/// One workload and what it is compared with.
pub(crate) struct Rival {
    pub(crate) workload: &'static str,
    /// What runs before each launch, counted in its time.
    pub(crate) first: Option<Step>,
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
#[allow(dead_code, reason = "one bench races on other devices too")]
pub(crate) fn races(criterion: &mut Criterion, rivals: &[Rival]) {
    let devices = discover().devices;
    let cpu = devices
        .iter()
        .find(|device| device.facts().id == "cpu:0")
        .expect("a CPU is always found");
    races_on(criterion, cpu.as_ref(), rivals);
}

pub(crate) fn races_on(criterion: &mut Criterion, device: &dyn Device, rivals: &[Rival]) {
    for rival in rivals {
        race(criterion, device, rival);
    }
}

fn race(criterion: &mut Criterion, device: &dyn Device, rival: &Rival) {
    let (pairs, mut sides) = (RefCell::new(Vec::new()), None);
    let mut group = criterion.benchmark_group(rival.workload);
    // A pair's time is known only once both sides have woken up: samples of as many pairs each ask for no more.
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(rival.request.trim(), |bencher| {
        // Here, so that a bench which a filter leaves out loads nothing.
        let sides = sides.get_or_insert_with(|| Sides::load(device, rival));
        bencher.iter_custom(|iterations| {
            let ours = (0..iterations).map(|_| {
                let pair = sides.pair(rival);
                pairs.borrow_mut().push(pair);
                Duration::from_nanos(pair.ours as u64)
            });
            ours.sum()
        });
    });
    group.finish();
    if let Some(sides) = sides {
        report(rival, &sides.peer, &pairs.into_inner());
    }
}

/// Both, loaded: ours in the steps of a launch.
struct Sides<'a> {
    ours: Vec<Box<dyn Loaded + 'a>>,
    peer: Peer,
}

impl<'a> Sides<'a> {
    /// After a first run of each, in which the peer may choose among its ways.
    fn load(device: &'a dyn Device, rival: &Rival) -> Self {
        let workload: &Workload = catalogue::find(rival.workload).expect("in the catalogue");
        let dims: Dims = { rival.dims.iter() }
            .map(|&(name, size)| (name.to_owned(), size))
            .collect();
        let first = rival.first.map(|(step, sizes)| (step, sizes(&dims)));
        let steps = first.into_iter().chain([(workload, dims)]);
        let mut sides = Self {
            ours: steps
                .map(|(workload, dims)| loaded(device, workload, &dims))
                .collect(),
            peer: (rival.peer)(rival.dims[0].1),
        };
        sides.pair(rival);
        sides
    }

    /// Wall time of each side in turn, both after runs that wake threads and fill caches.
    fn pair(&mut self, rival: &Rival) -> Pair {
        let theirs = self.peer.time(rival.request, rival.launches * rival.runs);
        std::thread::sleep(SPIN);
        let ours: Duration = { self.ours.iter_mut() }
            .map(|step| {
                let waking = Instant::now();
                while waking.elapsed() < WAKING {
                    step.run(1).expect("a launch that wakes the threads");
                }
                let start = Instant::now();
                step.run(rival.launches).expect("launches");
                start.elapsed()
            })
            .sum();
        let a_launch = |time: Duration| time.as_nanos() as f64 / rival.launches as f64;
        Pair {
            ours: a_launch(ours),
            peer: a_launch(theirs),
        }
    }
}

fn loaded<'a>(device: &'a dyn Device, workload: &Workload, dims: &Dims) -> Box<dyn Loaded + 'a> {
    let inputs = inputs::generate(workload, dims, &attest::exact::PUBLIC_SEED);
    let loaded = device.load(workload, PathClass::Portable, dims, &inputs, 1);
    loaded.expect("memory for the case")
}

#[allow(clippy::print_stdout, reason = "the ratio is what the bench is for")]
fn report(rival: &Rival, peer: &Peer, pairs: &[Pair]) {
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
