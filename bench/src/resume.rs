//! Going on with a run that was cut short.

use std::path::Path;
use std::time::Duration;

use attest::digest::Sha256;
use attest::run::{Asked, Run};
use attest::statement::{Record, Session, Status};

use crate::choice::Choice;
use crate::document::{Document, read_run};
use crate::exit::{Done, fail};
use crate::runner::{Plan, tool};
use crate::suite::Suite;
use crate::{host, selection};

/// What earlier sittings of a run measured.
#[derive(Default)]
pub(crate) struct Earlier {
    /// In order, each with the records that are kept of it.
    pub sessions: Vec<Session>,
    records: Vec<Record>,
}

impl Earlier {
    /// The record that is wanted, where there is a whole one.
    pub(crate) fn record(&self, wanted: impl Fn(&Record) -> bool) -> Option<Record> {
        self.records.iter().find(|record| wanted(record)).cloned()
    }

    /// Names of the records that are not wanted.
    pub(crate) fn besides(&self, wanted: impl Fn(&Record) -> bool) -> Vec<String> {
        let others = self.records.iter().filter(|record| !wanted(record));
        others
            .map(|record| {
                format!(
                    "{} {} {}",
                    record.workload,
                    record.case.name,
                    record.path.as_str()
                )
            })
            .collect()
    }

    /// A record that was cut short is measured anew; only the last sitting can have one.
    fn of(run: Run) -> Self {
        let measured = run.measured;
        let mut sessions = measured.sessions;
        if sessions.is_empty() {
            sessions.push(Session {
                started_at: measured.measurement_started_at,
                finished_at: measured.measurement_finished_at,
                records: measured.records.len() as u64,
            });
        }
        let (cut, records): (Vec<Record>, Vec<Record>) = measured
            .records
            .into_iter()
            .partition(|record| record.status == Status::Partial);
        if let Some(last) = sessions.last_mut() {
            last.records = last.records.saturating_sub(cut.len() as u64);
        }
        Self { sessions, records }
    }
}

/// The plan of what is missing in a run file. Refused unless the same program would do the same on the same machine.
pub(crate) fn plan(path: &Path, quiet: bool) -> Done<Plan> {
    let name = path.display().to_string();
    let (run, bytes) = read_run(path)?;
    Document::of_run(&name, &bytes)?;
    let Some(asked) = run.asked.clone() else {
        return Err(fail!(
            Usage,
            "{name} does not say what was asked for, so nobody knows what is missing"
        )
        .hint("hallmark run of this version writes it"));
    };
    let suite = selection::suite(&asked.suite)?;
    let ids: Vec<String> = run
        .measured
        .devices
        .iter()
        .map(|device| device.id.clone())
        .collect();
    let (host, mut devices) = selection::devices(&ids)?;
    devices.sort_by_key(|device| host.index(&device.facts().id));
    let mut differing = differences(&run, &asked, suite, tool()?.digest.sha256);
    for (index, device) in devices.iter().enumerate() {
        let same = run.measured.devices.get(index) == Some(device.facts())
            && run.device_uuids.get(index).map(String::as_str) == Some(device.uuid());
        if !same {
            differing.push(format!("device {}", device.facts().id));
        }
    }
    let refused = |differing: Vec<String>| {
        fail!(
            Unfit,
            "{name} cannot be resumed here: {} differ",
            differing.join(", ")
        )
        .hint("begin anew with hallmark run, or go on where the run was begun")
    };
    if !differing.is_empty() {
        return Err(refused(differing));
    }
    let plan = Plan {
        suite,
        devices,
        choice: Choice {
            only: asked.only,
            skip: asked.skip,
            paths: asked.paths,
        },
        seed: asked.seed,
        mode: asked.mode,
        budget: asked.budget_ms.map(Duration::from_millis),
        time_budget: asked.time_budget_ms.map(Duration::from_millis),
        earlier: Earlier::of(run),
        quiet,
    };
    match plan.misplaced()? {
        none if none.is_empty() => Ok(plan),
        differing => Err(refused(differing)),
    }
}

/// What would not be the same, devices apart.
fn differences(run: &Run, asked: &Asked, suite: &Suite, program: Sha256) -> Vec<String> {
    let measured = &run.measured;
    let mut differing = Vec::new();
    if measured.tool.digest.sha256 != program {
        differing.push("the program".to_owned());
    }
    if measured.suite.digest != suite.digest(asked.mode) {
        differing.push(format!("suite {}", suite.name));
    }
    if measured.records.iter().any(|record| record.seed != asked.seed) {
        differing.push("the seed".to_owned());
    }
    let here = host::public();
    let fact = |facts: &std::collections::BTreeMap<String, String>, name: &str| facts.get(name).cloned();
    let mut names: Vec<&String> = here.keys().chain(measured.environment.keys()).collect();
    names.sort();
    names.dedup();
    let other = names
        .into_iter()
        .filter(|name| fact(&here, name) != fact(&measured.environment, name));
    differing.extend(other.map(|name| format!("environment {name}")));
    differing
}
