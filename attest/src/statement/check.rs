//! What a statement must satisfy beyond its shape: every figure recounted, every reference resolved.

mod record;

use std::collections::HashSet;

pub use record::RecordError;

use crate::digest::Sha256;
use crate::jcs;
use crate::proof::Proven;
use crate::spec::{Class, Spec};
use crate::statement::{
    Api, Device, DeviceKind, Evidence, MAX_SAFE_INTEGER, Measured, PREDICATE_TYPE, Predicate, STATEMENT_TYPE,
    Statement, StatementError, Status,
};

/// Checks one statement whole.
pub(super) fn statement(statement: &Statement) -> Result<(), StatementError> {
    if statement.statement_type != STATEMENT_TYPE {
        return Err(StatementError::StatementType {
            found: clip(&statement.statement_type),
        });
    }
    if statement.predicate_type != PREDICATE_TYPE {
        return Err(StatementError::PredicateType {
            found: clip(&statement.predicate_type),
        });
    }
    subjects(statement)?;
    predicate(&statement.predicate)?;
    proofs(&statement.predicate)?;
    measured(&statement.predicate.measured)
}

/// The run file first, then each device in order.
fn subjects(statement: &Statement) -> Result<(), StatementError> {
    let devices = statement.predicate.measured.devices.len();
    let count = statement.subject.len();
    if count != devices + 1 {
        return Err(StatementError::SubjectCount { count, devices });
    }
    for (index, subject) in statement.subject.iter().enumerate() {
        let sound = match index.checked_sub(1) {
            None => !subject.name.is_empty() && !subject.name.starts_with("device/"),
            Some(device) => subject.name == format!("device/{device}"),
        };
        if !sound {
            return Err(StatementError::SubjectName {
                index,
                found: clip(&subject.name),
            });
        }
    }
    Ok(())
}

fn predicate(predicate: &Predicate) -> Result<(), StatementError> {
    if let Some(freshness) = &predicate.freshness {
        text("freshness.origin", &freshness.origin)?;
        safe_integer("freshness.treeSize", freshness.tree_size)?;
    }
    if let Some(attempt) = &predicate.attempt {
        safe_integer("attempt.logIndex", attempt.log_index)?;
    }
    let ordered = predicate.sd.windows(2).all(|pair| pair[0] < pair[1]);
    let shaped = predicate.sd.iter().all(|digest| {
        digest.len() == SD_DIGEST_CHARS
            && digest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    });
    let named = predicate.sd_alg.as_deref() == (!predicate.sd.is_empty()).then_some("sha-256");
    if ordered && shaped && named {
        Ok(())
    } else {
        Err(StatementError::Disclosures)
    }
}

fn proofs(predicate: &Predicate) -> Result<(), StatementError> {
    let devices = predicate.measured.devices.len();
    let mut stated = HashSet::new();
    for (index, proof) in predicate.proofs.iter().enumerate() {
        let faulty = |fault| StatementError::Proof { index, fault };
        safe_integer("proofs.logIndex", proof.log_index)?;
        proof
            .work
            .check()
            .map_err(|error| StatementError::Work { index, error })?;
        if proof.device as usize >= devices {
            return Err(faulty("is for a device that is not listed"));
        }
        if proof.proven != Proven::of(&proof.work, proof.proven.elapsed_ns) {
            return Err(faulty("states other figures than its work and time give"));
        }
        if !stated.insert((proof.device, proof.work.workload())) {
            return Err(faulty("is the second of its workload for one device"));
        }
    }
    Ok(())
}

/// Characters of a SHA-256 in unpadded base64url.
const SD_DIGEST_CHARS: usize = 43;

fn measured(measured: &Measured) -> Result<(), StatementError> {
    text("tool.name", &measured.tool.name)?;
    text("tool.version", &measured.tool.version)?;
    text("suite.name", &measured.suite.name)?;
    for (key, value) in &measured.environment {
        text("environment", key)?;
        text("environment", value)?;
    }
    period(measured)?;
    sessions(measured)?;
    let mut paths = HashSet::new();
    for code in &measured.code {
        text("code.path", &code.path)?;
        if !paths.insert(&code.path) {
            return Err(StatementError::RepeatedCode {
                path: clip(&code.path),
            });
        }
    }
    devices(&measured.devices)?;
    for note in &measured.evidence {
        supported(note.level, || format!("evidence of {:?}", clip(&note.field)))?;
    }
    records(measured)
}

