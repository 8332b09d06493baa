//! `gemm.f32` on a software Vulkan device against that device's own register-only multiply-add rate.
//!
//! Both run in turn, equally long, so that a busy machine slows both; the median of the turns' ratios is printed last and
//! must reach [`WANTED`].

#![allow(clippy::print_stdout, reason = "the ratio is what this program is for")]

use std::sync::LazyLock;
use std::time::Duration;

use attest::spec::{Cache, Class, Dims, Dtype, Formula, Spec, Tensor};
use attest::statement::{DeviceKind, PathClass};
use criterion::Criterion;
use kernels::device::{self, Device, Loaded};
use kernels::workload::{Kernel, Kind, Launch, Plan, Reference, Slot, Workload};
use kernels::{catalogue, inputs};

/// Loads from storage buffers cost a processor far more than arithmetic: a naive kernel reaches 0.005.
const WANTED: f64 = 0.05;

const SIZE: u64 = 512;
const GROUPS: u32 = 256;
const THREADS: u32 = 64;
const ROUNDS: u32 = 400;
const TURNS: usize = 25;

static MADD: Workload = Workload {
    spec: &MADD_SPEC,
    plan: |_, _| Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &MADD_KERNEL,
            grid: [GROUPS, 1, 1],
            block: [THREADS, 1, 1],
            push: vec![ROUNDS, 0.999f32.to_bits(), 0.5f32.to_bits()],
            buffers: vec![Slot::Output(0)],
            shared: 0,
        }],
    },
    tuned: None,
    cpu: |_, _, _| (),
    reference: Reference::Rows(|_, _, _| vec![]),
    inputs: None,
    derived: None,
    limits: None,
    odd_sizes: Vec::new,
    kind: Kind::Kernels,
};

static MADD_KERNEL: Kernel = Kernel {
    name: "madd",
    folder: "../benches",
    ptx: None,
    spirv: Some(include_bytes!("madd.spv")),
};

static MADD_SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    id: "madd".into(),
    title: "Register-only multiply-adds.".into(),
    group: "bench".into(),
    class: Class::Float,
    cache: Cache::Hot,
    cases: vec![],
    inputs: vec![],
    outputs: vec![Tensor {
        name: "y".into(),
        dtype: Dtype::F32,
        shape: vec!["n".into()],
        tolerance: None,
    }],
    flop: Formula("0".into()),
    bytes: Formula("4*n".into()),
    tokens: None,
    tolerance: None,
});

fn main() {
    let found = device::discover();
    let software = found.devices.iter().find(|device| {
        device.facts().id.starts_with("vulkan") && device.facts().kind == DeviceKind::Software
    });
    let Some(device) = software else {
        eprintln!(
            "error: no software Vulkan device: {:?}\n\nhint: apt install mesa-vulkan-drivers",
            found.absent
        );
        std::process::exit(1);
    };
    let dims = |sizes: &[(&str, u64)]| -> Dims {
        sizes
            .iter()
            .map(|(name, size)| ((*name).to_owned(), *size))
            .collect()
    };
    let threads = u64::from(GROUPS * THREADS);
    let madd_flop = 2 * 12 * 16 * u64::from(ROUNDS) * threads;
    let mut madd = Contender::load(device.as_ref(), &MADD, &dims(&[("n", threads)]), madd_flop);
    let gemm = catalogue::find("gemm.f32.v1").expect("in the catalogue");
    let square = dims(&[("m", SIZE), ("n", SIZE), ("k", SIZE)]);
    let mut gemm = Contender::load(device.as_ref(), gemm, &square, 2 * SIZE * SIZE * SIZE);

    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    madd.bench(&mut criterion, "lavapipe/register-only multiply-adds");
    gemm.bench(&mut criterion, "lavapipe/gemm.f32 at 512");
    criterion.final_summary();

    let turns: Vec<[f64; 2]> = (0..TURNS).map(|_| [madd.turn(), gemm.turn()]).collect();
    let ratio = median(turns.iter().map(|[madd, gemm]| gemm / madd));
    println!("{}", device.facts().name);
    println!(
        "register-only multiply-adds  {:8.2} GFLOP/s",
        median(turns.iter().map(|turn| turn[0]))
    );
    println!(
        "gemm.f32 at {SIZE}              {:8.2} GFLOP/s",
        median(turns.iter().map(|turn| turn[1]))
    );
    println!("ratio                        {ratio:8.4}, wanted {WANTED}");
    if ratio < WANTED {
        std::process::exit(1);
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

struct Contender<'a> {
    loaded: Box<dyn Loaded + 'a>,
    flop: u64,
}

impl<'a> Contender<'a> {
    /// The first launch compiles the shader, so it is made here.
    fn load(device: &'a dyn Device, workload: &Workload, dims: &Dims, flop: u64) -> Self {
        let inputs = inputs::generate(workload, dims, &[7; 32]);
        let mut loaded = device
            .load(workload, PathClass::Portable, dims, &inputs, 1)
            .expect("a small case");
        loaded.run(1).expect("a launch");
        Self { loaded, flop }
    }

    fn bench(&mut self, criterion: &mut Criterion, name: &str) {
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|launches| {
                Duration::from_nanos(self.loaded.run(launches).expect("launches").device_ns)
            });
        });
    }

    /// GFLOP/s of one turn.
    fn turn(&mut self) -> f64 {
        const LAUNCHES: u64 = 2;
        let elapsed = self.loaded.run(LAUNCHES).expect("launches");
        (LAUNCHES * self.flop) as f64 / elapsed.device_ns as f64
    }
}
