//! A record with its recomputed figures.

use attest::digest::Sha256;
use attest::spec::{Cache, Dims, Size};
use attest::statement::{
    Api, Caveat, Device, DeviceKind, Evidence, Library, Mode, PathClass, Quality, Record, Status, Timing,
};
use serde::Serialize;

use crate::figures::{Figures, Interval, figures};
use crate::plain::{ID_CHARS, visible};
use crate::units::{TimeUnit, duration, significant};
use crate::{Shown, words};

/// Names of limits a row keeps; NVML knows three.
const MAX_LIMITS: usize = 8;

/// One record of one attestation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub attestation: Sha256,
    pub device: DeviceRef,
    pub workload: String,
    pub spec_digest: Sha256,
    pub case: String,
    pub size: Size,
    pub dims: Dims,
    pub path: PathClass,
    /// The vendor's library that ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub library: Option<Library>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// Present for a sustained record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    pub seed: Sha256,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub evidence: Evidence,
    /// Why the figures cannot be true, given what was proven of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implausible: Option<String>,
    pub caveats: Vec<Caveat>,
    /// Samples at whose end a throttle was seen; absent where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled_samples: Option<u64>,
    /// What held the device's clock without being a fault, such as its power limit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_figures: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
}

/// The device a record ran on, as claimed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRef {
    /// Index into the statement's devices.
    pub index: u32,
    pub id: String,
    pub api: Api,
    pub kind: DeviceKind,
    pub name: String,
    /// A graphics API implemented on the processor: never to be listed as a GPU.
    pub software: bool,
}

/// Rows of all records, attestation by attestation, in each statement's order. A record that names a device its
/// statement does not list has no row; verification refuses such a statement.
pub fn rows(shown: &[Shown<'_>]) -> Vec<Row> {
    let of_one = |one: &Shown<'_>| {
        let measured = &one.statement.predicate.measured;
        let row = |(index, record): (usize, &Record)| {
            Row::of(one, index, record, measured.devices.get(record.device as usize)?)
        };
        measured
            .records
            .iter()
            .enumerate()
            .filter_map(row)
            .collect::<Vec<_>>()
    };
    shown.iter().flat_map(of_one).collect()
}

impl Row {
    fn of(one: &Shown<'_>, index: usize, record: &Record, device: &Device) -> Option<Self> {
        let (figures, no_figures) = match figures(record, &one.statement.predicate.measured.specs) {
            Ok(figures) => (Some(figures), None),
            Err(reason) => (None, Some(reason.to_string())),
        };
        let found = one.assessment.as_ref().and_then(|found| found.records.get(index));
        Some(Self {
            attestation: one.digest,
            device: DeviceRef::of(record.device, device),
            workload: record.workload.clone(),
            spec_digest: record.spec_digest,
            case: record.case.name.clone(),
            size: record.case.size,
            dims: record.case.dims.clone(),
            path: record.path,
            library: record.library.clone(),
            cache: record.timing.as_ref().map(|timing| timing.cache),
            mode: record
                .timing
                .as_ref()
                .map(|timing| timing.mode)
                .filter(|mode| *mode != Mode::Burst),
            seed: record.seed,
            status: record.status,
            reason: record.reason.clone(),
            evidence: found.map_or(record.evidence, |found| found.support.evidence),
            implausible: found.and_then(|found| found.implausible.clone()),
            caveats: record.caveats.clone(),
            throttled_samples: record.timing.as_ref().and_then(Timing::throttled_samples),
            limits: record
                .limits()
                .into_iter()
                .take(MAX_LIMITS)
                .map(str::to_owned)
                .collect(),
            figures,
            no_figures,
            quality: record.quality.clone(),
        })
    }

    /// `1.234 ms`
    pub(crate) fn time_text(&self) -> Option<String> {
        Some(duration(self.figures.as_ref()?.time_ps.median.0))
    }

    /// `1.229 – 1.241 ms`
    pub(crate) fn interval_text(&self) -> Option<String> {
        Some(interval_text(self.figures.as_ref()?.time_ps))
    }

    /// `45.23 GFLOP/s`
    pub(crate) fn throughput_text(&self) -> Option<String> {
        let throughput = self.figures.as_ref()?.throughput?;
        let value = throughput.unit.scaled(throughput.per_second.median);
        Some(format!("{} {}", significant(value, 4), throughput.unit.shown()))
    }

