//! Workloads that memory sets the speed of against the same device's own `mem.triad`, in bytes a second, on every device there is.
//!
//! A pair is one launch of each, in turn, so that a busy machine slows both; the figure is the median of the pairs' ratios and
//! must reach what is wanted. Bytes are those that the specifications count.
//!
//! `HALLMARK_DEVICE=cpu:0` names one device.

#![allow(clippy::print_stdout, reason = "the ratio is what this program is for")]

use attest::statement::PathClass;
use std::cell::RefCell;
use std::process::ExitCode;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use kernels::device::{self, Device, Loaded};
use kernels::{catalogue, inputs};

/// A case that no last-level cache of a processor holds, and the ratio that it must reach.
#[derive(Clone, Copy)]
struct Bound {
    workload: &'static str,
    case: &'static str,
    wanted: f64,
}

impl Bound {
    const fn of(workload: &'static str, case: &'static str, wanted: f64) -> Self {
        Self {
            workload,
            case,
            wanted,
        }
    }
}

const BOUND: [Bound; 5] = [
    Bound::of("gemv.f16.v1", "llama3-8b-gate", 0.8),
    Bound::of("gemv.q4.v1", "llama3-70b-gate", 0.8),
    Bound::of("attention.decode.f16.v1", "llama3-8b-32x2048", 0.7),
    Bound::of("attention.decode.f16.v1", "llama3-70b-8x4096", 0.7),
    Bound::of("llm.decode.v2", "tinyllama-1.1b-512", 0.7),
];

/// Three arrays of 256 MiB.
const TRIAD: (&str, &str) = ("mem.triad.v1", "256MiB");

/// One side, loaded, and the bytes of a launch.
struct Side<'a> {
    loaded: Box<dyn Loaded + 'a>,
    bytes: f64,
}

fn main() -> ExitCode {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    let one = std::env::var("HALLMARK_DEVICE").ok();
    let mut devices = device::discover().devices;
    devices.retain(|device| one.as_ref().is_none_or(|id| *id == device.facts().id));
    if devices.is_empty() {
        eprintln!("error: no such device: {one:?}");
        return ExitCode::FAILURE;
    }
    let met = devices
        .iter()
        .flat_map(|device| BOUND.map(|bound| compare(&mut criterion, device.as_ref(), bound)));
    let met: Vec<bool> = met.collect();
    criterion.final_summary();
    ExitCode::from(u8::from(met.contains(&false)))
}

/// Whether the ratio is reached; a bench that a filter leaves out misses nothing.
fn compare(criterion: &mut Criterion, device: &dyn Device, bound: Bound) -> bool {
    let Bound {
        workload,
        case,
        wanted,
    } = bound;
    let (mut work, mut triad) = (Side::load(device, (workload, case)), Side::load(device, TRIAD));
    let ratios = RefCell::new(Vec::new());
    let mut group = criterion.benchmark_group(device.facts().id.clone());
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(work.bytes as u64));
    group.bench_function(format!("{workload} {case}"), |bencher| {
        bencher.iter_custom(|iterations| {
            let times = (0..iterations).map(|_| {
                let (bytes_ns, took) = work.launch();
                ratios.borrow_mut().push(bytes_ns / triad.launch().0);
                took
            });
            times.sum()
        });
    });
    group.finish();
    let mut ratios = ratios.into_inner();
    if ratios.is_empty() {
        return true;
    }
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[ratios.len() / 2];
    println!(
        "{} {}: {workload} {case} at {ratio:.3} of mem.triad ({wanted} wanted: {}); median of {} pairs",
        device.facts().id,
        device.facts().name,
        if ratio >= wanted { "met" } else { "MISSED" },
        ratios.len(),
    );
    ratio >= wanted
}

impl<'a> Side<'a> {
    /// After a first launch, which compiles the shaders.
    fn load(device: &'a dyn Device, (id, case): (&str, &str)) -> Self {
        let workload = catalogue::find(id).expect("in the catalogue");
        let mut cases = workload.spec.cases.iter();
        let case = cases.find(|known| known.name == case).expect("a case of it");
        let inputs = inputs::generate(workload, &case.dims, &attest::exact::PUBLIC_SEED);
        let mut loaded = device
            .load(workload, PathClass::Portable, &case.dims, &inputs, 1)
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        loaded.run(1).expect("a launch");
        let bytes = workload.spec.bytes.eval(&case.dims).expect("a count") as f64;
        Self { loaded, bytes }
    }

    /// Bytes a nanosecond of one launch, and its time.
    fn launch(&mut self) -> (f64, Duration) {
        let ns = self.loaded.run(1).expect("a launch").device_ns;
        (self.bytes / ns as f64, Duration::from_nanos(ns))
    }
}
