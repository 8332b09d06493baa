//! Statements that satisfy every check, each one different, and their submission.

use std::collections::BTreeMap;

use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::jcs;
use attest::key::SigningKey;
use attest::spec::{Cache, Case, Class, Dims, Dtype, Formula, Size, Spec, Tensor};
use attest::statement::{
    Api, CaseRef, Code, Count, Device, DeviceKind, DigestSet, Driver, Evidence, EvidenceNote, Measured, Mode,
    PREDICATE_TYPE, PathClass, Predicate, Quality, Record, STATEMENT_TYPE, Statement, Status, Stop, Subject,
    SuiteRef, Timer, TimerSource, Timing, Tool, Warmup, Witness, Work, identity,
};
use attest::stats::summarize;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(crate) const CPU: &str = "Sample CPU <8 cores> & co";
pub(crate) const SOFTWARE: &str = "llvmpipe/sample";

/// A signed statement and the body that submits it.
pub(crate) struct Sample {
    pub(crate) digest: Sha256,
    pub(crate) envelope: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// Statement `number`, signed by `key`.
pub(crate) fn sample(number: u64, key: &SigningKey) -> Sample {
    sample_of(&statement(number), key)
}

pub(crate) fn sample_of(statement: &Statement, key: &SigningKey) -> Sample {
    let payload = statement.to_bytes().expect("a sound statement");
    let envelope = Envelope::sign(payload, key);
    Sample {
        digest: Sha256::of(&envelope.pae()),
        envelope: envelope.to_json(),
        body: body(&envelope.to_json(), key),
    }
}

pub(crate) fn body(envelope: &[u8], key: &SigningKey) -> Vec<u8> {
    let spki = STANDARD.encode(key.public().spki_der());
    [
        b"{\"envelope\":",
        envelope,
        b",\"publicKey\":\"",
        spki.as_bytes(),
        b"\"}",
    ]
    .concat()
}

/// A run of one workload on a processor and on a software Vulkan device.
pub(crate) fn statement(number: u64) -> Statement {
    let spec = spec();
    let spec_digest = Sha256::of(&jcs::to_vec(&spec).expect("a specification"));
    let devices = vec![
        device("cpu:0", Api::Cpu, DeviceKind::Cpu, CPU),
        device("vulkan:0", Api::Vulkan, DeviceKind::Software, SOFTWARE),
    ];
    let records = (0..2)
        .map(|device| record(&spec, spec_digest, device, number))
        .collect();
    let mut subject = vec![subject("run.json", Sha256::of(&number.to_le_bytes()))];
    for (at, device) in devices.iter().enumerate() {
        subject.push(self::subject(
            &format!("device/{at}"),
            identity(&device.vendor, "uuid"),
        ));
    }
    Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject,
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: Predicate {
            measured: measured(devices, spec, records),
            freshness: None,
            attempt: None,
            proofs: Vec::new(),
            sd: Vec::new(),
            sd_alg: None,
        },
    }
}

fn measured(devices: Vec<Device>, spec: Spec, records: Vec<Record>) -> Measured {
    Measured {
        tool: Tool {
            name: "hallmark".to_owned(),
            version: "0.1.0".to_owned(),
            digest: DigestSet {
                sha256: Sha256::of(b"tool"),
            },
        },
        suite: SuiteRef {
            name: "smoke".to_owned(),
            version: 1,
            digest: Sha256::of(b"suite"),
            complete: true,
        },
        code: vec![Code {
            path: "kernels/src/mem_copy/mem_copy.spv".to_owned(),
            sha256: Sha256::of(b"code"),
        }],
        measurement_started_at: "2026-03-01T10:00:00Z".to_owned(),
        measurement_finished_at: "2026-03-01T10:00:40Z".to_owned(),
        sessions: Vec::new(),
        devices,
        environment: BTreeMap::from([("os".to_owned(), "Linux".to_owned())]),
        specs: vec![spec],
        records,
        evidence: vec![EvidenceNote {
            field: "records".to_owned(),
            level: Evidence::Claimed,
        }],
    }
}

fn subject(name: &str, sha256: Sha256) -> Subject {
    Subject {
        name: name.to_owned(),
        digest: DigestSet { sha256 },
    }
}

fn device(id: &str, api: Api, kind: DeviceKind, name: &str) -> Device {
    Device {
        id: id.to_owned(),
        api,
        kind,
        name: name.to_owned(),
        vendor: "Sample".to_owned(),
        driver: Driver {
            name: "sample".to_owned(),
            version: "1.2".to_owned(),
        },
        memory_bytes: 16 << 30,
        compute_units: Some(8),
        cache_bytes: Some(32 << 20),
        features: vec!["sample".to_owned()],
    }
}

fn spec() -> Spec {
    let tensor = |name: &str| Tensor {
        name: name.to_owned(),
        dtype: Dtype::F32,
        shape: vec!["n".to_owned()],
        tolerance: None,
    };
    Spec {
        id: "mem.copy.v1".to_owned(),
        title: "Copies an array.".to_owned(),
        group: "memory".to_owned(),
        class: Class::Exact,
        cache: Cache::Hot,
        cases: vec![Case {
            name: "n=1048576".to_owned(),
            size: Size::Small,
            dims: dims(),
        }],
        inputs: vec![tensor("mem.copy/x")],
        outputs: vec![tensor("y")],
        flop: Formula("0".to_owned()),
        bytes: Formula("8*n".to_owned()),
        tokens: None,
        tolerance: None,
    }
}

fn dims() -> Dims {
    Dims::from([("n".to_owned(), 1 << 20)])
}

fn record(spec: &Spec, spec_digest: Sha256, device: u32, number: u64) -> Record {
    let samples_ns: Vec<u64> = (0..24)
        .map(|at| 1_000_000 + (number * 31 + at * 17) % 900)
        .collect();
    let total: u64 = samples_ns.iter().sum();
    Record {
        workload: spec.id.clone(),
        spec_digest,
        case: CaseRef {
            name: spec.cases[0].name.clone(),
            size: Size::Small,
            dims: dims(),
        },
        path: PathClass::Portable,
        library: None,
        device,
        status: Status::Complete,
        reason: None,
        seed: Sha256::of(b"seed"),
        evidence: Evidence::Claimed,
        timing: Some(Timing {
            cache: Cache::Hot,
            input_sets: 1,
            work: Work {
                flop: Count(0),
                bytes: Count(8 << 20),
            },
            launches_per_sample: 4,
            summary: summarize(&samples_ns, 4).expect("24 samples"),
            samples_ns,
            timer: Timer {
                source: TimerSource::Monotonic,
                tick_ps: 1_000,
            },
            witness: Witness {
                device_ns: total,
                host_ns: total + total / 100,
            },
            warmup: Warmup {
                launches: 10,
                elapsed_ns: 3_000_000,
            },
            stop: Stop::Converged,
            mode: Mode::Burst,
            throttle: None,
            energy_millijoules: None,
        }),
        quality: Some(Quality::Exact {
            output_sha256: Sha256::of(b"outputs"),
            checked: 1 << 20,
            elements: 1 << 20,
        }),
        conditions: Vec::new(),
        caveats: Vec::new(),
    }
}
