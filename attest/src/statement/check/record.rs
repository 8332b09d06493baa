//! One record against its specification, its device and its own samples.

use std::collections::HashMap;

use crate::digest::Sha256;
use crate::spec::{Cache, Class, Dims, FormulaError, Spec};
use crate::statement::{
    Api, Caveat, Device, Evidence, MAX_SAFE_INTEGER, Mode, PathClass, Quality, Record, Status, Stop,
    TimerSource, Timing,
};
use crate::stats::{self, StatsError, Summary};

/// Why a record is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("another record has the same case, path, device and cache")]
    Repeated,
    #[error("device {index} is beyond the {count} devices of the statement")]
    NoSuchDevice { index: u32, count: usize },
    #[error("no embedded specification has the digest {digest}")]
    NoSuchSpec { digest: Sha256 },
    #[error("digest {digest} is that of {found:?}")]
    OtherSpec { digest: Sha256, found: String },
    #[error("the specification has no case {name:?} of these dimensions and this size")]
    NoSuchCase { name: String },
    #[error("a {status:?} record must {rule}")]
    Status { status: Status, rule: &'static str },
    #[error("its text {field:?} is empty or holds a control character")]
    Text { field: &'static str },
    #[error("it names a library, which only a record of the vendor path has")]
    Library,
    #[error("evidence {level:?} cannot be shown by a signed statement alone")]
    Unsupported { level: Evidence },
    #[error(transparent)]
    Samples(#[from] StatsError),
    #[error("its summary says {written}, its samples give {recomputed}")]
    Summary { written: Summary, recomputed: Summary },
    #[error(transparent)]
    Formula(#[from] FormulaError),
    #[error("its {what} is {written}, the specification's formula gives {recomputed}")]
    Work {
        what: &'static str,
        written: u64,
        recomputed: u64,
    },
    #[error("the device's clock is written as {written} ns, its samples add up to {recomputed} ns")]
    DeviceClock { written: u64, recomputed: u64 },
    #[error("the device's clock counted {device_ns} ns and the host's {host_ns} ns; they may differ by 2 %")]
    ClocksDisagree { device_ns: u64, host_ns: u64 },
    #[error("a sample of {sample_ns} ns is shorter than 1,000 ticks of {tick_ps} ps")]
    TooShort { sample_ns: u64, tick_ps: u64 },
    #[error("{source_:?} is no clock of a device on {api}", api = .api.as_str())]
    WrongTimer { source_: TimerSource, api: Api },
    #[error("{sets} input sets do not go with a {cache:?} cache")]
    InputSets { sets: u32, cache: Cache },
    #[error("it stopped as {stop:?} with an interval of +-{half_width_ppm} ppm over {samples} samples")]
    Stop {
        stop: Stop,
        half_width_ppm: u64,
        samples: u64,
    },
    #[error(
        "a sustained record was sampled for {host_ns} ns; at least {} are wanted",
        Mode::SUSTAINED_NS
    )]
    NotSustained { host_ns: u64 },
    #[error(
        "its stretches of throttle do not cover its {samples} samples, each with another than the one before"
    )]
    Stretches { samples: usize },
    #[error("its quality is of another class than the specification's")]
    QualityClass,
    #[error("it checked {checked} of {elements} elements; the outputs have {expected}")]
    Elements {
        checked: u64,
        elements: u64,
        expected: u64,
    },
    #[error("its worst error is {worst_ppb} ppb of what is allowed, more than 1,000,000,000")]
    BeyondTolerance { worst_ppb: u64 },
    #[error("the caveat {caveat:?} is missing though the record gives the reason for it")]
    CaveatMissing { caveat: Caveat },
    #[error("its outputs have another digest than the same exact case elsewhere in the statement")]
    OutputsDiffer,
    #[error("{field} is {value}, beyond 2^53-1")]
    Unwritable { field: &'static str, value: u64 },
}

/// Clocks are compared over spans this long; below, submission and wait weigh too much.
const WITNESS_NS: u64 = 1_000_000_000;

/// The median's interval of a converged record, half of it relative to the median.
const CONVERGED_PPM: u64 = 10_000;

const TICKS_PER_SAMPLE: u128 = 1_000;

const WHOLE_PPB: u64 = 1_000_000_000;