/// Both times are RFC 3339 in UTC, the end not before the beginning.
fn period(measured: &Measured) -> Result<(), StatementError> {
    let start = time("measurementStartedAt", &measured.measurement_started_at)?;
    let finish = time("measurementFinishedAt", &measured.measurement_finished_at)?;
    if finish < start {
        return Err(StatementError::EndsBeforeItStarts {
            start: measured.measurement_started_at.clone(),
            finish: measured.measurement_finished_at.clone(),
        });
    }
    Ok(())
}

/// Sittings follow each other from the measurement's start to its end and share its records.
fn sessions(measured: &Measured) -> Result<(), StatementError> {
    let sessions = &measured.sessions;
    let (Some(first), Some(last)) = (sessions.first(), sessions.last()) else {
        return Ok(());
    };
    let mut before = None;
    for session in sessions {
        let started = time("sessions.startedAt", &session.started_at)?;
        let finished = time("sessions.finishedAt", &session.finished_at)?;
        if before.is_some_and(|before| started < before) || finished < started {
            return Err(StatementError::Sessions {
                fault: "overlap or run backwards",
            });
        }
        before = Some(finished);
    }
    let ends = first.started_at == measured.measurement_started_at
        && last.finished_at == measured.measurement_finished_at;
    let records = sessions
        .iter()
        .try_fold(0u64, |sum, session| sum.checked_add(session.records));
    let fault = match () {
        () if sessions.len() < 2 => "are one; a run made in one sitting lists none",
        () if !ends => "do not span the time of the measurement",
        () if records != Some(measured.records.len() as u64) => "do not add up to its records",
        () => return Ok(()),
    };
    Err(StatementError::Sessions { fault })
}

fn time(field: &'static str, written: &str) -> Result<jiff::Timestamp, StatementError> {
    let parsed = written.parse().ok();
    parsed
        .filter(|_| written.ends_with('Z'))
        .ok_or_else(|| StatementError::Time {
            field,
            found: clip(written),
        })
}

fn devices(devices: &[Device]) -> Result<(), StatementError> {
    let mut ids = HashSet::new();
    for device in devices {
        for (field, value) in [
            ("devices.id", &device.id),
            ("devices.name", &device.name),
            ("devices.vendor", &device.vendor),
            ("devices.driver.name", &device.driver.name),
            ("devices.driver.version", &device.driver.version),
        ] {
            text(field, value)?;
        }
        for feature in &device.features {
            text("devices.features", feature)?;
        }
        safe_integer("devices.memoryBytes", device.memory_bytes)?;
        safe_integer("devices.cacheBytes", device.cache_bytes.unwrap_or(0))?;
        if !ids.insert(&device.id) {
            return Err(StatementError::RepeatedDevice { id: clip(&device.id) });
        }
        let numbered = device
            .id
            .strip_prefix(device.api.as_str())
            .and_then(|rest| rest.strip_prefix(':'))
            .is_some_and(|number| number.parse::<u16>().is_ok_and(|n| n.to_string() == number));
        if !numbered {
            return Err(StatementError::DeviceId {
                id: clip(&device.id),
                api: device.api.as_str(),
            });
        }
        kind(device)?;
    }
    Ok(())
}

/// A processor is never listed as a GPU, under whichever API.
fn kind(device: &Device) -> Result<(), StatementError> {
    let possible = match device.api {
        Api::Cpu => device.kind == DeviceKind::Cpu,
        Api::Cuda => device.kind == DeviceKind::Gpu,
        Api::Vulkan => device.kind != DeviceKind::Cpu,
    };
    let described = format!("{} {}", device.name, device.driver.name).to_lowercase();
    let software = SOFTWARE_DRIVERS.iter().any(|name| described.contains(name));
    if !possible || (software && device.kind == DeviceKind::Gpu) {
        return Err(StatementError::DeviceKind {
            id: clip(&device.id),
            kind: device.kind,
            name: clip(&device.name),
        });
    }
    Ok(())
}

/// Drivers that run a graphics API on the processor.
const SOFTWARE_DRIVERS: [&str; 4] = ["llvmpipe", "lavapipe", "softpipe", "swiftshader"];

