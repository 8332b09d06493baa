//! What supports each figure of a statement, given the registry's verdicts.
//!
//! A signature shows `claimed` and no more. With verdicts at hand anybody finds the rest, the registry and an offline reader
//! alike, by [`assess`]:
//!
//! * A **proof** is `timed` when the verdict it names was signed by the registry, is of the statement's signer and device, and has
//!   the same work and figures.
//! * A **record** is `challenged` when its inputs follow from a nonce the registry gave out (the attempt of such a verdict) and
//!   its outputs were recomputed here from the seed and have the stated digest. That takes an exact workload of a size that
//!   is worth recomputing; all other records stay `claimed`.
//!
//! # Plausibility
//!
//! Rates that were proven bound the rest, whatever the device is called. A record is *implausible*, and shown as such, when
//!
//! * its outputs are not what its seed gives;
//! * it multiplies more than [`PRODUCTS`] times as fast as the proven int8 rate of its device: every processor that multiplies
//!   f16 or f32 multiplies int8 about as fast or faster, and the proof's kernel leaves at most some of that unused;
//! * it moves bytes cold more than [`TRAFFIC`] times as fast as the proven random reads do: a random 32-byte read costs a
//!   64-byte line and its latency, which together cost less than that.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::exact::outputs;
use crate::proof::{Outcome, ProtocolError, Stated, Verdict, Work, registry_signed};
use crate::spec::Cache;
use crate::statement::{Attempt, Evidence, ProofRef, Quality, Record, Status, VerifiedStatement};
use crate::trust::TrustedRoot;
use crate::verify::VerifyError;

/// How many times the proven int8 rate a matrix product may reach.
pub const PRODUCTS: u128 = 8;

/// How many times the bytes of the proven random reads a cold stream may reach.
pub const TRAFFIC: u128 = 32;

/// Operations spent on recomputing one statement's outputs: about a second of one core.
pub const MAX_RECOMPUTED: u64 = 1 << 30;

/// A verdict of the registry, with its place in the log.
#[derive(Clone, Debug)]
pub struct LoggedVerdict {
    pub verdict: Stated<Verdict>,
    /// SHA-256 of its signed bytes.
    pub digest: Sha256,
    pub log_index: u64,
}

/// Why a file is no verdict of a trusted registry.
#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    #[error("the verdict's receipt: {0}")]
    Receipt(#[from] VerifyError),
    #[error("the verdict: {0}")]
    Verdict(#[from] ProtocolError),
}

impl LoggedVerdict {
    /// Verifies a verdict's receipt: signed by the registry itself, and in its log.
    pub fn verify(receipt: &[u8], root: &TrustedRoot) -> Result<Self, Box<VerdictError>> {
        let logged = registry_signed(receipt, root).map_err(|error| Box::new(error.into()))?;
        let verdict = Stated::read(&logged.envelope).map_err(|error| Box::new(VerdictError::from(error)))?;
        Ok(Self {
            verdict,
            digest: logged.envelope.pae_digest(),
            log_index: logged.log_index,
        })
    }
}

/// What supports one part of a statement, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    pub evidence: Evidence,
    /// One clause for people.
    pub because: String,
}

/// One record's support, and what speaks against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSupport {
    pub support: Support,
    /// Why the figures cannot be, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implausible: Option<String>,
}

/// What supports a statement, part by part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    pub records: Vec<RecordSupport>,
    pub proofs: Vec<Support>,
}

/// Finds what supports each record and proof. Recomputes outputs of challenged exact records, [`MAX_RECOMPUTED`] operations
/// at most.
pub fn assess(statement: &VerifiedStatement, verdicts: &[LoggedVerdict]) -> Assessment {
    let predicate = &statement.predicate;
    let proofs: Vec<Support> = predicate
        .proofs
        .iter()
        .map(|proof| proof_support(statement, proof, verdicts))
        .collect();
    let timed: Vec<&ProofRef> = predicate
        .proofs
        .iter()
        .zip(&proofs)
        .filter(|(_, support)| support.evidence == Evidence::Timed)
        .map(|(proof, _)| proof)
        .collect();
    let seed = challenged_seed(statement, verdicts);
    let mut budget = MAX_RECOMPUTED;
    let records = predicate.measured.records.iter().map(|record| {
        let (support, mismatch) = record_support(record, seed, &mut budget);
        RecordSupport {
            support,
            implausible: mismatch.or_else(|| implausible(record, statement, &timed)),
        }
    });
    Assessment {
        records: records.collect(),
        proofs,
    }
}

