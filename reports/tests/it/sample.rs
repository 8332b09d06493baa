//! A statement made up in code, shaped like one of a small machine. Its figures are invented.

#![allow(dead_code, reason = "the tests and the example each use a part of it")]

use attest::digest::Sha256;
use attest::spec::{Cache, Case, Class, Dims, Dtype, Formula, Size, Spec, Tensor, Tolerance};
use attest::statement::{
    Api, CaseRef, Caveat, Code, Conditions, Count, Device, DeviceKind, DigestSet, Driver, Evidence,
    EvidenceNote, Freshness, Measured, Moment, PREDICATE_TYPE, PathClass, Predicate, Quality, Record,
    STATEMENT_TYPE, Statement, Status, Stop, Subject, SuiteRef, Timer, TimerSource, Timing, Tool, Warmup,
    Witness, Work,
};
use attest::stats::summarize;
use reports::{Check, LogPlace, Shown, Verdict};

/// Rates of the invented devices: GB/s of memory, 10^9 operations per second in f32, f16 and i8.
struct Speed {
    memory: f64,
    f32: f64,
    f16: f64,
    i8: f64,
}

const CPU: Speed = Speed {
    memory: 21.0,
    f32: 128.0,
    f16: 61.0,
    i8: 210.0,
};
const LAVAPIPE: Speed = Speed {
    memory: 9.4,
    f32: 14.2,
    f16: 8.1,
    i8: 11.0,
};
const GPU: Speed = Speed {
    memory: 880.0,
    f32: 21_300.0,
    f16: 24_100.0,
    i8: 41_000.0,
};

/// Three devices, eight workloads, two cases each.
pub(crate) fn statement() -> Statement {
    with_devices(vec![cpu(), lavapipe(), gpu()], &[CPU, LAVAPIPE, GPU])
}

/// The three devices with a record of every fate: what the example draws.
pub(crate) fn example() -> Statement {
    let mut statement = statement();
    let records = &mut statement.predicate.measured.records;
    records[20].caveats = vec![Caveat::Noisy];
    records[25].status = Status::Failed;
    records[25].reason =
        Some("wrong output at row 12, column 7: got 0.31, want 0.29, allowed 1.2e-5".to_owned());
    records[26].status = Status::Unsupported;
    records[26].reason = Some("no storage of 16-bit values".to_owned());
    (records[26].timing, records[26].quality) = (None, None);
    statement
}

/// One CPU and one software device.
pub(crate) fn small() -> Statement {
    let mut statement = with_devices(vec![cpu(), lavapipe()], &[CPU, LAVAPIPE]);
    let keep = |record: &Record| record.case.size == Size::Small;
    statement.predicate.measured.records.retain(keep);
    statement
}

pub(crate) fn shown(statement: &Statement) -> Shown<'_> {
    let check = |name: &str, verdict, detail: &str| Check {
        name: name.to_owned(),
        verdict,
        detail: detail.to_owned(),
    };
    Shown {
        statement,
        digest: Sha256::of(b"sample attestation"),
        key_id: Sha256::of(b"sample key"),
        checks: vec![
            check(
                "signature",
                Verdict::Passed,
                "ECDSA P-256 over the envelope's PAE",
            ),
            check(
                "statistics",
                Verdict::Passed,
                "every median and interval equals its recomputation",
            ),
            check(
                "specifications",
                Verdict::Passed,
                "8 digests equal those of the embedded specifications",
            ),
            check(
                "inclusion",
                Verdict::Passed,
                "leaf 41 leads to the root of the tree of 64 leaves",
            ),
            check(
                "proof of work",
                Verdict::NotChecked,
                "the run was not challenged by a registry",
            ),
        ],
        log: Some(LogPlace {
            origin: "sample.example/log".to_owned(),
            index: 41,
            tree_size: 64,
        }),
    }
}

