//! Running a suite over devices, one record after the other, into a run file.

use std::time::{Duration, Instant};

use attest::digest::Sha256;
use attest::run::{Asked, RUN_FORMAT, Run};
use attest::spec::Case;
use attest::statement::{
    Api, Code, Device as Facts, Evidence, EvidenceNote, Measured, Mode, PathClass, Record, Session, Status,
    SuiteRef, Tool,
};
use kernels::device::Device;
use kernels::workload::{Kernel, Target, Workload};

use crate::choice::Choice;
use crate::exit::{Done, OrFail as _, Outcome};
use crate::host;
use crate::measure::Job;
use crate::pace::Pace;
use crate::progress::Progress;
use crate::resume::Earlier;
use crate::suite::Suite;

/// What to run, and where.
pub(crate) struct Plan {
    pub suite: &'static Suite,
    pub devices: Vec<Box<dyn Device>>,
    pub choice: Choice,
    pub seed: Sha256,
    pub mode: Mode,
    /// Sampling time of each record; the suite shares its time where there is none.
    pub budget: Option<Duration>,
    /// Time of the whole run.
    pub time_budget: Option<Duration>,
    pub earlier: Earlier,
    pub quiet: bool,
}

impl Plan {
    /// Every record of the run: device by device, the paths of a case side by side.
    fn places(&self) -> Done<Vec<Place>> {
        let cases = self.choice.of(self.suite)?;
        let mut places = Vec::new();
        for (device, here) in self.devices.iter().enumerate() {
            for &(workload, case) in &cases {
                let paths = self.choice.paths_on(workload, case, &**here).into_iter();
                places.extend(paths.map(|path| Place {
                    device,
                    workload,
                    case,
                    path,
                }));
            }
        }
        Ok(places)
    }

    /// What an earlier sitting measured and this one has no place for: a path that a device had then and has not now.
    pub(crate) fn misplaced(&self) -> Done<Vec<String>> {
        let places = self.places()?;
        Ok(self
            .earlier
            .besides(|record| places.iter().any(|place| place.holds(record))))
    }

    fn is_whole_suite(&self) -> bool {
        self.choice.is_whole() && self.budget.is_none() && self.time_budget.is_none()
    }

    fn asked(&self) -> Asked {
        let milliseconds = |time: Duration| time.as_millis() as u64;
        Asked {
            suite: self.suite.name.to_owned(),
            only: self.choice.only.clone(),
            skip: self.choice.skip.clone(),
            paths: self.choice.paths.clone(),
            mode: self.mode,
            seed: self.seed,
            budget_ms: self.budget.map(milliseconds),
            time_budget_ms: self.time_budget.map(milliseconds),
        }
    }

    /// Measures every case on every device but for those an earlier sitting measured. `keep` is given the run after each
    /// record, so that nothing done is lost. An interrupted run is sound but says it is not complete.
    pub(crate) fn run(self, keep: &mut dyn FnMut(&Run) -> Done) -> Done<Run> {
        let places = self.places()?;
        let mut sitting = Sitting::begin(&self, &places)?;
        let missing = sitting.records.iter().filter(|record| record.is_none()).count();
        let mut pace = self.pace(missing, sitting.records.len());
        let mut progress = Progress::new(missing, self.guess(sitting.records.len()), self.quiet);
        for (slot, place) in places.iter().enumerate() {
            if sitting.records[slot].is_some() {
                continue;
            }
            let device = &*self.devices[place.device];
            progress.begin(&format!("{} {}", device.facts().id, place.words()));
            let job = Job {
                workload: place.workload,
                case: place.case,
                path: place.path,
                device,
                index: place.device as u32,
                seed: self.seed,
                rule: self.rule(sitting.records.len()),
                share: pace.as_mut().map(|pace| pace.share(Instant::now())),
                warm_up: self.suite.warm_up,
            };
            let record = job.measure(&mut || progress.tick());
            // What was not begun before Ctrl-C is missing, not measured.
            if record.status == Status::Partial && record.timing.is_none() {
                break;
            }
            sitting.records[slot] = Some(record);
            sitting.measured += 1;
            keep(&sitting.run())?;
            progress.end();
        }
        progress.finish();
        Ok(sitting.run())
    }

    /// Records that no earlier sitting measured.
    pub(crate) fn missing(&self) -> Done<usize> {
        let sitting = Sitting::begin(self, &self.places()?)?;
        Ok(sitting.records.iter().filter(|record| record.is_none()).count())
    }

    fn rule(&self, records: usize) -> crate::measure::StopRule {
        let rule = self.suite.rule(self.mode, records);
        crate::measure::StopRule {
            budget: self.budget.unwrap_or(rule.budget),
            ..rule
        }
    }

    /// The time that `missing` of all `records` get; a sustained record takes what it takes, and one with a budget of its
    /// own that.
    fn pace(&self, missing: usize, records: usize) -> Option<Pace> {
        if self.mode == Mode::Sustained || self.budget.is_some() {
            return None;
        }
        let all = self
            .time_budget
            .unwrap_or(self.suite.total * self.devices.len() as u32);
        let part = all * missing as u32 / records.max(1) as u32;
        Some(Pace::new(part, missing, Instant::now()))
    }

    /// What a record takes before any was measured.
    fn guess(&self, records: usize) -> Duration {
        let each = |budget| budget + self.suite.warm_up + OVERHEAD;
        match (self.mode, self.budget, self.time_budget) {
            (Mode::Sustained, ..) => each(Duration::from_nanos(Mode::SUSTAINED_NS)),
            (Mode::Burst, Some(budget), _) => each(budget),
            (Mode::Burst, None, Some(all)) => all / records.max(1) as u32,
            (Mode::Burst, None, None) => self.suite.total * self.devices.len() as u32 / records.max(1) as u32,
        }
    }
}