fn claimed(because: impl Into<String>) -> Support {
    Support {
        evidence: Evidence::Claimed,
        because: because.into(),
    }
}

fn proof_support(statement: &VerifiedStatement, proof: &ProofRef, verdicts: &[LoggedVerdict]) -> Support {
    let Some(found) = verdicts.iter().find(|verdict| verdict.digest == proof.verdict) else {
        return claimed("the verdict it names was not shown");
    };
    let verdict = &found.verdict.predicate;
    if found.log_index != proof.log_index || verdict.outcome != Outcome::Proven {
        return claimed("the verdict it names stands elsewhere or proves nothing");
    }
    if verdict.key_id != statement.key().id() {
        return claimed("the verdict it names is of another provider");
    }
    let identity = statement.subject[proof.device as usize + 1].digest.sha256;
    let same = verdict.tasks.iter().any(|task| {
        let device = found.verdict.subject.get(task.device as usize + 1);
        device.is_some_and(|device| device.digest.sha256 == identity)
            && task.work == proof.work
            && task.proven.as_ref() == Some(&proof.proven)
    });
    match same {
        true => Support {
            evidence: Evidence::Timed,
            because: format!("on the registry's clock; verdict at leaf {}", found.log_index),
        },
        false => claimed("the verdict it names says otherwise"),
    }
}

/// The seed that the registry's nonce gives the run, when a verdict bears out the attempt.
fn challenged_seed(statement: &VerifiedStatement, verdicts: &[LoggedVerdict]) -> Option<Sha256> {
    let attempt: &Attempt = statement.predicate.attempt.as_ref()?;
    let key_id = statement.key().id();
    let borne_out = verdicts.iter().any(|found| {
        let verdict = &found.verdict.predicate;
        verdict.attempt == attempt.digest
            && verdict.attempt_index == attempt.log_index
            && verdict.nonce == Some(attempt.nonce)
            && verdict.key_id == key_id
    });
    borne_out.then(|| attempt.seed(&key_id))
}

/// The record's support, and why it cannot be true if its outputs are wrong.
fn record_support(record: &Record, seed: Option<Sha256>, budget: &mut u64) -> (Support, Option<String>) {
    if seed != Some(record.seed) {
        return (claimed("signed by the provider; inputs not the registry's"), None);
    }
    let Some(Quality::Exact { output_sha256, .. }) = record
        .quality
        .as_ref()
        .filter(|_| record.status == Status::Complete)
    else {
        return (
            claimed("inputs from the registry's nonce, outputs not exact"),
            None,
        );
    };
    let dims = &record.case.dims;
    match outputs::cost(&record.workload, dims).and_then(|cost| budget.checked_sub(cost)) {
        None => {
            return (
                claimed("inputs from the registry's nonce, outputs not recomputed"),
                None,
            );
        }
        Some(left) => *budget = left,
    }
    match outputs::digest(&record.workload, dims, &record.seed.0) {
        Some(digest) if digest == *output_sha256 => {
            let because = "inputs from the registry's nonce, outputs recomputed".to_owned();
            let evidence = Evidence::Challenged;
            (Support { evidence, because }, None)
        }
        _ => {
            let wrong = "its outputs are not what its seed gives";
            (claimed(wrong), Some(wrong.to_owned()))
        }
    }
}

/// Holds a record against what was proven of its device.
fn implausible(record: &Record, statement: &VerifiedStatement, timed: &[&ProofRef]) -> Option<String> {
    let timing = record.timing.as_ref()?;
    let per_second =
        |count: u64| u128::from(count) * 1_000_000_000_000 / u128::from(timing.summary.median_ps.max(1));
    let spec = statement
        .predicate
        .measured
        .specs
        .iter()
        .find(|spec| spec.id == record.workload)?;
    for proof in timed.iter().filter(|proof| proof.device == record.device) {
        let proven = u128::from(proof.proven.rate.0);
        let (rate, limit, unit) = match proof.work {
            Work::Mlp { .. } => (per_second(timing.work.flop.0), PRODUCTS * proven, "operations"),
            Work::Vram { .. } if spec.cache == Cache::Cold => {
                (per_second(timing.work.bytes.0), TRAFFIC * 32 * proven, "bytes")
            }
            Work::Vram { .. } => continue,
        };
        if rate > limit {
            return Some(format!(
                "{rate} {unit}/s, where no device with its proven rate of {proven}/s in {} passes {limit}",
                proof.work.workload()
            ));
        }
    }
    None
}
