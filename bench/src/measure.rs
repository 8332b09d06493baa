//! Measuring one case on one device: warm up, sample, check the outputs of the very launches that were timed.

mod caveats;
mod clocks;
mod sampled;
mod sets;
mod stop;
mod throttle;
mod warmup;

use std::time::{Duration, Instant};

use attest::digest::Sha256;
use attest::spec::Case;
use attest::statement::{
    CaseRef, Conditions, Count, DeviceKind, Evidence, Mode, Moment, PathClass, Quality, Record, Status, Stop,
    Timing, Witness, Work,
};
use attest::stats::{MIN_SAMPLES, summarize};
use kernels::device::{Device, DeviceError, Loaded};
use kernels::workload::Workload;

use clocks::agree;
use sampled::Sampled;
pub(crate) use stop::StopRule;
use warmup::Warm;

use crate::interrupt;
use crate::suite::spec_digest;

/// How often a case is sampled until its two clocks agree. A host that was held up while it waited reads long once; a
/// clock that lies does so every time.
const WITNESSED: usize = 5;

/// A sample so long that handing it over weighs nothing: clocks that disagree over it do so for another reason.
const LONG_SAMPLE_NS: u64 = 50_000_000;

/// A record gets this long to sample, whatever its share: a few samples more than the least of most cases.
const LEAST_SAMPLING: Duration = Duration::from_millis(100);

/// Processors settle in a quarter of the warm-up of a card, whose clocks rise slowly.
const PROCESSOR_WARM_UP: u32 = 4;

/// A processor counts its energy each millisecond, a card each tenth of a second at worst: shorter records would be off by
/// more than 1 % or 10 %.
const PROCESSOR_ENERGY: Duration = Duration::from_millis(100);
const CARD_ENERGY: Duration = Duration::from_secs(1);

/// Energy counters return to zero after minutes; read this often, none is missed.
const ENERGY_EVERY: Duration = Duration::from_secs(10);

/// One case to measure.
pub(crate) struct Job<'a> {
    pub workload: &'static Workload,
    pub case: &'a Case,
    pub path: PathClass,
    pub device: &'a dyn Device,
    /// Index of the device in the statement.
    pub index: u32,
    pub seed: Sha256,
    pub rule: StopRule,
    /// Time of the whole record, which bounds its sampling; `None` when the rule's budget is all that counts.
    pub share: Option<Duration>,
    pub warm_up: Duration,
}

/// Why a case gave no figures.
enum Refusal {
    Unsupported(String),
    Failed(String),
    Interrupted,
    /// A sample of so many nanoseconds, which the device's clock does not resolve.
    TooShort(u64),
}

impl From<DeviceError> for Refusal {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Unsupported { reason, .. } => Self::Unsupported(reason),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Job<'_> {
    /// Measures the case. A case that cannot run, or ran wrong, gives a record that says so.
    ///
    /// `tick` is called after each sample.
    pub(crate) fn measure(&self, tick: &mut dyn FnMut()) -> Record {
        let mut record = self.blank();
        match self.fill(&mut record, tick) {
            Ok(()) => {}
            Err(Refusal::Unsupported(reason)) => record.set(Status::Unsupported, reason),
            Err(Refusal::Failed(reason)) => record.set(Status::Failed, reason),
            Err(Refusal::TooShort(ns)) => record.set(Status::Failed, too_short(ns)),
            Err(Refusal::Interrupted) => record.set(Status::Partial, "interrupted before six samples".into()),
        }
        record.caveats = caveats::caveats(&record);
        record
    }

    fn blank(&self) -> Record {
        let spec = &**self.workload.spec;
        Record {
            workload: spec.id.clone(),
            spec_digest: spec_digest(spec),
            case: CaseRef {
                name: self.case.name.clone(),
                size: self.case.size,
                dims: self.case.dims.clone(),
            },
            path: self.path,
            library: None,
            device: self.index,
            status: Status::Complete,
            reason: None,
            seed: self.seed,
            evidence: Evidence::Claimed,
            timing: None,
            quality: None,
            conditions: Vec::new(),
            caveats: Vec::new(),
        }
    }