fn records(measured: &Measured) -> Result<(), StatementError> {
    let specs = specs(&measured.specs)?;
    let mut seen = HashSet::new();
    let mut outputs = record::Outputs::default();
    for (index, record) in measured.records.iter().enumerate() {
        let refused = |reason| StatementError::Record {
            index,
            workload: clip(&record.workload),
            reason,
        };
        let key = (
            record.spec_digest,
            &record.case.name,
            record.path,
            record.device,
            record.timing.as_ref().map(|timing| timing.cache),
        );
        if !seen.insert(key) {
            return Err(refused(RecordError::Repeated));
        }
        record::check(record, &specs, &measured.devices)
            .and_then(|()| outputs.agree(record))
            .map_err(refused)?;
    }
    if !measured.suite.complete {
        return Ok(());
    }
    let cut_short = measured
        .records
        .iter()
        .position(|record| record.status == Status::Partial);
    match cut_short {
        None if !measured.records.is_empty() => Ok(()),
        partial => Err(StatementError::NotComplete { partial }),
    }
}

/// The embedded specifications with their digests, recomputed.
fn specs(specs: &[Spec]) -> Result<Vec<(Sha256, &Spec)>, StatementError> {
    let mut digests = Vec::with_capacity(specs.len());
    for spec in specs {
        text("specs.id", &spec.id)?;
        text("specs.title", &spec.title)?;
        if digests.iter().any(|(_, other): &(_, &Spec)| other.id == spec.id) {
            return Err(StatementError::RepeatedSpec { id: clip(&spec.id) });
        }
        bounded(spec)?;
        let bytes = jcs::to_vec(spec).map_err(|source| StatementError::SpecBytes {
            id: clip(&spec.id),
            source,
        })?;
        digests.push((Sha256::of(&bytes), spec));
    }
    Ok(digests)
}

/// Cases, inputs and outputs of a specification: they bound the work that each record of a hostile statement makes.
const MAX_CASES: usize = 64;
const MAX_TENSORS: usize = 32;

fn bounded(spec: &Spec) -> Result<(), StatementError> {
    let counts = [
        ("cases", spec.cases.len(), MAX_CASES),
        ("inputs", spec.inputs.len(), MAX_TENSORS),
        ("outputs", spec.outputs.len(), MAX_TENSORS),
    ];
    if let Some((what, count, limit)) = counts.into_iter().find(|(_, count, limit)| count > limit) {
        return Err(StatementError::SpecTooLarge {
            id: clip(&spec.id),
            what,
            count,
            limit,
        });
    }
    tolerances(spec)
}

/// What bounds no float output is no tolerance.
fn tolerances(spec: &Spec) -> Result<(), StatementError> {
    let float = spec.class == Class::Float;
    if float != spec.tolerance.is_some() {
        return Err(StatementError::SpecTolerance { id: clip(&spec.id) });
    }
    let exact_outputs = spec.outputs.iter().filter(|_| !float);
    match { spec.inputs.iter().chain(exact_outputs) }.find(|tensor| tensor.tolerance.is_some()) {
        None => Ok(()),
        Some(tensor) => Err(StatementError::TensorTolerance {
            id: clip(&spec.id),
            tensor: clip(&tensor.name),
        }),
    }
}

/// This version checks no challenge, no clock and no quote, so nothing a provider signs is more than claimed.
fn supported(level: Evidence, what: impl FnOnce() -> String) -> Result<(), StatementError> {
    match level {
        Evidence::Claimed => Ok(()),
        level => Err(StatementError::Unsupported { what: what(), level }),
    }
}

/// Text for people: not empty, and nothing in it that would move a terminal's cursor.
fn text(field: &'static str, text: &str) -> Result<(), StatementError> {
    if text.is_empty() {
        return Err(StatementError::EmptyText { field });
    }
    match text.chars().find(|&c| c.is_control() && c != '\n' && c != '\t') {
        None => Ok(()),
        Some(found) => Err(StatementError::ControlCharacter { field, found }),
    }
}

fn safe_integer(field: &'static str, value: u64) -> Result<(), StatementError> {
    if value <= MAX_SAFE_INTEGER {
        Ok(())
    } else {
        Err(StatementError::Unwritable { field, value })
    }
}

/// Enough of a hostile text for a message.
fn clip(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(120)
        .collect()
}
