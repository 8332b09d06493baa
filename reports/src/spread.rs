//! How far the medians of several runs of one machine lie apart.
//!
//! The measure is the coefficient of variation: the standard deviation of the runs' medians (divisor n - 1) over their
//! mean. It shows what the interval of one run cannot: how far two runs of one build drift apart.
//!
//! Runs are of one machine when their devices have the same ids, names and drivers; records are put together when device,
//! workload, spec digest, case, path class and mode agree.

mod render;

use std::collections::BTreeSet;

use attest::digest::Sha256;
use attest::statement::{Count, Mode, PathClass};
use serde::Serialize;

pub use render::{JSON_FORMAT, json, text};

use crate::Shown;
use crate::table::{DeviceRef, Row, rows};

/// Fewest runs that have a standard deviation.
pub const MIN_RUNS: usize = 2;

/// The records of several runs, device by device.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// Digests of the runs, in the order given.
    pub runs: Vec<Sha256>,
    pub devices: Vec<DeviceSpread>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceSpread {
    pub device: DeviceRef,
    pub records: Vec<RecordSpread>,
}

/// One case of one workload over all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordSpread {
    pub workload: String,
    pub case: String,
    pub path: PathClass,
    #[serde(flatten)]
    pub found: Found,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Found {
    /// Time of one launch in picoseconds, a median for each run, and their coefficient of variation in millionths.
    Medians {
        medians_ps: Vec<Count>,
        variation_ppm: u64,
    },
    /// Why some runs have no median.
    Absent { reason: String },
}

/// Why there is no spread.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSpread {
    #[error("{0} run has no spread: give at least {MIN_RUNS} of one machine")]
    TooFew(usize),
    #[error("run {0} is given twice")]
    Twice(Sha256),
    #[error("run {other} is of other devices than run {first}: it has {has}, the first has {wants}")]
    Devices {
        first: Sha256,
        other: Sha256,
        has: String,
        wants: String,
    },
}

/// Puts the records of `runs` together.
pub fn spread(runs: &[Shown<'_>]) -> Result<Spread, NoSpread> {
    if runs.len() < MIN_RUNS {
        return Err(NoSpread::TooFew(runs.len()));
    }
    let mut known = BTreeSet::new();
    if let Some(again) = runs.iter().find(|run| !known.insert(run.digest)) {
        return Err(NoSpread::Twice(again.digest));
    }
    let machines: Vec<String> = runs.iter().map(machine).collect();
    if let Some(other) = machines.iter().position(|machine| *machine != machines[0]) {
        return Err(NoSpread::Devices {
            first: runs[0].digest,
            other: runs[other].digest,
            has: machines[other].clone(),
            wants: machines[0].clone(),
        });
    }
    let rows = rows(runs);
    let mut devices: Vec<DeviceSpread> = Vec::new();
    let mut seen = BTreeSet::new();
    for row in rows.iter().filter(|row| seen.insert(key(row))) {
        let record = RecordSpread {
            workload: row.workload.clone(),
            case: row.case.clone(),
            path: row.path,
            found: found(rows.iter().filter(|other| key(other) == key(row)), runs.len()),
        };
        match devices.iter_mut().find(|device| device.device == row.device) {
            Some(device) => device.records.push(record),
            None => devices.push(DeviceSpread {
                device: row.device.clone(),
                records: vec![record],
            }),
        }
    }
    Ok(Spread {
        runs: runs.iter().map(|run| run.digest).collect(),
        devices,
    })
}

/// Ids, names and drivers of a run's devices.
fn machine(run: &Shown<'_>) -> String {
    let devices = run.statement.predicate.measured.devices.iter();
    let named: Vec<String> = devices
        .map(|device| format!("{} {} ({})", device.id, device.name, device.driver.version))
        .collect();
    named.join(", ")
}

type Key<'a> = (u32, &'a str, Sha256, &'a str, &'static str, bool);

fn key(row: &Row) -> Key<'_> {
    (
        row.device.index,
        &row.workload,
        row.spec_digest,
        &row.case,
        row.path.as_str(),
        row.mode == Some(Mode::Sustained),
    )
}

/// Medians of the runs' rows of one record.
fn found<'a>(rows: impl Iterator<Item = &'a Row>, runs: usize) -> Found {
    let (mut medians_ps, mut reason) = (Vec::new(), None);
    for row in rows {
        match &row.figures {
            Some(figures) => medians_ps.push(figures.time_ps.median),
            None => reason = row.reason.clone().or_else(|| row.no_figures.clone()),
        }
    }
    if medians_ps.len() == runs {
        let variation_ppm = variation_ppm(&medians_ps);
        return Found::Medians {
            medians_ps,
            variation_ppm,
        };
    }
    let reason = reason.unwrap_or_else(|| "the other runs do not have it".to_owned());
    Found::Absent {
        reason: format!("{} of {runs} runs have figures: {reason}", medians_ps.len()),
    }
}

/// Standard deviation over mean, in millionths; 0 for medians of no time.
fn variation_ppm(medians: &[Count]) -> u64 {
    let values = || medians.iter().map(|median| median.0 as f64);
    let count = medians.len() as f64;
    let mean = values().sum::<f64>() / count;
    if mean == 0.0 {
        return 0;
    }
    let squares: f64 = values().map(|value| (value - mean).powi(2)).sum();
    ((squares / (count - 1.0)).sqrt() / mean * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variation_is_the_sample_standard_deviation_over_the_mean() {
        let of =
            |values: &[u64]| variation_ppm(&values.iter().map(|&value| Count(value)).collect::<Vec<_>>());
        assert_eq!(of(&[100, 100, 100]), 0);
        // Deviations -1, 0, 1: the deviation is 1.
        assert_eq!(of(&[99, 100, 101]), 10_000);
        // By hand: sqrt(2) / 2 of the difference over the mean.
        assert_eq!(of(&[1, 3]), 707_107);
        assert_eq!(of(&[0, 0]), 0);
    }
}