    fn fill(&self, record: &mut Record, tick: &mut dyn FnMut()) -> Result<(), Refusal> {
        if interrupt::asked() {
            return Err(Refusal::Interrupted);
        }
        let began = Instant::now();
        let (spec, dims) = (&**self.workload.spec, &self.case.dims);
        let bytes = spec
            .bytes
            .eval(dims)
            .map_err(|error| Refusal::Failed(error.to_string()))?;
        let sets = sets::input_sets(spec.cache, self.device.facts(), bytes);
        if let Some(reason) = self.device.refusal(self.workload, self.path, dims, sets) {
            return Err(Refusal::Unsupported(reason));
        }
        let inputs = kernels::inputs::generate(self.workload, dims, &self.seed.0);
        let mut loaded = { self.device }.load(self.workload, self.path, dims, &inputs, sets)?;
        record.library = loaded.library();
        let timing = self.witnessed(record, &mut *loaded, sets, began, tick)?;
        let launches = timing.launches_per_sample * timing.samples_ns.len() as u64;
        if timing.stop == Stop::Interrupted {
            record.set(
                Status::Partial,
                format!("interrupted after {} samples", timing.samples_ns.len()),
            );
        }
        record.timing = Some(timing);
        // A record cut short may not have reached every set.
        let written = u64::from(sets).min(launches) as u32;
        record.quality = Some(self.check(&mut *loaded, written, &inputs)?);
        Ok(())
    }

    /// Samples until both clocks agree on the whole of them, at most [`WITNESSED`] times.
    fn witnessed(
        &self,
        record: &mut Record,
        loaded: &mut dyn Loaded,
        sets: u32,
        began: Instant,
        tick: &mut dyn FnMut(),
    ) -> Result<Timing, Refusal> {
        let warm = warmup::warm_up(loaded, self.warm_up())?;
        let rule = self.rule(began.elapsed());
        let mut launches = warmup::launches_per_sample(loaded.timer(), sets, warm.ns_per_launch, &rule);
        let mut fault = String::new();
        for _ in 0..WITNESSED {
            record.conditions.clear();
            match self.sample(record, loaded, (sets, launches), &rule, &warm, tick) {
                Ok(timing) => match agree(&timing.witness) {
                    Ok(()) => return Ok(timing),
                    Err(reason) => {
                        fault = reason;
                        // Handing over weighs less in a longer sample.
                        if timing.witness.host_ns / (timing.samples_ns.len() as u64) < LONG_SAMPLE_NS {
                            launches *= 2;
                        }
                    }
                },
                Err(Refusal::TooShort(ns)) => {
                    fault = too_short(ns);
                    launches = warmup::more_launches(loaded.timer(), sets, launches, ns);
                }
                Err(other) => return Err(other),
            }
        }
        Err(Refusal::Failed(format!(
            "{fault}, and {WITNESSED} tries gave none within it"
        )))
    }

    fn is_card(&self) -> bool {
        self.device.facts().kind == DeviceKind::Gpu
    }

    fn warm_up(&self) -> Duration {
        if self.is_card() {
            self.warm_up
        } else {
            self.warm_up / PROCESSOR_WARM_UP
        }
    }

    /// The rule within the record's share, a quarter of which is left for the check.
    fn rule(&self, spent: Duration) -> StopRule {
        let budget = match self.share {
            None => self.rule.budget,
            Some(share) => {
                let left = (share * 3 / 4).saturating_sub(spent);
                left.min(self.rule.budget).max(LEAST_SAMPLING)
            }
        };
        StopRule { budget, ..self.rule }
    }