fn with_devices(devices: Vec<Device>, speeds: &[Speed]) -> Statement {
    let specs = specs();
    let mut records = Vec::new();
    for (index, speed) in speeds.iter().enumerate() {
        for spec in &specs {
            for case in &spec.cases {
                records.push(record(index as u32, &devices[index], speed, spec, case));
            }
        }
    }
    let sha256 = |name: &str| Sha256::of(name.as_bytes());
    let measured = Measured {
        tool: Tool {
            name: "hallmark".to_owned(),
            version: "0.1.0".to_owned(),
            digest: DigestSet {
                sha256: sha256("sample tool"),
            },
        },
        suite: SuiteRef {
            name: "sample".to_owned(),
            version: 1,
            digest: sha256("sample suite"),
            complete: true,
        },
        code: [
            "gemm_f32/gemm_f32.ptx",
            "gemm_f32/gemm_f32.spv",
            "mem_copy/mem_copy.spv",
        ]
        .map(|path| Code {
            path: format!("kernels/src/{path}"),
            sha256: sha256(path),
        })
        .to_vec(),
        measurement_started_at: "2026-01-02T03:04:05Z".to_owned(),
        measurement_finished_at: "2026-01-02T03:06:11Z".to_owned(),
        environment: [
            ("os", "Debian GNU/Linux 12"),
            ("kernel", "6.1.0"),
            ("processor", "Sample CPU"),
            ("memoryBytes", "16777216000"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        devices,
        specs,
        records,
        evidence: ["records", "devices", "environment"]
            .map(|field| EvidenceNote {
                field: field.to_owned(),
                level: Evidence::Claimed,
            })
            .to_vec(),
    };
    Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: vec![Subject {
            name: "sample.run.json".to_owned(),
            digest: DigestSet {
                sha256: sha256("sample run"),
            },
        }],
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: Predicate {
            measured,
            freshness: Some(Freshness {
                origin: "sample.example/log".to_owned(),
                tree_size: 40,
                root_hash: sha256("sample root"),
            }),
            attempt: None,
            sd: Vec::new(),
            sd_alg: None,
        },
    }
}

fn device(
    id: &str,
    api: Api,
    kind: DeviceKind,
    name: &str,
    vendor: &str,
    driver: (&str, &str),
    gib: u64,
) -> Device {
    Device {
        id: id.to_owned(),
        api,
        kind,
        name: name.to_owned(),
        vendor: vendor.to_owned(),
        driver: Driver {
            name: driver.0.to_owned(),
            version: driver.1.to_owned(),
        },
        memory_bytes: gib << 30,
        compute_units: Some(2),
        cache_bytes: Some(32 << 20),
        features: vec!["avx2".to_owned(), "fma".to_owned()],
    }
}

fn cpu() -> Device {
    device(
        "cpu:0",
        Api::Cpu,
        DeviceKind::Cpu,
        "Sample CPU, 2 cores",
        "Sample",
        ("rayon", "1.12"),
        16,
    )
}

fn lavapipe() -> Device {
    let name = "llvmpipe (LLVM 15.0.6, 256 bits)";
    device(
        "vulkan:0",
        Api::Vulkan,
        DeviceKind::Software,
        name,
        "Mesa",
        ("llvmpipe", "22.3.6"),
        16,
    )
}

fn gpu() -> Device {
    device(
        "cuda:0",
        Api::Cuda,
        DeviceKind::Gpu,
        "Sample GPU 24 GB",
        "Sample",
        ("cuda", "550.54"),
        24,
    )
}

pub(crate) fn specs() -> Vec<Spec> {
    let gemm = |id: &str, title: &str, class, input, output, bytes: &str| {
        spec(
            id,
            title,
            "matrix",
            class,
            input,
            output,
            ("2*m*n*k", bytes),
            &["m", "n", "k"],
            [256, 1024],
        )
    };
    let rows = |id: &str, title: &str, dtype, costs| {
        spec(
            id,
            title,
            "transformer",
            Class::Float,
            dtype,
            dtype,
            costs,
            &["rows", "cols"],
            [512, 4096],
        )
    };
    let memory = |id: &str, title: &str, costs| {
        spec(
            id,
            title,
            "memory",
            Class::Exact,
            Dtype::F32,
            Dtype::F32,
            costs,
            &["n"],
            [1 << 22, 1 << 25],
        )
    };
    let (f32, f16, i8) = (Dtype::F32, Dtype::F16, Dtype::I8);
    vec![
        memory("mem.copy.v1", "Copy an array", ("0", "8*n")),
        memory(
            "mem.triad.v1",
            "Add one array to half of another",
            ("2*n", "12*n"),
        ),
        gemm(
            "gemm.f32.v1",
            "Matrix product in f32",
            Class::Float,
            f32,
            f32,
            "4*m*k+4*n*k+4*m*n",
        ),
        gemm(
            "gemm.f32.exact.v1",
            "Matrix product in f32, in fixed order",
            Class::Exact,
            f32,
            f32,
            "4*m*k+4*n*k+4*m*n",
        ),
        gemm(
            "gemm.f16.v1",
            "Matrix product in f16, summed in f32",
            Class::Float,
            f16,
            f16,
            "2*m*k+2*n*k+2*m*n",
        ),
        gemm(
            "gemm.i8.v1",
            "Matrix product in i8, summed in i32",
            Class::Exact,
            i8,
            Dtype::I32,
            "m*k+n*k+4*m*n",
        ),
        rows(
            "softmax.f32.v1",
            "Softmax of each row",
            f32,
            ("5*rows*cols", "8*rows*cols"),
        ),
        rows(
            "rmsnorm.f16.v1",
            "RMS norm of each row",
            f16,
            ("4*rows*cols", "4*rows*cols+2*cols"),
        ),
    ]
}

#[allow(clippy::too_many_arguments, reason = "a specification has this many parts")]
fn spec(
    id: &str,
    title: &str,
    group: &str,
    class: Class,
    input: Dtype,
    output: Dtype,
    costs: (&str, &str),
    names: &[&str],
    sizes: [u64; 2],
) -> Spec {
    let tensor = |name: &str, dtype| Tensor {
        name: name.to_owned(),
        dtype,
        shape: names.iter().map(ToString::to_string).collect(),
    };
    let case = |size, dim: u64| Case {
        name: format!("{}{dim}", names[0]),
        size,
        dims: names.iter().map(|name| (name.to_string(), dim)).collect::<Dims>(),
    };
    Spec {
        id: id.to_owned(),
        title: title.to_owned(),
        group: group.to_owned(),
        class,
        cache: Cache::Cold,
        cases: vec![case(Size::Small, sizes[0]), case(Size::Standard, sizes[1])],
        inputs: vec![tensor("x", input)],
        outputs: vec![tensor("y", output)],
        flop: Formula(costs.0.to_owned()),
        bytes: Formula(costs.1.to_owned()),
        tolerance: (class == Class::Float).then(|| Tolerance {
            rel_ppt: 40_000_000,
            abs_ppt: Formula("1000".to_owned()),
            derivation: "invented for the sample".to_owned(),
        }),
    }
}

fn record(index: u32, device: &Device, speed: &Speed, spec: &Spec, case: &Case) -> Record {
    let flop = spec.flop.eval(&case.dims).expect("a formula of the sample");
    let bytes = spec.bytes.eval(&case.dims).expect("a formula of the sample");
    let peak = match spec.inputs[0].dtype {
        Dtype::F16 | Dtype::Bf16 => speed.f16,
        Dtype::I8 | Dtype::I32 => speed.i8,
        Dtype::F32 => speed.f32 * if spec.class == Class::Exact { 0.8 } else { 1.0 },
    };
    let seed = u64::from(index) * 97
        + spec.id.bytes().map(u64::from).sum::<u64>() * 31
        + case.dims.values().sum::<u64>();
    let small = if case.size == Size::Small { 0.71 } else { 1.0 };
    let ns = (flop as f64 / peak / small).max(bytes as f64 / speed.memory) * 1.04;
    record_of(index, device, spec, case, (flop, bytes), ns, seed)
}

fn record_of(
    index: u32,
    device: &Device,
    spec: &Spec,
    case: &Case,
    (flop, bytes): (u64, u64),
    launch_ns: f64,
    seed: u64,
) -> Record {
    let launches = (2e6 / launch_ns).ceil().max(1.0) as u64;
    let noise = noise(seed, 24 + (seed % 40) as usize);
    let samples_ns: Vec<u64> = noise
        .iter()
        .map(|noise| (launch_ns * launches as f64 * noise) as u64)
        .collect();
    let device_ns: u64 = samples_ns.iter().sum();
    let elements = case.dims.values().take(2).product();
    let output_sha256 = Sha256::of(format!("{} {}", spec.id, case.name).as_bytes());
    Record {
        workload: spec.id.clone(),
        spec_digest: Sha256::of(spec.id.as_bytes()),
        case: CaseRef {
            name: case.name.clone(),
            size: case.size,
            dims: case.dims.clone(),
        },
        path: PathClass::Portable,
        device: index,
        status: Status::Complete,
        reason: None,
        seed: Sha256::of(b"sample seed"),
        evidence: Evidence::Claimed,
        timing: Some(Timing {
            cache: spec.cache,
            input_sets: 3,
            work: Work {
                flop: Count(flop),
                bytes: Count(bytes),
            },
            launches_per_sample: launches,
            summary: summarize(&samples_ns, launches).expect("enough samples"),
            samples_ns,
            timer: Timer {
                source: match device.api {
                    Api::Cpu => TimerSource::Monotonic,
                    Api::Vulkan => TimerSource::VulkanTimestamp,
                    Api::Cuda => TimerSource::CudaEvent,
                },
                tick_ps: 1_000,
            },
            witness: Witness {
                device_ns,
                host_ns: device_ns + 4_000,
            },
            warmup: Warmup {
                launches: 20,
                elapsed_ns: 200_000_000,
            },
            stop: Stop::Converged,
            energy_millijoules: None,
        }),
        quality: Some(match spec.class {
            Class::Exact => Quality::Exact {
                output_sha256,
                checked: elements,
                elements,
            },
            Class::Float => Quality::Float {
                output_sha256,
                checked: elements.min(65_536),
                elements,
                relative_rms_ppb: 61 + seed % 300,
                worst_of_allowed_ppb: 40_000_000 + seed % 211_000_000,
            },
        }),
        conditions: vec![Conditions {
            moment: Moment::During,
            clock_mhz: Some(2_600),
            memory_clock_mhz: None,
            power_milliwatts: None,
            temperature_celsius: None,
            throttle: None,
            ecc: None,
            mig: None,
            other_processes: None,
            steal_ppm: Some(120),
        }],
        caveats: Vec::new(),
    }
}

/// Factors around 1 with a tail to the right, the same for the same seed: a linear congruential generator.
fn noise(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let factor = |_| {
        let (bulk, tail) = (uniform() + uniform() + uniform(), uniform());
        1.0 + 0.006 * (bulk - 1.5) + if tail > 0.93 { 0.03 * uniform() } else { 0.0 }
    };
    (0..count).map(factor).collect()
}
