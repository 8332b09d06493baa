//! Reasons why two records do not compare.

use attest::digest::Sha256;
use attest::spec::Cache;
use attest::statement::{Caveat, Evidence, Mode, PathClass, Quality, Record, Status};
use serde::Serialize;

use super::Side;
use crate::words;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Obstacle {
    #[error("only {} has it", side.as_str())]
    OnlyIn { side: Side },
    #[error(
        "spec digests differ: {} and {}",
        crate::table::short(a),
        crate::table::short(b)
    )]
    Spec { a: Sha256, b: Sha256 },
    #[error("cases differ: {a} and {b}")]
    Case { a: String, b: String },
    #[error("paths differ: {} and {}", a.as_str(), b.as_str())]
    Path { a: PathClass, b: PathClass },
    #[error("cache modes differ: {} and {}", words::cache(*a), words::cache(*b))]
    Cache { a: Cache, b: Cache },
    #[error("modes differ: {} and {}", words::mode(*a), words::mode(*b))]
    Mode { a: Mode, b: Mode },
    #[error("{} {}{}", side.as_str(), said(*status), because(reason.as_deref()))]
    Status {
        side: Side,
        status: Status,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    #[error("{} is {}", side.as_str(), words::caveat(*caveat))]
    Caveat { side: Side, caveat: Caveat },
    /// One provider knew its inputs beforehand, the other got them from a registry.
    #[error("seeds differ in class: {} chose its own, {} got the registry's", own.as_str(), other(*own).as_str())]
    SeedClass { own: Side },
    /// Exact outputs of one seed must be equal, so one of the two is wrong.
    #[error("exact outputs of the same inputs differ")]
    Outputs,
    #[error("{} has no interval: {reason}", side.as_str())]
    NoInterval { side: Side, reason: String },
}

fn said(status: Status) -> &'static str {
    match status {
        Status::Complete => "is complete",
        Status::Partial => "is partial",
        Status::Unsupported => "is unsupported",
        Status::Failed => "failed",
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

fn other(side: Side) -> Side {
    match side {
        Side::A => Side::B,
        Side::B => Side::A,
    }
}

/// Every reason that the records themselves give, the gravest kind first.
pub(super) fn between(a: &Record, b: &Record) -> Vec<Obstacle> {
    let mut reasons = definitions(a, b);
    for (side, record) in [(Side::A, a), (Side::B, b)] {
        if record.status != Status::Complete {
            reasons.push(Obstacle::Status {
                side,
                status: record.status,
                reason: record.reason.clone(),
            });
        }
        let said = |caveat: &Caveat| *caveat == Caveat::Partial && record.status == Status::Partial;
        let caveats = record.caveats.iter().filter(|&caveat| !said(caveat));
        reasons.extend(caveats.map(|&caveat| Obstacle::Caveat { side, caveat }));
    }
    reasons.extend(seed_class(a, b));
    if reasons.is_empty() && outputs_differ(a, b) {
        reasons.push(Obstacle::Outputs);
    }
    reasons
}

/// Differences in what was to be computed.
fn definitions(a: &Record, b: &Record) -> Vec<Obstacle> {
    let mut reasons = Vec::new();
    if a.spec_digest != b.spec_digest {
        reasons.push(Obstacle::Spec {
            a: a.spec_digest,
            b: b.spec_digest,
        });
    }
    if (&a.case.name, &a.case.dims) != (&b.case.name, &b.case.dims) {
        let name = |record: &Record| format!("{} ({})", record.case.name, words::dims(&record.case.dims));
        reasons.push(Obstacle::Case {
            a: name(a),
            b: name(b),
        });
    }
    if a.path != b.path {
        reasons.push(Obstacle::Path { a: a.path, b: b.path });
    }
    if let (Some(a), Some(b)) = (&a.timing, &b.timing) {
        if a.cache != b.cache {
            reasons.push(Obstacle::Cache {
                a: a.cache,
                b: b.cache,
            });
        }
        if a.mode != b.mode {
            reasons.push(Obstacle::Mode { a: a.mode, b: b.mode });
        }
    }
    reasons
}

fn seed_class(a: &Record, b: &Record) -> Option<Obstacle> {
    if a.seed == b.seed {
        return None;
    }
    match (a.evidence, b.evidence) {
        (Evidence::Claimed, Evidence::Claimed) => None,
        (Evidence::Claimed, _) => Some(Obstacle::SeedClass { own: Side::A }),
        (_, Evidence::Claimed) => Some(Obstacle::SeedClass { own: Side::B }),
        _ => None,
    }
}

fn outputs_differ(a: &Record, b: &Record) -> bool {
    let digest = |record: &Record| match record.quality {
        Some(Quality::Exact { output_sha256, .. }) => Some(output_sha256),
        Some(Quality::Float { .. }) | None => None,
    };
    match (digest(a), digest(b)) {
        (Some(digest_a), Some(digest_b)) => a.seed == b.seed && digest_a != digest_b,
        _ => false,
    }
}
