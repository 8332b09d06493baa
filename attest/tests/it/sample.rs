//! Runs as they come from a measurement, made up: the same bytes each time.

use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::exact::PUBLIC_SEED;
use attest::key::SigningKey;
use attest::run::{RUN_FORMAT, Run};
use attest::spec::{Cache, Case, Class, Dims, Dtype, Formula, Size, Spec, Tensor, Tolerance};
use attest::statement::{
    Api, CaseRef, Conditions, Count, Device, DeviceKind, DigestSet, Driver, Evidence, EvidenceNote, Measured,
    Mode, Moment, PathClass, Quality, Record, Statement, Status, Stop, SuiteRef, Timer, TimerSource, Timing,
    Tool, Warmup, Witness, Work,
};
use attest::stats;

pub(crate) fn provider() -> SigningKey {
    key(include_str!("../../testdata/keys/provider.pem"))
}

pub(crate) fn stranger() -> SigningKey {
    key(include_str!("../../testdata/keys/stranger.pem"))
}

fn key(pem: &str) -> SigningKey {
    SigningKey::from_pem(pem, None).expect("a key for tests")
}

/// One exact workload on a CPU with 12 samples: a statement of about 3 KB.
pub(crate) fn small() -> Run {
    let specs = vec![exact_product()];
    let records = vec![record(&specs[0], 0, 12)];
    run(vec![cpu()], specs, records)
}

/// The same work on a CPU and on a software Vulkan device, and another of bounded error: every kind of check.
pub(crate) fn two_devices() -> Run {
    let specs = vec![exact_product(), softmax()];
    let records = [(0, 0), (0, 1), (1, 0), (1, 1)]
        .map(|(spec, device)| record(&specs[spec], device, 12))
        .into();
    run(vec![cpu(), software_vulkan()], specs, records)
}

/// Both workloads on both devices with `samples` samples each; 360 make a statement of about 20 KB.
pub(crate) fn with_samples(samples: usize) -> Run {
    let mut run = two_devices();
    let measured = &mut run.measured;
    measured.records = [(0, 0), (0, 1), (1, 0), (1, 1)]
        .map(|(spec, device)| record(&measured.specs[spec], device, samples))
        .into();
    run
}

pub(crate) fn statement(run: &Run) -> Statement {
    let file = serde_json::to_vec(run).expect("a run file");
    Statement::from_run(run, &file, "run.json", None).expect("a sound run")
}

pub(crate) fn envelope(run: &Run) -> Envelope {
    let bytes = statement(run).to_bytes().expect("a sound statement");
    Envelope::sign(bytes, &provider())
}

