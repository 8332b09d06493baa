//! Every workload on every device by the device's own clock, with criterion's statistics and history: for work on a kernel.
//!
//! `cargo bench -p hallmark-kernels --bench device -- 'cpu:0/gemm.f32'` runs what the pattern matches of
//! `<device>/<workload> <case>`, and compares with its last run. `HALLMARK_SIZE=standard` or `large` takes those cases in
//! place of the small ones; `HALLMARK_PATH=tuned` our kernel for the device in place of the portable one. Inputs are one set,
//! which stays in caches that hold it.

#[path = "device/time.rs"]
mod time;

use std::time::Duration;

use attest::spec::{Case, Formula, Size};
use attest::statement::PathClass;
use criterion::{Criterion, SamplingMode, Throughput};
use kernels::device::{Device, discover};
use kernels::workload::Workload;
use kernels::{catalogue, inputs};
use time::DeviceTime;

fn main() {
    let time = DeviceTime::default();
    let mut criterion = Criterion::default()
        .with_measurement(time.clone())
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let size = chosen("HALLMARK_SIZE", &[Size::Small, Size::Standard, Size::Large]);
    let path = chosen("HALLMARK_PATH", &[PathClass::Portable, PathClass::Tuned]);
    for device in discover().devices {
        for workload in catalogue::WORKLOADS {
            let cases = workload.spec.cases.iter().filter(|case| case.size == size);
            cases.for_each(|case| bench(&mut criterion, &time, device.as_ref(), (workload, path, case)));
        }
    }
    criterion.final_summary();
}

/// What the environment names, or the first.
fn chosen<T: Copy + serde::Serialize>(variable: &str, choices: &[T]) -> T {
    let Ok(wanted) = std::env::var(variable) else {
        return choices[0];
    };
    let named = |choice: &&T| serde_json::to_value(choice).is_ok_and(|name| name == wanted.as_str());
    let chosen = choices.iter().find(named);
    *chosen.unwrap_or_else(|| {
        panic!("{variable} is {wanted:?}: no size or path of a kernel, see the head of device.rs")
    })
}

/// A case, unless the device refuses it. Loaded when criterion first asks for it: a pattern that leaves it out loads nothing.
fn bench(
    criterion: &mut Criterion<DeviceTime>,
    time: &DeviceTime,
    device: &dyn Device,
    (workload, path, case): (&Workload, PathClass, &Case),
) {
    if device.refusal(workload, path, &case.dims, 1).is_some() {
        return;
    }
    let count = |formula: &Formula| formula.eval(&case.dims).expect("a count of the specification");
    let (flop, bytes) = (count(&workload.spec.flop), count(&workload.spec.bytes));
    let mut group = criterion.benchmark_group(device.facts().id.clone());
    group.sampling_mode(SamplingMode::Flat);
    match (flop, bytes) {
        (0, 0) => &mut group,
        (0, bytes) => group.throughput(Throughput::BytesDecimal(bytes)),
        (elements, bytes) => group.throughput(Throughput::ElementsAndBytes { elements, bytes }),
    };
    let mut loaded = None;
    let name = match path {
        PathClass::Portable => format!("{} {}", workload.spec.id, case.name),
        _ => format!("{} {} {}", workload.spec.id, case.name, path.as_str()),
    };
    group.bench_function(name, |bencher| {
        let loaded = loaded.get_or_insert_with(|| {
            let inputs = inputs::generate(workload, &case.dims, &attest::exact::PUBLIC_SEED);
            let mut loaded = device
                .load(workload, path, &case.dims, &inputs, 1)
                .unwrap_or_else(|error| panic!("{}: {error}", workload.spec.id));
            // Shaders are compiled at their first launch.
            loaded.run(1).expect("a launch");
            loaded
        });
        bencher.iter_custom(|launches| time.run(loaded.as_mut(), launches));
    });
    group.finish();
}
