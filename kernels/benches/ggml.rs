//! Products against those of ggml, the library below llama.cpp, on the same device: the CPU on as many threads, and software
//! Vulkan.
//!
//! `HALLMARK_GGML=PREFIX cargo bench -p hallmark-kernels --bench ggml` needs ggml's headers in `PREFIX/include`, its libraries
//! in `PREFIX/lib` and a C++ compiler; `-- cpu` or `-- vulkan` runs one kind of device.
//!
//! What each side is given and does: ggml takes activations in f32, narrows them itself where weights are narrower, and gives
//! f32. Ours takes them in f32 for `gemm.f32`, and in halves for the others; before 4-bit products it quantizes them, which is
//! counted. `gemm.f16` gives halves, all others f32.

#[path = "peers/peer.rs"]
mod peer;
#[path = "peers/race.rs"]
mod race;

use std::sync::LazyLock;
use std::time::Duration;

use attest::spec::{Cache, Class, Dtype, Formula, Spec, Tensor};
use attest::statement::DeviceKind;
use criterion::{Criterion, criterion_group, criterion_main};
use kernels::device::{Device, discover};
use kernels::quantize;
use kernels::workload::{Kind, Reference, Workload, dim};
use peer::Peer;
use race::{Rival, Step, races_on};

static QUANTIZE: Workload = Workload {
    spec: &QUANTIZE_SPEC,
    plan: quantize::plan,
    tuned: None,
    cpu: quantize::cpu,
    reference: Reference::Rows(|_, _, _| vec![]),
    inputs: None,
    derived: None,
    limits: None,
    odd_sizes: Vec::new,
    kind: Kind::Kernels,
};

static QUANTIZE_SPEC: LazyLock<Spec> = LazyLock::new(|| {
    let tensor = |name: &str, dtype, shape: &[&str]| Tensor {
        name: name.into(),
        dtype,
        shape: shape.iter().map(|&name| name.into()).collect(),
        tolerance: None,
    };
    Spec {
        id: "quantize".into(),
        title: "Halves to i8 in blocks of 32.".into(),
        group: "bench".into(),
        class: Class::Exact,
        cache: Cache::Hot,
        cases: vec![],
        inputs: vec![tensor("x", Dtype::F16, &["blocks", "block"])],
        outputs: vec![
            tensor("integers", Dtype::I8, &["blocks", "block"]),
            tensor("scales", Dtype::F16, &["blocks"]),
        ],
        flop: Formula("0".into()),
        bytes: Formula("98*blocks".into()),
        tokens: None,
        tolerance: None,
    }
});

/// The activations of a 4-bit product.
const QUANTIZED: Step = (&QUANTIZE, |dims| {
    let tokens = if dims.contains_key("m") { dim(dims, "m") } else { 1 };
    let blocks = (tokens * dim(dims, "blocks")) as u64;
    [("blocks", blocks), ("block", dim(dims, "block") as u64)]
        .map(|(name, size)| (name.to_owned(), size))
        .into()
});

/// Ours and ggml's name of the weights, then m, n and k. A token alone is a product of another workload.
macro_rules! product {
    ($device:literal, f32, $m:literal, $n:literal, $k:literal, $launches:literal) => {
        rival(
            "gemm.f32.v1",
            None,
            &[("m", $m), ("n", $n), ("k", $k)],
            concat!($device, " f32 ", $m, " ", $n, " ", $k, " "),
            $m as f64 * ($n * $k) as f64,
            $launches,
        )
    };
    ($device:literal, f16, 1, $n:literal, $k:literal, $launches:literal) => {
        rival(
            "gemv.f16.v1",
            None,
            &[("n", $n), ("k", $k)],
            concat!($device, " f16 1 ", $n, " ", $k, " "),
            ($n * $k) as f64,
            $launches,
        )
    };
    ($device:literal, f16, $m:literal, $n:literal, $k:literal, $launches:literal) => {
        rival(
            "gemm.f16.v1",
            None,
            &[("m", $m), ("n", $n), ("k", $k)],
            concat!($device, " f16 ", $m, " ", $n, " ", $k, " "),
            $m as f64 * ($n * $k) as f64,
            $launches,
        )
    };
    ($device:literal, q4, 1, $n:literal, $k:literal, $launches:literal) => {
        rival(
            "gemv.q4.v1",
            Some(QUANTIZED),
            &[("n", $n), ("blocks", $k / 32), ("block", 32)],
            concat!($device, " q4_0 1 ", $n, " ", $k, " "),
            ($n * $k) as f64,
            $launches,
        )
    };
    ($device:literal, q4, $m:literal, $n:literal, $k:literal, $launches:literal) => {
        rival(
            "gemm.q4.v1",
            Some(QUANTIZED),
            &[("m", $m), ("n", $n), ("blocks", $k / 32), ("block", 32)],
            concat!($device, " q4_0 ", $m, " ", $n, " ", $k, " "),
            $m as f64 * ($n * $k) as f64,
            $launches,
        )
    };
}