pub(super) fn check(
    record: &Record,
    specs: &[(Sha256, &Spec)],
    devices: &[Device],
) -> Result<(), RecordError> {
    let device = devices
        .get(record.device as usize)
        .ok_or(RecordError::NoSuchDevice {
            index: record.device,
            count: devices.len(),
        })?;
    let spec = spec_of(record, specs)?;
    if record.evidence != Evidence::Claimed {
        return Err(RecordError::Unsupported {
            level: record.evidence,
        });
    }
    status(record)?;
    library(record)?;
    if let Some(timing) = &record.timing {
        check_timing(timing, spec, &record.case.dims, device.api)?;
        stop(timing, record.status)?;
        sustained(timing, record.status)?;
        stretches(timing)?;
    }
    if let Some(quality) = &record.quality {
        check_quality(quality, spec, &record.case.dims, record.status)?;
    }
    match record.required_caveats().find(|c| !record.caveats.contains(c)) {
        Some(caveat) => Err(RecordError::CaveatMissing { caveat }),
        None => Ok(()),
    }
}

fn spec_of<'a>(record: &Record, specs: &[(Sha256, &'a Spec)]) -> Result<&'a Spec, RecordError> {
    let digest = record.spec_digest;
    let &(_, spec) = specs
        .iter()
        .find(|(known, _)| *known == digest)
        .ok_or(RecordError::NoSuchSpec { digest })?;
    if spec.id != record.workload {
        return Err(RecordError::OtherSpec {
            digest,
            found: super::clip(&spec.id),
        });
    }
    let case = &record.case;
    let known = spec
        .cases
        .iter()
        .any(|other| other.name == case.name && other.dims == case.dims && other.size == case.size);
    if known {
        Ok(spec)
    } else {
        Err(RecordError::NoSuchCase {
            name: super::clip(&case.name),
        })
    }
}

/// What a record of each status must and must not carry.
fn status(record: &Record) -> Result<(), RecordError> {
    let (timed, checked) = (record.timing.is_some(), record.quality.is_some());
    let rule = match record.status {
        Status::Complete if !timed => Some("carry its samples"),
        Status::Complete if !checked => Some("carry the quality of its outputs"),
        Status::Complete if record.reason.is_some() => Some("give no reason for missing"),
        Status::Unsupported if timed || checked => Some("carry no samples and no outputs"),
        Status::Partial | Status::Unsupported | Status::Failed if record.reason.is_none() => {
            Some("give its reason")
        }
        _ => None,
    };
    if let Some(rule) = rule {
        return Err(RecordError::Status {
            status: record.status,
            rule,
        });
    }
    match &record.reason {
        Some(reason) if super::text("reason", reason).is_err() => Err(RecordError::Text { field: "reason" }),
        _ => Ok(()),
    }
}

/// Named in words, and by none but a record of the vendor path.
fn library(record: &Record) -> Result<(), RecordError> {
    let Some(library) = &record.library else {
        return Ok(());
    };
    if record.path != PathClass::Vendor {
        return Err(RecordError::Library);
    }
    for (field, value) in [
        ("library.name", &library.name),
        ("library.version", &library.version),
        ("library.algorithm", &library.algorithm),
    ] {
        super::text(field, value).map_err(|_| RecordError::Text { field })?;
    }
    Ok(())
}

fn check_timing(timing: &Timing, spec: &Spec, dims: &Dims, api: Api) -> Result<(), RecordError> {
    let recomputed = stats::summarize(&timing.samples_ns, timing.launches_per_sample)?;
    if recomputed != timing.summary {
        return Err(RecordError::Summary {
            written: timing.summary,
            recomputed,
        });
    }
    for (what, formula, written) in [
        ("flop", &spec.flop, timing.work.flop.0),
        ("bytes", &spec.bytes, timing.work.bytes.0),
    ] {
        let recomputed = formula.eval(dims)?;
        if recomputed != written {
            return Err(RecordError::Work {
                what,
                written,
                recomputed,
            });
        }
    }
    clocks(timing, api)?;
    let rotates = timing.input_sets > 1;
    if timing.input_sets == 0 || (rotates && timing.cache == Cache::Hot) {
        return Err(RecordError::InputSets {
            sets: timing.input_sets,
            cache: timing.cache,
        });
    }
    for (field, value) in [
        ("launchesPerSample", timing.launches_per_sample),
        ("timer.tickPs", timing.timer.tick_ps),
        ("witness.hostNs", timing.witness.host_ns),
        ("warmup.launches", timing.warmup.launches),
        ("warmup.elapsedNs", timing.warmup.elapsed_ns),
        ("energyMillijoules", timing.energy_millijoules.unwrap_or(0)),
    ] {
        if value > MAX_SAFE_INTEGER {
            return Err(RecordError::Unwritable { field, value });
        }
    }
    Ok(())
}

