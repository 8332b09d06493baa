//! The answer: what each device proved, at what cost, and what a reader may make of it.

use attest::proof::{Outcome, Proven, Verdict};
use serde_json::{Value, json};

use super::attempt::{Part, Proved};
use crate::answer;

/// One row for each task of each attempt, for people.
pub(crate) fn text(proved: &[&Proved]) -> String {
    let head = [
        "DEVICE",
        "PROOF",
        "PROVEN RATE",
        "RESIDENT",
        "ELAPSED",
        "LANES OPENED",
        "A TENTH WRONG IS MISSED",
        "OVERHEAD",
        "LEAF",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for proved in proved {
        rows.extend(self::rows(proved));
    }
    answer::columns(&rows)
}

fn rows(proved: &Proved) -> Vec<Vec<String>> {
    let verdict = &proved.judged.verdict.predicate;
    let tasks = verdict.tasks.iter().zip(&proved.parts);
    let row = tasks.map(|(task, part)| {
        let device = device(verdict, task.device);
        let mut row = vec![device.to_owned(), task.work.workload().to_owned()];
        match &task.proven {
            Some(proven) => row.extend(figures(&task.work, proven, part)),
            None => row.push(format!("nothing: {:?}", verdict.outcome)),
        }
        if task.proven.is_some() {
            row.push(proved.judged.log_index.to_string());
        }
        row
    });
    row.collect()
}

fn figures(work: &attest::proof::Work, proven: &Proven, part: &Part) -> [String; 6] {
    [
        reports::table::rate(work, proven.rate),
        reports::resident(proven.resident_bytes.0),
        format!("{:.2} s", proven.elapsed_ns as f64 / 1e9),
        format!("{} of {}", proven.lanes_opened, work.lanes()),
        format!("{:.3} %", proven.missed_ppb as f64 / 1e7),
        overhead(part).to_string(),
    ]
}

/// Where the time went in which nothing was counted, as shares of the elapsed time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Overhead {
    /// Filling the table, which shows the capacity and no reads: timed before.
    table: f64,
    /// Drawing the state and hashing the tree: timed before, in a run without steps or table.
    fixed: f64,
    /// From the nonce to the first launch and from the root to the registry.
    protocol: f64,
}

impl std::fmt::Display for Overhead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.table > 0.0 {
            write!(f, "{:.1} % table; ", 100.0 * self.table)?;
        }
        write!(
            f,
            "{:.1} % set-up and commitment, {:.1} % protocol",
            100.0 * self.fixed,
            100.0 * self.protocol
        )
    }
}

pub(crate) fn overhead(part: &Part) -> Overhead {
    let elapsed = part.elapsed.as_secs_f64();
    Overhead {
        table: part.sized.table_s / elapsed,
        fixed: part.sized.fixed_s / elapsed,
        protocol: (elapsed - part.phases.run.as_secs_f64()).max(0.0) / elapsed,
    }
}

/// Everything about one attempt, for programs.
pub(crate) fn json(proved: &Proved) -> Value {
    let verdict = &proved.judged.verdict.predicate;
    let tasks = verdict.tasks.iter().zip(&proved.parts);
    let tasks = tasks.map(|(task, part)| {
        let overhead = overhead(part);
        json!({
            "device": device(verdict, task.device),
            "work": task.work,
            "proven": task.proven,
            "phasesNs": {
                "write": part.phases.write.as_nanos() as u64,
                "run": part.phases.run.as_nanos() as u64,
                "readRoot": part.phases.read_root.as_nanos() as u64,
                "open": part.phases.open.as_nanos() as u64,
            },
            "overheadPpm": {
                "table": (1e6 * overhead.table) as u64,
                "fixed": (1e6 * overhead.fixed) as u64,
                "protocol": (1e6 * overhead.protocol) as u64,
            },
        })
    });
    json!({
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "attempt": { "digest": proved.attempt, "logIndex": proved.attempt_index },
        "verdict": { "digest": proved.judged.digest, "logIndex": proved.judged.log_index },
        "origin": proved.origin,
        "judgingNs": proved.judging.as_nanos() as u64,
        "tasks": tasks.collect::<Vec<_>>(),
    })
}

/// Why nothing is proven, if nothing is.
pub(crate) fn unproven(verdict: &Verdict) -> Option<String> {
    let reason = verdict.reason.as_deref().unwrap_or("no reason given");
    (verdict.outcome != Outcome::Proven).then(|| format!("{:?}: {reason}", verdict.outcome))
}

pub(crate) fn device(verdict: &Verdict, index: u32) -> &str {
    verdict
        .devices
        .get(index as usize)
        .map_or("?", |device| &device.id)
}