    fn sample(
        &self,
        record: &mut Record,
        loaded: &mut dyn Loaded,
        (sets, launches): (u32, u64),
        rule: &StopRule,
        warm: &Warm,
        tick: &mut dyn FnMut(),
    ) -> Result<Timing, Refusal> {
        loaded.poison()?;
        record.conditions.push(self.device.conditions(Moment::Before));
        let energy = self.device.energy_millijoules();
        let counted = if self.is_card() {
            CARD_ENERGY
        } else {
            PROCESSOR_ENERGY
        };
        let rule = StopRule {
            least: energy.map_or(rule.least, |_| counted.min(rule.budget)),
            ..*rule
        };
        let sampled = self.take(loaded, launches, &rule, &mut record.conditions, tick)?;
        let energy = energy.and_then(|before| self.device.energy_millijoules()?.checked_sub(before));
        record.conditions.push(self.device.conditions(Moment::After));
        let spec = &**self.workload.spec;
        let count = |formula: &attest::spec::Formula| {
            formula
                .eval(&self.case.dims)
                .map(Count)
                .map_err(|error| Refusal::Failed(error.to_string()))
        };
        let summary =
            summarize(&sampled.samples_ns, launches).map_err(|error| Refusal::Failed(error.to_string()))?;
        Ok(Timing {
            cache: spec.cache,
            input_sets: sets,
            work: Work {
                flop: count(&spec.flop)?,
                bytes: count(&spec.bytes)?,
            },
            launches_per_sample: launches,
            witness: Witness {
                device_ns: sampled.samples_ns.iter().sum(),
                host_ns: sampled.host_ns,
            },
            samples_ns: sampled.samples_ns,
            summary,
            timer: loaded.timer(),
            warmup: warm.warmup,
            stop: sampled.stop,
            mode: rule.mode,
            throttle: sampled.throttle.stretches(),
            energy_millijoules: energy.filter(|_| Duration::from_nanos(sampled.host_ns) >= counted),
        })
    }

    fn take(
        &self,
        loaded: &mut dyn Loaded,
        launches: u64,
        rule: &StopRule,
        conditions: &mut Vec<Conditions>,
        tick: &mut dyn FnMut(),
    ) -> Result<Sampled, Refusal> {
        let (began, mut counted) = (Instant::now(), Instant::now());
        let mut sampled = Sampled::default();
        let shortest_ns = warmup::shortest_sample_ns(loaded.timer());
        loop {
            let elapsed = loaded.run(launches)?;
            if elapsed.device_ns < shortest_ns {
                return Err(Refusal::TooShort(elapsed.device_ns));
            }
            sampled.samples_ns.push(elapsed.device_ns);
            sampled.host_ns += elapsed.host_ns;
            sampled.throttle.saw(self.device.throttled());
            tick();
            if sampled.samples_ns.len() == rule.min_samples {
                conditions.push(self.device.conditions(Moment::During));
            }
            if counted.elapsed() >= ENERGY_EVERY {
                self.device.energy_millijoules();
                counted = Instant::now();
            }
            let spent = match rule.mode {
                Mode::Burst => began.elapsed(),
                // What is stated is the time of the samples, not of what lies between.
                Mode::Sustained => Duration::from_nanos(sampled.host_ns),
            };
            if let Some(stop) = rule.stop(&sampled.samples_ns, launches, spent) {
                return sampled.stopped(stop, rule);
            }
            if interrupt::asked() {
                let enough = sampled.samples_ns.len() >= MIN_SAMPLES;
                return if enough {
                    Ok(Sampled {
                        stop: Stop::Interrupted,
                        ..sampled
                    })
                } else {
                    Err(Refusal::Interrupted)
                };
            }
        }
    }

    /// Checks the outputs of the first `sets` sets, which the timed launches wrote.
    fn check(&self, loaded: &mut dyn Loaded, sets: u32, inputs: &[Vec<u8>]) -> Result<Quality, Refusal> {
        let mut sample_seed = [0; 32];
        getrandom::fill(&mut sample_seed)
            .map_err(|error| Refusal::Failed(format!("no randomness: {error}")))?;
        let outputs = loaded.read(0)?;
        let quality = kernels::check::check(self.workload, &self.case.dims, inputs, &outputs, &sample_seed)
            .map_err(|mismatch| Refusal::Failed(mismatch.to_string()))?;
        for set in 1..sets {
            if loaded.read(set)? != outputs {
                return Err(Refusal::Failed(format!(
                    "{}: set {set} of {sets} gave other outputs than set 0 from the same inputs",
                    self.workload.spec.id
                )));
            }
        }
        Ok(quality)
    }
}

fn too_short(ns: u64) -> String {
    format!("a sample of {ns} ns is shorter than 1,000 ticks of the device's clock")
}

trait SetStatus {
    fn set(&mut self, status: Status, reason: String);
}

impl SetStatus for Record {
    fn set(&mut self, status: Status, reason: String) {
        self.status = status;
        self.reason = Some(reason);
    }
}
