//! Records with invented samples.

use attest::digest::Sha256;
use attest::spec::{Case, Class, Dtype, Size, Spec};
use attest::statement::{
    Api, CaseRef, Conditions, Count, Device, Evidence, Mode, Moment, PathClass, Quality, Record, Status,
    Stop, Timer, TimerSource, Timing, Warmup, Witness, Work,
};
use attest::stats::summarize;

/// Rates of the invented devices: GB/s of memory, 10^9 operations per second in f32, f16 and i8.
pub(super) struct Speed {
    memory: f64,
    f32: f64,
    f16: f64,
    i8: f64,
}

pub(super) const CPU: Speed = Speed {
    memory: 21.0,
    f32: 128.0,
    f16: 61.0,
    i8: 210.0,
};
pub(super) const LAVAPIPE: Speed = Speed {
    memory: 9.4,
    f32: 14.2,
    f16: 8.1,
    i8: 11.0,
};
pub(super) const GPU: Speed = Speed {
    memory: 880.0,
    f32: 21_300.0,
    f16: 24_100.0,
    i8: 41_000.0,
};

pub(super) fn record(index: u32, device: &Device, speed: &Speed, spec: &Spec, case: &Case) -> Record {
    let flop = spec.flop.eval(&case.dims).expect("a formula of the sample");
    let bytes = spec.bytes.eval(&case.dims).expect("a formula of the sample");
    let peak = match spec.inputs[0].dtype {
        Dtype::F16 | Dtype::Bf16 | Dtype::Fp8E4m3 => speed.f16,
        Dtype::I8 | Dtype::I32 | Dtype::Q4 => speed.i8,
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
        library: None,
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
            mode: Mode::Burst,
            throttle: None,
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
            clock_mhz: Some(2_600),
            steal_ppm: Some(120),
            ..Conditions::untold(Moment::During)
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
