//! Running a suite over devices, one record after the other, into a run file.

use std::time::Duration;

use attest::digest::Sha256;
use attest::run::{RUN_FORMAT, Run};
use attest::spec::Case;
use attest::statement::{
    Api, Code, Device as Facts, Evidence, EvidenceNote, Measured, Record, Status, SuiteRef, Tool,
};
use kernels::device::Device;
use kernels::workload::{Kernel, Target, Workload};

use crate::exit::{Done, OrFail as _, Outcome, fail};
use crate::measure::Job;
use crate::progress::Progress;
use crate::suite::Suite;
use crate::{host, interrupt};

/// Loading, input generation and checking take about this long beside the sampling itself.
const OVERHEAD: Duration = Duration::from_millis(600);

/// What to run, and where.
pub(crate) struct Plan {
    pub suite: &'static Suite,
    pub devices: Vec<Box<dyn Device>>,
    /// Only workloads whose id starts with one of these; empty for all.
    pub only: Vec<String>,
    pub seed: Sha256,
    pub budget: Option<Duration>,
    pub quiet: bool,
}

impl Plan {
    fn cases(&self) -> Vec<(&'static Workload, &'static Case)> {
        let wanted = |id: &str| self.only.is_empty() || self.only.iter().any(|prefix| id.starts_with(prefix));
        self.suite
            .cases()
            .into_iter()
            .filter(|(workload, _)| wanted(&workload.spec.id))
            .collect()
    }

    /// Measures every case on every device. An interrupted run is whole but says it is not complete.
    pub(crate) fn run(&self) -> Done<Run> {
        let cases = self.cases();
        if cases.is_empty() {
            return Err(fail!(
                Usage,
                "no workload of suite {} starts with {:?}",
                self.suite.name,
                self.only
            )
            .hint("hallmark workloads lists them"));
        }
        let tool = tool()?;
        let started = now();
        let records = self.records(&cases);
        let devices: Vec<Facts> = self.devices.iter().map(|device| device.facts().clone()).collect();
        let whole = self.only.is_empty() && self.budget.is_none();
        let complete =
            whole && !interrupt::asked() && records.iter().all(|record| record.status != Status::Failed);
        let measured = Measured {
            tool,
            suite: SuiteRef {
                name: if whole { self.suite.name } else { "custom" }.to_owned(),
                version: self.suite.version,
                digest: self.suite.digest(),
                complete,
            },
            code: code(&cases, &devices),
            measurement_started_at: started,
            measurement_finished_at: now(),
            devices,
            environment: host::public(),
            specs: specs(&cases),
            records,
            evidence: ["devices", "environment", "records"]
                .map(|field| EvidenceNote {
                    field: field.to_owned(),
                    level: Evidence::Claimed,
                })
                .into(),
        };
        let device_uuids = self
            .devices
            .iter()
            .map(|device| device.uuid().to_owned())
            .collect();
        Ok(Run {
            format: RUN_FORMAT.to_owned(),
            measured,
            device_uuids,
            private: host::private(),
        })
    }

    fn records(&self, cases: &[(&'static Workload, &'static Case)]) -> Vec<Record> {
        let budget = self.budget.unwrap_or(self.suite.budget);
        let each = budget + self.suite.warm_up + OVERHEAD;
        let mut progress = Progress::new(cases.len() * self.devices.len(), each, self.quiet);
        let mut records = Vec::new();
        for (index, device) in self.devices.iter().enumerate() {
            for &(workload, case) in cases {
                progress.begin(&format!(
                    "{} {} {}",
                    device.facts().id,
                    workload.spec.id,
                    case.name
                ));
                let mut rule = self.suite.rule();
                rule.budget = budget;
                let job = Job {
                    workload,
                    case,
                    device: &**device,
                    index: index as u32,
                    seed: self.seed,
                    rule,
                    warm_up: self.suite.warm_up,
                };
                records.push(job.measure(&mut || progress.tick()));
                progress.end();
            }
        }
        progress.finish();
        records
    }
}

fn now() -> String {
    // Whole seconds: the statement claims nothing finer of a clock nobody checked.
    jiff::Timestamp::now()
        .round(jiff::Unit::Second)
        .unwrap_or_else(|_| jiff::Timestamp::now())
        .to_string()
}

fn tool() -> Done<Tool> {
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

fn specs(cases: &[(&'static Workload, &'static Case)]) -> Vec<attest::spec::Spec> {
    let mut specs: Vec<attest::spec::Spec> = Vec::new();
    for (workload, _) in cases {
        if !specs.iter().any(|spec| spec.id == workload.spec.id) {
            specs.push((**workload.spec).clone());
        }
    }
    specs
}

/// Digests of the device code the records ran, each file once.
fn code(cases: &[(&'static Workload, &'static Case)], devices: &[Facts]) -> Vec<Code> {
    let mut code: Vec<Code> = Vec::new();
    for device in devices {
        for (workload, case) in cases {
            for found in code_of(workload, case, device) {
                if !code.contains(&found) {
                    code.push(found);
                }
            }
        }
    }
    code
}

fn code_of(workload: &Workload, case: &Case, device: &Facts) -> Vec<Code> {
    let extension = match device.api {
        Api::Cpu => return Vec::new(),
        Api::Vulkan => "spv",
        Api::Cuda => "ptx",
    };
    let bytes_of = |kernel: &'static Kernel| match device.api {
        Api::Cuda => kernel.ptx.map(str::as_bytes),
        _ => kernel.spirv,
    };
    let launches = (workload.plan)(&case.dims, Target::of(device)).launches;
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