const fn rival(
    workload: &'static str,
    first: Option<Step>,
    dims: &'static [(&'static str, u64)],
    request: &'static str,
    products: f64,
    launches: u64,
) -> Rival {
    Rival {
        workload,
        first,
        dims,
        launches,
        runs: 1,
        peer: |_| ggml_beside(&discover().devices),
        request,
        unit: "GFLOP/s",
        work: 2e-9 * products,
        wanted: 1.0,
    }
}

/// Squares, and projections of Llama 3 8B: 4096 rows of query and output, 1024 of key and value, 14,336 of gate and up.
const ON_CPU: &[Rival] = &[
    product!("cpu", f32, 512, 512, 512, 40),
    product!("cpu", f32, 1024, 1024, 1024, 6),
    product!("cpu", f32, 1, 4096, 4096, 20),
    product!("cpu", f32, 8, 4096, 4096, 10),
    product!("cpu", f32, 512, 4096, 4096, 1),
    product!("cpu", f16, 512, 512, 512, 40),
    product!("cpu", f16, 1024, 1024, 1024, 6),
    product!("cpu", f16, 1, 4096, 4096, 40),
    product!("cpu", f16, 1, 14336, 4096, 10),
    product!("cpu", f16, 8, 4096, 4096, 20),
    product!("cpu", f16, 512, 4096, 4096, 1),
    product!("cpu", q4, 1, 4096, 4096, 100),
    product!("cpu", q4, 1, 14336, 4096, 30),
    product!("cpu", q4, 8, 4096, 4096, 20),
    product!("cpu", q4, 8, 14336, 4096, 6),
    product!("cpu", q4, 64, 14336, 4096, 1),
    product!("cpu", q4, 512, 4096, 4096, 1),
];

const ON_VULKAN: &[Rival] = &[
    product!("vulkan", f32, 512, 512, 512, 1),
    product!("vulkan", f32, 1, 4096, 4096, 1),
    product!("vulkan", f32, 8, 4096, 4096, 1),
    product!("vulkan", f16, 512, 512, 512, 1),
    product!("vulkan", f16, 1, 4096, 4096, 2),
    product!("vulkan", f16, 8, 4096, 4096, 1),
    product!("vulkan", q4, 1, 4096, 4096, 2),
    product!("vulkan", q4, 8, 4096, 4096, 1),
    product!("vulkan", q4, 64, 1024, 4096, 1),
];

fn ggml(criterion: &mut Criterion) {
    let devices = discover().devices;
    races_on(criterion, cpu(&devices), ON_CPU);
    races_on(criterion, software_vulkan(&devices), ON_VULKAN);
}

fn cpu(devices: &[Box<dyn Device>]) -> &dyn Device {
    let mut devices = devices.iter();
    let cpu = devices.find(|device| device.facts().id == "cpu:0");
    cpu.expect("a CPU is always found").as_ref()
}

fn software_vulkan(devices: &[Box<dyn Device>]) -> &dyn Device {
    let software = devices.iter().find(|device| {
        device.facts().id.starts_with("vulkan:") && device.facts().kind == DeviceKind::Software
    });
    let remedy = "no software Vulkan device: apt-get install mesa-vulkan-drivers";
    software.expect(remedy).as_ref()
}

/// Its Vulkan sees the device that ours runs on: both number them in the loader's order.
fn ggml_beside(devices: &[Box<dyn Device>]) -> Peer {
    let id = &software_vulkan(devices).facts().id;
    Peer::ggml(id.trim_start_matches("vulkan:"))
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(12)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = ggml
}
criterion_main!(benches);