/// Loading, input generation and checking take about this long beside the sampling itself.
const OVERHEAD: Duration = Duration::from_millis(600);

/// A record of the run before it is made.
struct Place {
    /// Index of the plan's device.
    device: usize,
    workload: &'static Workload,
    case: &'static Case,
    path: PathClass,
}

impl Place {
    fn holds(&self, record: &Record) -> bool {
        let work = record.workload == self.workload.spec.id && record.case.name == self.case.name;
        work && record.device as usize == self.device && record.path == self.path
    }

    /// The path stands there where it is not the usual one.
    fn words(&self) -> String {
        let case = format!("{} {}", self.workload.spec.id, self.case.name);
        match self.path {
            PathClass::Portable => case,
            other => format!("{case} {}", other.as_str()),
        }
    }
}

/// The run file as it grows: one place for each path of each case on each device.
struct Sitting<'a> {
    plan: &'a Plan,
    /// Everything but the records and times.
    empty: Run,
    records: Vec<Option<Record>>,
    started: String,
    /// Records of this sitting.
    measured: u64,
}

impl<'a> Sitting<'a> {
    fn begin(plan: &'a Plan, places: &[Place]) -> Done<Self> {
        let devices: Vec<Facts> = plan.devices.iter().map(|device| device.facts().clone()).collect();
        let records = { places.iter() }
            .map(|place| plan.earlier.record(|record| place.holds(record)))
            .collect();
        let whole = plan.is_whole_suite();
        let started = now();
        let measured = Measured {
            tool: tool()?,
            suite: SuiteRef {
                name: if whole { plan.suite.name } else { "custom" }.to_owned(),
                version: plan.suite.version,
                digest: plan.suite.digest(plan.mode),
                complete: false,
            },
            code: code(places, &devices),
            measurement_started_at: started.clone(),
            measurement_finished_at: started.clone(),
            sessions: Vec::new(),
            devices,
            environment: host::public(),
            specs: specs(places),
            records: Vec::new(),
            evidence: ["devices", "environment", "records"]
                .map(|field| EvidenceNote {
                    field: field.to_owned(),
                    level: Evidence::Claimed,
                })
                .into(),
        };
        let empty = Run {
            format: RUN_FORMAT.to_owned(),
            measured,
            device_uuids: plan
                .devices
                .iter()
                .map(|device| device.uuid().to_owned())
                .collect(),
            private: host::private(),
            asked: Some(plan.asked()),
        };
        Ok(Self {
            plan,
            empty,
            records,
            started,
            measured: 0,
        })
    }

    /// The run so far.
    fn run(&self) -> Run {
        let mut run = self.empty.clone();
        let measured = &mut run.measured;
        measured.records = self.records.iter().flatten().cloned().collect();
        measured.measurement_finished_at = now();
        let sound = |record: &Option<Record>| {
            record
                .as_ref()
                .is_some_and(|record| record.status != Status::Failed && record.status != Status::Partial)
        };
        measured.suite.complete = self.plan.is_whole_suite() && self.records.iter().all(sound);
        measured.sessions = self.plan.earlier.sessions.clone();
        if let Some(first) = measured.sessions.first() {
            measured.measurement_started_at = first.started_at.clone();
            measured.sessions.push(Session {
                started_at: self.started.clone(),
                finished_at: measured.measurement_finished_at.clone(),
                records: self.measured,
            });
        }
        run
    }
}

fn now() -> String {
    // Whole seconds: the statement claims nothing finer of a clock nobody checked.
    jiff::Timestamp::now()
        .round(jiff::Unit::Second)
        .unwrap_or_else(|_| jiff::Timestamp::now())
        .to_string()
}

/// This program, by the digest of its file.
pub(crate) fn tool() -> Done<Tool> {
    let program = std::env::current_exe()
        .and_then(std::fs::read)
        .or_fail(Outcome::Io)?;
    Ok(Tool {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        digest: attest::statement::DigestSet {
            sha256: Sha256::of(&program),
        },
    })
}

fn specs(places: &[Place]) -> Vec<attest::spec::Spec> {
    let mut specs: Vec<attest::spec::Spec> = Vec::new();
    for Place { workload, .. } in places {
        if !specs.iter().any(|spec| spec.id == workload.spec.id) {
            specs.push((**workload.spec).clone());
        }
    }
    specs
}

/// Digests of the device code the records ran, each file once.
fn code(places: &[Place], devices: &[Facts]) -> Vec<Code> {
    let mut code: Vec<Code> = Vec::new();
    for place in places {
        for found in code_of(place, &devices[place.device]) {
            if !code.contains(&found) {
                code.push(found);
            }
        }
    }
    code
}

/// None of a path that the device cannot run: nothing of it does.
fn code_of(place: &Place, device: &Facts) -> Vec<Code> {
    let extension = match device.api {
        Api::Cpu => return Vec::new(),
        Api::Vulkan => "spv",
        Api::Cuda => "ptx",
    };
    let bytes_of = |kernel: &'static Kernel| match device.api {
        Api::Cuda => kernel.ptx.map(str::as_bytes),
        _ => kernel.spirv,
    };
    let plan = { place.workload }.plan_on(place.path, &place.case.dims, Target::of(device));
    let launches = plan.map_or_else(|_| Vec::new(), |plan| plan.launches);
    launches
        .iter()
        .filter_map(|launch| {
            let Kernel { folder, name, .. } = launch.kernel;
            let path = format!("kernels/src/{folder}/{name}.{extension}");
            Some(Code {
                path,
                sha256: Sha256::of(bytes_of(launch.kernel)?),
            })
        })
        .collect()
}