fn run(devices: Vec<Device>, specs: Vec<Spec>, records: Vec<Record>) -> Run {
    Run {
        format: RUN_FORMAT.into(),
        device_uuids: devices
            .iter()
            .map(|device| format!("uuid of {}", device.id))
            .collect(),
        private: [("hostName".to_owned(), "assay-7".to_owned())].into(),
        asked: None,
        measured: Measured {
            tool: Tool {
                name: "hallmark".into(),
                version: "0.1.0".into(),
                digest: DigestSet {
                    sha256: Sha256::of(b"program"),
                },
            },
            suite: SuiteRef {
                name: "smoke".into(),
                version: 1,
                digest: Sha256::of(b"suite"),
                complete: true,
            },
            code: Vec::new(),
            measurement_started_at: "2026-11-22T13:00:00Z".into(),
            measurement_finished_at: "2026-11-22T13:00:41.5Z".into(),
            sessions: Vec::new(),
            devices,
            environment: [("os", "Linux 6.1"), ("cpu", "AMD EPYC")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            specs,
            records,
            evidence: vec![EvidenceNote {
                field: "records".into(),
                level: Evidence::Claimed,
            }],
        },
    }
}

fn cpu() -> Device {
    Device {
        id: "cpu:0".into(),
        api: Api::Cpu,
        kind: DeviceKind::Cpu,
        name: "AMD EPYC 7R13".into(),
        vendor: "AuthenticAMD".into(),
        driver: Driver {
            name: "rayon".into(),
            version: "1.12".into(),
        },
        memory_bytes: 16 << 30,
        compute_units: Some(2),
        cache_bytes: Some(32 << 20),
        features: vec!["avx2".into(), "fma".into()],
    }
}

fn software_vulkan() -> Device {
    Device {
        id: "vulkan:0".into(),
        api: Api::Vulkan,
        kind: DeviceKind::Software,
        name: "llvmpipe (LLVM 15.0.6, 256 bits)".into(),
        vendor: "Mesa".into(),
        driver: Driver {
            name: "llvmpipe".into(),
            version: "22.3.6".into(),
        },
        memory_bytes: 2 << 30,
        compute_units: None,
        cache_bytes: None,
        features: vec!["shaderFloat16".into()],
    }
}

fn dims(sizes: &[(&str, u64)]) -> Dims {
    sizes
        .iter()
        .map(|&(name, size)| (name.to_owned(), size))
        .collect()
}

fn tensor(name: &str, shape: &[&str]) -> Tensor {
    Tensor {
        name: name.into(),
        dtype: Dtype::F32,
        shape: shape.iter().map(|&dim| dim.to_owned()).collect(),
        tolerance: None,
    }
}

fn exact_product() -> Spec {
    Spec {
        id: "gemm.f32.exact.v1".into(),
        title: "Product of f32 matrices, every rounding fixed".into(),
        group: "exact".into(),
        class: Class::Exact,
        cache: Cache::Hot,
        cases: vec![Case {
            name: "64".into(),
            size: Size::Small,
            dims: dims(&[("m", 64), ("n", 64), ("k", 64)]),
        }],
        inputs: vec![
            tensor("gemm.f32.exact/a", &["m", "k"]),
            tensor("gemm.f32.exact/b", &["n", "k"]),
        ],
        outputs: vec![tensor("c", &["m", "n"])],
        flop: Formula("2*m*n*k".into()),
        bytes: Formula("4*m*k+4*n*k+4*m*n".into()),
        tokens: None,
        tolerance: None,
    }
}

fn softmax() -> Spec {
    Spec {
        id: "softmax.f32.v1".into(),
        title: "Softmax over rows".into(),
        group: "transformer".into(),
        class: Class::Float,
        cache: Cache::Cold,
        cases: vec![Case {
            name: "128x1024".into(),
            size: Size::Small,
            dims: dims(&[("rows", 128), ("cols", 1024)]),
        }],
        inputs: vec![tensor("softmax.f32/x", &["rows", "cols"])],
        outputs: vec![tensor("y", &["rows", "cols"])],
        flop: Formula("5*rows*cols".into()),
        bytes: Formula("8*rows*cols".into()),
        tokens: None,
        tolerance: Some(Tolerance {
            rel_ppt: 40_000_000,
            abs_ppt: Formula("1000".into()),
            derivation: "509 roundings of at most 2^-24 each, and the error of exp".into(),
        }),
    }
}

fn record(spec: &Spec, device: u32, samples: usize) -> Record {
    let case = &spec.cases[0];
    let elements = spec.output_elements(&case.dims).expect("dimensions of the case");
    let output_sha256 = Sha256::of(spec.id.as_bytes());
    Record {
        workload: spec.id.clone(),
        spec_digest: spec.digest().expect("canonical bytes"),
        case: CaseRef {
            name: case.name.clone(),
            size: case.size,
            dims: case.dims.clone(),
        },
        path: PathClass::Portable,
        library: None,
        device,
        status: Status::Complete,
        reason: None,
        seed: Sha256(PUBLIC_SEED),
        evidence: Evidence::Claimed,
        timing: Some(timing(spec, device, samples)),
        quality: Some(match spec.class {
            Class::Exact => Quality::Exact {
                output_sha256,
                checked: elements,
                elements,
            },
            Class::Float => Quality::Float {
                output_sha256,
                checked: elements,
                elements,
                relative_rms_ppb: 31,
                worst_of_allowed_ppb: 120_000_000,
            },
        }),
        conditions: vec![Conditions {
            clock_mhz: Some(2_650),
            temperature_celsius: Some(51),
            steal_ppm: Some(200),
            ..Conditions::untold(Moment::After)
        }],
        caveats: Vec::new(),
    }
}

/// Samples of 2 ms that wander by less than a percent.
fn timing(spec: &Spec, device: u32, samples: usize) -> Timing {
    let samples_ns: Vec<u64> = (0..samples as u64)
        .map(|sample| 2_000_000 + sample * 7_919 % 9_973 + u64::from(device))
        .collect();
    let launches_per_sample = 100;
    let dims = &spec.cases[0].dims;
    let count = |formula: &Formula| Count(formula.eval(dims).expect("dimensions of the case"));
    let device_ns = samples_ns.iter().sum();
    Timing {
        cache: spec.cache,
        input_sets: 1,
        work: Work {
            flop: count(&spec.flop),
            bytes: count(&spec.bytes),
        },
        launches_per_sample,
        summary: stats::summarize(&samples_ns, launches_per_sample).expect("enough samples"),
        samples_ns,
        timer: Timer {
            source: TimerSource::Monotonic,
            tick_ps: 1_000,
        },
        witness: Witness {
            device_ns,
            host_ns: device_ns + device_ns / 200,
        },
        warmup: Warmup {
            launches: 400,
            elapsed_ns: 210_000_000,
        },
        stop: Stop::Converged,
        mode: Mode::Burst,
        throttle: None,
        energy_millijoules: None,
    }
}