    /// `12.34 mJ/GFLOP`: energy for a unit of work.
    pub(crate) fn energy_text(&self) -> Option<String> {
        let figures = self.figures.as_ref()?;
        let (unit, energy) = (figures.throughput?.unit, figures.energy_femtojoules_per_unit?);
        Some(format!(
            "{} {}",
            significant(unit.scaled_energy(energy), 4),
            unit.shown_energy()
        ))
    }

    /// `exact 1a2b3c4d5e6f`, or `RMS 3.1e-7, worst 12 % of allowed`; says how many of the elements were compared when
    /// not all were.
    pub(crate) fn quality_text(&self) -> Option<String> {
        self.quality.as_ref().map(quality_text)
    }

    /// `complete`, `failed: wrong output`, `complete; sustained; throttled in 3 of 256 samples; held by swPowerCap`
    pub(crate) fn status_text(&self) -> String {
        let mut text = words::status(self.status).to_owned();
        let reason = self.reason.as_deref().or(self.no_figures.as_deref());
        if let Some(reason) = reason {
            text = format!("{text}: {reason}");
        }
        if let Some(mode) = self.mode {
            text = format!("{text}; {}", words::mode(mode));
        }
        for caveat in &self.caveats {
            if !(*caveat == Caveat::Partial && self.status == Status::Partial) {
                text = format!("{text}; {}{}", words::caveat(*caveat), self.extent(*caveat));
            }
        }
        if let Some(reason) = &self.implausible {
            text = format!("{text}; implausible: {reason}");
        }
        for limit in &self.limits {
            text = format!("{text}; held by {}", visible(limit, ID_CHARS));
        }
        if let Some(library) = &self.library {
            let [name, version] = [&library.name, &library.version].map(|word| visible(word, ID_CHARS));
            text = format!("{text}; by {name} {version}");
        }
        text
    }
}

impl Row {
    /// How many of the samples a caveat is about, where that is known.
    fn extent(&self, caveat: Caveat) -> String {
        match (caveat, self.throttled_samples, &self.figures) {
            (Caveat::Throttled, Some(samples), Some(figures)) if samples > 0 => {
                format!(" in {samples} of {} samples", figures.samples)
            }
            _ => String::new(),
        }
    }
}

/// Whether any row has a column of energy to fill.
pub(crate) fn any_energy(rows: &[Row]) -> bool {
    rows.iter().any(|row| row.energy_text().is_some())
}

impl DeviceRef {
    pub(crate) fn of(index: u32, device: &Device) -> Self {
        Self {
            index,
            id: device.id.clone(),
            api: device.api,
            kind: device.kind,
            name: device.name.clone(),
            software: device.kind == DeviceKind::Software,
        }
    }

    /// `vulkan:0 (software) llvmpipe`: wherever a software device is named, it is named as one. The mark stands before
    /// the name, which a stranger may have made too long to be shown whole.
    pub(crate) fn label(&self) -> String {
        let mark = if self.software { " (software)" } else { "" };
        format!("{}{mark} {}", visible(&self.id, ID_CHARS), self.name)
    }
}

/// Both ends in the median's unit, with digits enough to tell them apart.
pub(crate) fn interval_text(time_ps: Interval) -> String {
    let unit = TimeUnit::of(time_ps.median.0);
    let [low, high] = [time_ps.low, time_ps.high].map(|end| significant(unit.value(end.0), 4));
    format!("{low} – {high} {}", unit.name)
}

pub(crate) fn quality_text(quality: &Quality) -> String {
    let (text, checked, elements) = match quality {
        Quality::Exact {
            output_sha256,
            checked,
            elements,
        } => (format!("exact {}", short(output_sha256)), *checked, *elements),
        Quality::Float {
            checked,
            elements,
            relative_rms_ppb,
            worst_of_allowed_ppb,
            ..
        } => {
            let rms = significant(*relative_rms_ppb as f64 / 1e9, 2);
            let worst = significant(*worst_of_allowed_ppb as f64 / 1e7, 2);
            (
                format!("RMS {rms}, worst {worst} % of allowed"),
                *checked,
                *elements,
            )
        }
    };
    if checked < elements {
        // Never rounded up to all.
        let share = (checked as f64 / elements as f64 * 100.0).min(99.0);
        format!("{text}, {} % checked", significant(share, 2))
    } else {
        text
    }
}

/// First 12 digits of a digest: enough to tell outputs apart by eye, not to prove anything.
pub(crate) fn short(digest: &Sha256) -> String {
    digest.to_string()[..12].to_owned()
}
