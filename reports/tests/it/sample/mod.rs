//! A statement made up in code, shaped like one of a small machine. Its figures are invented.

#![allow(dead_code, reason = "the tests and the example each use a part of it")]

mod records;
mod specs;

use attest::digest::Sha256;
use attest::spec::Size;
use attest::statement::{
    Api, Caveat, Code, Device, DeviceKind, DigestSet, Driver, Evidence, EvidenceNote, Freshness, Measured,
    PREDICATE_TYPE, Predicate, Record, STATEMENT_TYPE, Statement, Status, Subject, SuiteRef, Tool,
};
use reports::{Check, LogPlace, Shown, Verdict};

use records::{CPU, GPU, LAVAPIPE, Speed, record};
use specs::specs;

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
        key_id: Some(Sha256::of(b"sample key")),
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
        assessment: None,
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
        sessions: Vec::new(),
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
            proofs: Vec::new(),
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
