//! The walks of `proof.vram` on the CPU against a plain random gather of 32 bytes over as large a table, on the same threads.
//!
//! A gather's indices depend on nothing, so the processor has as many reads under way as fit its window; a walk waits for
//! each. Both run in turn; the figure is the median of the turns' ratios and must reach [`WANTED`]. What making the table and
//! the tree takes is measured by walks of no step and taken off.

#![allow(clippy::print_stdout, reason = "the ratio is what this program is for")]

use std::sync::LazyLock;
use std::time::Duration;

use attest::exact::PUBLIC_SEED;
use attest::spec::{Cache, Class, Dims, Dtype, Formula, Spec, Tensor};
use attest::statement::PathClass;
use criterion::Criterion;
use kernels::device::{self, Device, Loaded};
use kernels::workload::{Kind, Plan, Reference, Workload, dim};
use kernels::{catalogue, inputs, tree};
use rayon::prelude::*;

const WANTED: f64 = 0.5;

/// 256 MiB of entries, past the last-level caches of most machines.
const ENTRIES: u64 = 1 << 23;
const LANES: u64 = 1 << 16;
const STEPS: u64 = 512;
const ENTRY: usize = 32;
const TURNS: usize = 11;

/// Lanes of entries that are read one after the other and added up; indices are a counter's, mixed.
static GATHER: Workload = Workload {
    spec: &GATHER_SPEC,
    plan: |dims, _| Plan {
        scratch: vec![(ENTRY * dim(dims, "entries")) as u64],
        launches: vec![],
    },
    tuned: None,
    cpu: |dims, _, outputs| {
        let steps = dim(dims, "steps") as u64;
        let [sums, table] = outputs else {
            unreachable!("one output and the table");
        };
        let table: &[[u64; 4]] = bytemuck::cast_slice(table);
        let sums: &mut [[u64; 4]] = bytemuck::cast_slice_mut(sums);
        sums.par_iter_mut()
            .enumerate()
            .for_each(|(lane, sum)| *sum = gathered(table, lane as u64 * steps, steps));
    },
    reference: Reference::Rows(|_, _, _| vec![]),
    inputs: None,
    derived: None,
    limits: None,
    odd_sizes: Vec::new,
    kind: Kind::Kernels,
};

fn gathered(table: &[[u64; 4]], first: u64, steps: u64) -> [u64; 4] {
    let last = table.len() - 1;
    let mut sum = [0u64; 4];
    for step in first..first + steps {
        // The high bits of a product with 2^64 over the golden ratio, mixed once more.
        let mixed = step.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let entry = &table[(mixed >> 32) as usize & last];
        for (sum, word) in sum.iter_mut().zip(entry) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sum
}

static GATHER_SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    id: "gather".into(),
    title: "Random reads of 32 bytes.".into(),
    group: "bench".into(),
    class: Class::Exact,
    cache: Cache::Hot,
    cases: vec![],
    inputs: vec![],
    outputs: vec![Tensor {
        name: "sums".into(),
        dtype: Dtype::I8,
        shape: vec!["m".into(), "hash".into()],
        tolerance: None,
    }],
    flop: Formula("0".into()),
    bytes: Formula("32*m*steps".into()),
    tokens: None,
    tolerance: None,
});

fn walks(steps: u64) -> Dims {
    let sizes = [
        ("entries", ENTRIES),
        ("m", LANES),
        ("steps", steps),
        ("rounds", 1),
        ("keys", 2),
        ("nodes", tree::nodes(LANES)),
        ("hash", ENTRY as u64),
    ];
    sizes.map(|(name, size)| (name.to_owned(), size)).into()
}

struct Contender<'a>(Box<dyn Loaded + 'a>);

impl<'a> Contender<'a> {
    fn load(device: &'a dyn Device, workload: &Workload, steps: u64) -> Self {
        let dims = walks(steps);
        let inputs = inputs::generate(workload, &dims, &PUBLIC_SEED);
        let loaded = device.load(workload, PathClass::Portable, &dims, &inputs, 1);
        Self(loaded.expect("three tables of 256 MiB"))
    }

    fn ns(&mut self) -> f64 {
        self.0.run(1).expect("a launch").device_ns as f64
    }
}

fn main() {
    let devices = device::discover().devices;
    let cpu = devices[0].as_ref();
    let vram = catalogue::find("proof.vram.v1").expect("in the catalogue");
    let mut walk = Contender::load(cpu, vram, STEPS);
    let mut idle = Contender::load(cpu, vram, 0);
    let mut gather = Contender::load(cpu, &GATHER, STEPS);

    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    for (name, contender) in [("gather/walks", &mut walk), ("gather/plain", &mut gather)] {
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|launches| {
                Duration::from_nanos(contender.0.run(launches).expect("launches").device_ns)
            });
        });
    }
    criterion.final_summary();

    let turns: Vec<[f64; 2]> = (0..TURNS).map(|_| [walk.ns() - idle.ns(), gather.ns()]).collect();
    let reads = (LANES * STEPS) as f64;
    let rate = |ns: f64| 1e3 * reads / ns;
    let ratio = median(turns.iter().map(|[walk, gather]| gather / walk));
    println!("{}", cpu.facts().name);
    println!(
        "walks         {:8.1} M reads/s",
        median(turns.iter().map(|turn| rate(turn[0])))
    );
    println!(
        "plain gather  {:8.1} M reads/s",
        median(turns.iter().map(|turn| rate(turn[1])))
    );
    println!(
        "table         {:8.1} M entries/s of one compression",
        1e3 * ENTRIES as f64 / idle.ns()
    );
    println!("ratio         {ratio:8.3}, wanted {WANTED}");
    if ratio < WANTED {
        std::process::exit(1);
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
