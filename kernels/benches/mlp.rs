//! `proof.mlp.i8` against the same device's own `gemm.i8`, in int8 operations a second, on every device there is.
//!
//! A pair is one launch of the proof and as many products as it has steps, of the same rows and width: the same work. Pairs
//! are repeated, the sides in turn, so that a busy machine slows both; the figure is the median of the pairs' ratios and
//! must reach [`WANTED`]. The proof's side also draws weights and lanes and hashes the tree.
//!
//! `HALLMARK_DEVICE=vulkan:0` names one device.

#![allow(clippy::print_stdout, reason = "the ratio is what this program is for")]

use std::cell::RefCell;
use std::process::ExitCode;
use std::time::Duration;

use attest::statement::{DeviceKind, PathClass};
use criterion::{Criterion, SamplingMode};
use kernels::device::{self, Device, Loaded};
use kernels::workload::Workload;
use kernels::{catalogue, inputs, tree};

const WANTED: f64 = 0.5;

const WIDTHS: [u64; 2] = [512, 1024];
const LAYERS: u64 = 4;
const STEPS: u64 = 16;

/// Lanes of the proof and rows of the product: less than a second of two cores on lavapipe at width 512, and more
/// workgroups than the largest GPU holds at once.
const ROWS: u64 = 1024;
const ROWS_OF_A_GPU: u64 = 16_384;

/// Nanoseconds of each side.
#[derive(Clone, Copy)]
struct Pair {
    proof: f64,
    product: f64,
}

struct Sides<'a> {
    proof: Box<dyn Loaded + 'a>,
    product: Box<dyn Loaded + 'a>,
}

fn main() -> ExitCode {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(15))
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
        .flat_map(|device| WIDTHS.map(|width| compare(&mut criterion, device.as_ref(), width)));
    let met: Vec<bool> = met.collect();
    criterion.final_summary();
    ExitCode::from(u8::from(met.contains(&false)))
}

/// Whether the ratio is reached; a bench that a filter leaves out misses nothing.
fn compare(criterion: &mut Criterion, device: &dyn Device, width: u64) -> bool {
    let rows = match device.facts().kind {
        DeviceKind::Gpu => ROWS_OF_A_GPU,
        DeviceKind::Cpu | DeviceKind::Software => ROWS,
    };
    let mut sides = Sides::load(device, rows, width);
    let pairs = RefCell::new(Vec::new());
    let mut group = criterion.benchmark_group(device.facts().id.clone());
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(format!("proof.mlp.i8 at {rows} x {width}"), |bencher| {
        bencher.iter_custom(|iterations| {
            let pairs = &mut *pairs.borrow_mut();
            let times = (0..iterations).map(|_| {
                let pair = sides.turn();
                pairs.push(pair);
                Duration::from_nanos(pair.proof as u64)
            });
            times.sum()
        });
    });
    group.finish();
    let pairs = pairs.into_inner();
    pairs.is_empty() || report(device, rows, width, &pairs)
}

impl<'a> Sides<'a> {
    fn load(device: &'a dyn Device, rows: u64, width: u64) -> Self {
        let network = [
            ("m", rows),
            ("n", width),
            ("layers", LAYERS),
            ("steps", STEPS),
            ("nodes", tree::nodes(rows)),
        ];
        Self {
            proof: side(device, "proof.mlp.i8.v1", &network),
            product: side(device, "gemm.i8.v1", &[("m", rows), ("n", width), ("k", width)]),
        }
    }

    fn turn(&mut self) -> Pair {
        let product = self.product.run(STEPS).expect("launches");
        let proof = self.proof.run(1).expect("a launch");
        Pair {
            proof: proof.device_ns as f64,
            product: product.device_ns as f64,
        }
    }
}

/// One side after its first launch, which compiles the shaders.
fn side<'a>(device: &'a dyn Device, id: &str, sizes: &[(&str, u64)]) -> Box<dyn Loaded + 'a> {
    let workload: &Workload = catalogue::find(id).expect("in the catalogue");
    let mut dims = workload.spec.cases[0].dims.clone();
    dims.extend(sizes.iter().map(|&(name, size)| (name.to_owned(), size)));
    let inputs = inputs::generate(workload, &dims, &attest::exact::PUBLIC_SEED);
    let mut loaded = device
        .load(workload, PathClass::Portable, &dims, &inputs, 1)
        .unwrap_or_else(|error| panic!("{id}: {error}"));
    loaded.run(1).expect("a launch");
    loaded
}

fn report(device: &dyn Device, rows: u64, width: u64, pairs: &[Pair]) -> bool {
    let operations = (2 * rows * width * width * STEPS) as f64;
    let ratio = median(pairs, |pair| pair.product / pair.proof);
    println!(
        "{} {}: proof.mlp.i8 {:.2} Gop/s, gemm.i8 {:.2} Gop/s at {rows} x {width}: ratio {ratio:.3} ({WANTED} wanted: {}); \
         medians of {} pairs",
        device.facts().id,
        device.facts().name,
        operations / median(pairs, |pair| pair.proof),
        operations / median(pairs, |pair| pair.product),
        if ratio >= WANTED { "met" } else { "MISSED" },
        pairs.len(),
    );
    ratio >= WANTED
}

fn median(pairs: &[Pair], figure: fn(&Pair) -> f64) -> f64 {
    let mut figures: Vec<f64> = pairs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
