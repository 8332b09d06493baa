//! Two statements side by side.
//!
//! Records are paired device by device. Two results compare only when spec digest, case, path class, cache and
//! mode (burst or sustained) agree and both are sound; otherwise the verdict is *not comparable*, with every reason.
//!
//! # The interval of a ratio
//!
//! Each side gets the distribution-free interval of its median at 97.5 % (order statistics of its own samples; at least
//! 7 are needed). With probability 95 % or more both hold at once (Bonferroni: 1 - 2 * 2.5 %), and then the ratio of the
//! true medians lies between `low_b / high_a` and `high_b / low_a`. No distribution, no independence and no bootstrap is
//! assumed.
//!
//! # The verdict
//!
//! That interval knows what happened inside two runs, not how far two runs of one build drift apart. B is called faster
//! or slower only when the whole interval lies more than [`MARGIN_PERCENT`] from equal; between, the two are
//! *indistinguishable*. Deciding about smaller differences takes interleaved runs.

mod obstacle;
mod pairing;
mod ratio;
mod render;

use attest::digest::Sha256;
use attest::statement::{
    CaseRef, Caveat, Device, DeviceKind, Evidence, PathClass, Quality, Record, Statement,
};
use serde::Serialize;

pub use obstacle::Obstacle;
pub use ratio::{MARGIN_PERCENT, Ratio};
pub use render::{JSON_FORMAT, json, markdown, text};

use crate::figures::{Figures, figures};
use crate::table::DeviceRef;

/// All device pairs of two statements.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    pub devices: Vec<DevicePair>,
    /// Devices of A, then of B, for which the other statement has no partner left.
    pub unpaired: Vec<Unpaired>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DevicePair {
    pub a: DeviceRef,
    pub b: DeviceRef,
    /// What a reader must know of this pair: a software device, another kind, another model.
    pub notes: Vec<String>,
    pub records: Vec<Pair>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unpaired {
    pub side: Side,
    pub device: DeviceRef,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Side {
    A,
    B,
}

impl Side {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }
}

/// One workload and case on both devices.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    pub workload: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Half>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Half>,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What differs without forbidding the comparison.
    pub notes: Vec<String>,
}

/// One side of a pair.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Half {
    pub case: CaseRef,
    pub path: PathClass,
    pub spec_digest: Sha256,
    pub evidence: Evidence,
    pub caveats: Vec<Caveat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
}

/// What is said of B measured against A.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Outcome {
    Faster { ratio: Ratio },
    Slower { ratio: Ratio },
    Indistinguishable { ratio: Ratio },
    NotComparable { reasons: Vec<Obstacle> },
}

/// How many pairs got which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub faster: usize,
    pub slower: usize,
    pub indistinguishable: usize,
    pub not_comparable: usize,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("statement {} has {count} devices, so no device {index}; count from 0", side.as_str())]
pub struct NoSuchDevice {
    side: Side,
    index: usize,
    count: usize,
}

/// Compares all devices: those of one API and name are paired first, then those of one API, then what is left, in order.
pub fn compare(a: &Statement, b: &Statement) -> Comparison {
    let (devices_a, devices_b) = (&a.predicate.measured.devices, &b.predicate.measured.devices);
    let pairs = pairing::devices(devices_a, devices_b);
    let lonely = |side, devices: &[Device], taken: &dyn Fn(usize) -> bool| {
        let free = devices.iter().enumerate().filter(|(i, _)| !taken(*i));
        let unpaired = free.map(|(i, device)| Unpaired {
            side,
            device: DeviceRef::of(i as u32, device),
        });
        unpaired.collect::<Vec<_>>()
    };
    let mut unpaired = lonely(Side::A, devices_a, &|i| pairs.iter().any(|pair| pair.0 == i));
    unpaired.extend(lonely(Side::B, devices_b, &|i| {
        pairs.iter().any(|pair| pair.1 == i)
    }));
    Comparison {
        devices: pairs.iter().map(|&(ia, ib)| device_pair(a, ia, b, ib)).collect(),
        unpaired,
    }
}

/// Compares one device of A with one of B, by their indices in the statements.
pub fn compare_devices(
    a: &Statement,
    device_a: usize,
    b: &Statement,
    device_b: usize,
) -> Result<Comparison, NoSuchDevice> {
    for (side, statement, index) in [(Side::A, a, device_a), (Side::B, b, device_b)] {
        let count = statement.predicate.measured.devices.len();
        if index >= count {
            return Err(NoSuchDevice { side, index, count });
        }
    }
    Ok(Comparison {
        devices: vec![device_pair(a, device_a, b, device_b)],
        unpaired: Vec::new(),
    })
}