fn clocks(timing: &Timing, api: Api) -> Result<(), RecordError> {
    let source = timing.timer.source;
    let possible = match source {
        TimerSource::CudaEvent => api == Api::Cuda,
        TimerSource::VulkanTimestamp => api == Api::Vulkan,
        TimerSource::Monotonic => true,
    };
    if !possible {
        return Err(RecordError::WrongTimer { source_: source, api });
    }
    // At most 512 samples of a day each.
    let sum: u64 = timing.samples_ns.iter().sum();
    let witness = timing.witness;
    if witness.device_ns != sum {
        return Err(RecordError::DeviceClock {
            written: witness.device_ns,
            recomputed: sum,
        });
    }
    let apart = witness.device_ns.abs_diff(witness.host_ns);
    let long = witness.device_ns.max(witness.host_ns) >= WITNESS_NS;
    if long && u128::from(apart) * 50 > u128::from(witness.host_ns) {
        return Err(RecordError::ClocksDisagree {
            device_ns: witness.device_ns,
            host_ns: witness.host_ns,
        });
    }
    let tick_ps = timing.timer.tick_ps;
    let short = timing
        .samples_ns
        .iter()
        .find(|&&ns| u128::from(ns) * 1_000 < u128::from(tick_ps) * TICKS_PER_SAMPLE);
    match short {
        Some(&sample_ns) => Err(RecordError::TooShort { sample_ns, tick_ps }),
        None => Ok(()),
    }
}

/// The reason for stopping must be true of the samples.
fn stop(timing: &Timing, status: Status) -> Result<(), RecordError> {
    let half_width_ppm = timing.summary.half_width_ppm();
    let samples = timing.summary.samples;
    let sound = match timing.stop {
        Stop::Converged => half_width_ppm <= CONVERGED_PPM && timing.mode == Mode::Burst,
        Stop::Full => samples == stats::MAX_SAMPLES as u64,
        Stop::Budget => true,
        Stop::Interrupted => status != Status::Complete,
    };
    if sound {
        Ok(())
    } else {
        Err(RecordError::Stop {
            stop: timing.stop,
            half_width_ppm,
            samples,
        })
    }
}

/// A sustained record is a long one, whatever its interval.
fn sustained(timing: &Timing, status: Status) -> Result<(), RecordError> {
    let host_ns = timing.witness.host_ns;
    let cut_short = status != Status::Complete;
    match timing.mode {
        Mode::Sustained if host_ns < Mode::SUSTAINED_NS && !cut_short => {
            Err(RecordError::NotSustained { host_ns })
        }
        Mode::Sustained | Mode::Burst => Ok(()),
    }
}

/// Each sample stands in one stretch, and neighbours differ.
fn stretches(timing: &Timing) -> Result<(), RecordError> {
    let Some(stretches) = &timing.throttle else {
        return Ok(());
    };
    let samples = timing.samples_ns.len();
    let sum = stretches
        .iter()
        .try_fold(0u64, |sum, stretch| sum.checked_add(stretch.samples));
    let whole = sum == Some(samples as u64) && stretches.iter().all(|stretch| stretch.samples > 0);
    let merged = stretches
        .windows(2)
        .all(|pair| pair[0].throttled != pair[1].throttled);
    if whole && merged {
        Ok(())
    } else {
        Err(RecordError::Stretches { samples })
    }
}

fn check_quality(quality: &Quality, spec: &Spec, dims: &Dims, status: Status) -> Result<(), RecordError> {
    let (class, checked, elements, worst_ppb) = match *quality {
        Quality::Exact {
            checked, elements, ..
        } => (Class::Exact, checked, elements, 0),
        Quality::Float {
            checked,
            elements,
            worst_of_allowed_ppb,
            ..
        } => (Class::Float, checked, elements, worst_of_allowed_ppb),
    };
    if class != spec.class {
        return Err(RecordError::QualityClass);
    }
    let expected = spec.output_elements(dims)?;
    if elements != expected || checked == 0 || checked > elements {
        return Err(RecordError::Elements {
            checked,
            elements,
            expected,
        });
    }
    if worst_ppb > WHOLE_PPB && status == Status::Complete {
        return Err(RecordError::BeyondTolerance { worst_ppb });
    }
    Ok(())
}

/// Digests of exact outputs seen so far, by specification, case and seed.
#[derive(Default)]
pub(super) struct Outputs<'a>(HashMap<(Sha256, &'a str, Sha256), Sha256>);

impl<'a> Outputs<'a> {
    /// Exact outputs are equal on every device, so one statement holds one digest for each input.
    pub(super) fn agree(&mut self, record: &'a Record) -> Result<(), RecordError> {
        let Some(Quality::Exact { output_sha256, .. }) = record.quality else {
            return Ok(());
        };
        if record.status != Status::Complete {
            return Ok(());
        }
        let input = (record.spec_digest, record.case.name.as_str(), record.seed);
        if *self.0.entry(input).or_insert(output_sha256) == output_sha256 {
            Ok(())
        } else {
            Err(RecordError::OutputsDiffer)
        }
    }
}