impl Comparison {
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for pair in self.devices.iter().flat_map(|device| &device.records) {
            match pair.outcome {
                Outcome::Faster { .. } => counts.faster += 1,
                Outcome::Slower { .. } => counts.slower += 1,
                Outcome::Indistinguishable { .. } => counts.indistinguishable += 1,
                Outcome::NotComparable { .. } => counts.not_comparable += 1,
            }
        }
        counts
    }
}

fn device_pair(a: &Statement, ia: usize, b: &Statement, ib: usize) -> DevicePair {
    let (measured_a, measured_b) = (&a.predicate.measured, &b.predicate.measured);
    let (device_a, device_b) = (&measured_a.devices[ia], &measured_b.devices[ib]);
    let half = |record: &Record, statement: &Statement| Half {
        case: record.case.clone(),
        path: record.path,
        spec_digest: record.spec_digest,
        evidence: record.evidence,
        caveats: record.caveats.clone(),
        figures: figures(record, &statement.predicate.measured.specs).ok(),
        quality: record.quality.clone(),
    };
    let pairs = pairing::records(&of_device(a, ia), &of_device(b, ib));
    let records = pairs.into_iter().map(|(record_a, record_b)| Pair {
        workload: record_a
            .or(record_b)
            .map(|record| record.workload.clone())
            .unwrap_or_default(),
        a: record_a.map(|record| half(record, a)),
        b: record_b.map(|record| half(record, b)),
        outcome: outcome(record_a, record_b),
        notes: record_notes(record_a, record_b),
    });
    DevicePair {
        a: DeviceRef::of(ia as u32, device_a),
        b: DeviceRef::of(ib as u32, device_b),
        notes: device_notes(device_a, device_b),
        records: records.collect(),
    }
}

fn of_device(statement: &Statement, index: usize) -> Vec<&Record> {
    let records = statement.predicate.measured.records.iter();
    records.filter(|record| record.device as usize == index).collect()
}

fn outcome(a: Option<&Record>, b: Option<&Record>) -> Outcome {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (None, _) => {
            return Outcome::NotComparable {
                reasons: vec![Obstacle::OnlyIn { side: Side::B }],
            };
        }
        (_, None) => {
            return Outcome::NotComparable {
                reasons: vec![Obstacle::OnlyIn { side: Side::A }],
            };
        }
    };
    let reasons = obstacle::between(a, b);
    if !reasons.is_empty() {
        return Outcome::NotComparable { reasons };
    }
    match (ratio::bounds(a), ratio::bounds(b)) {
        (Ok(a), Ok(b)) => ratio::verdict(a, b),
        (a, b) => {
            let reasons = [
                a.err().map(|why| why.on(Side::A)),
                b.err().map(|why| why.on(Side::B)),
            ];
            Outcome::NotComparable {
                reasons: reasons.into_iter().flatten().collect(),
            }
        }
    }
}

fn record_notes(a: Option<&Record>, b: Option<&Record>) -> Vec<String> {
    let mut notes = Vec::new();
    if let (Some(a), Some(b)) = (a, b)
        && a.evidence != b.evidence
    {
        let [a, b] = [a, b].map(|record| crate::words::evidence(record.evidence));
        notes.push(format!("A is {a}, B is {b}"));
    }
    notes
}

fn device_notes(a: &Device, b: &Device) -> Vec<String> {
    let word = |kind| match kind {
        DeviceKind::Gpu => "a GPU",
        DeviceKind::Cpu => "a CPU",
        DeviceKind::Software => "software (a graphics API on a processor, not a GPU)",
    };
    let mut notes = Vec::new();
    if a.kind != b.kind {
        notes.push(format!("A is {}, B is {}", word(a.kind), word(b.kind)));
    } else if a.kind == DeviceKind::Software {
        notes.push(format!("both are {}", word(a.kind)));
    }
    if a.api != b.api {
        notes.push(format!(
            "A ran through {}, B through {}",
            a.api.as_str(),
            b.api.as_str()
        ));
    }
    if (&a.vendor, &a.name) != (&b.vendor, &b.name) {
        notes.push("the devices are different models".to_owned());
    } else if a.driver != b.driver {
        notes.push("the drivers differ".to_owned());
    }
    notes
}
