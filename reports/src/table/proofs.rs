//! What was proven on the registry's clock: one line for each proof of a statement.

use attest::digest::Sha256;
use attest::evidence::Support;
use attest::proof::Work;
use attest::statement::{Count, Evidence, ProofRef};
use serde::Serialize;

use super::row::DeviceRef;
use crate::Shown;
use crate::units::{duration, prefixed, resident, significant};

/// One proof of one attestation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProofRow {
    pub attestation: Sha256,
    pub device: DeviceRef,
    #[serde(flatten)]
    pub proof: ProofRef,
    /// `timed` only when the verdict was there to bear it out.
    pub support: Evidence,
    pub because: String,
}

/// Proofs of all attestations, in each statement's order.
pub fn proofs(shown: &[Shown<'_>]) -> Vec<ProofRow> {
    shown.iter().flat_map(of_one).collect()
}

fn of_one(one: &Shown<'_>) -> Vec<ProofRow> {
    let predicate = &one.statement.predicate;
    let row = |(index, proof): (usize, &ProofRef)| {
        let device = predicate.measured.devices.get(proof.device as usize)?;
        let support = one.assessment.as_ref().and_then(|found| found.proofs.get(index));
        let Support { evidence, because } = support.cloned().unwrap_or_else(|| Support {
            evidence: Evidence::Claimed,
            because: "its verdict was not looked at".to_owned(),
        });
        Some(ProofRow {
            attestation: one.digest,
            device: DeviceRef::of(proof.device, device),
            proof: proof.clone(),
            support: evidence,
            because,
        })
    };
    predicate.proofs.iter().enumerate().filter_map(row).collect()
}

impl ProofRow {
    /// `1.234 TOP/s`, `45.67 M reads/s`: a lower bound.
    pub(crate) fn rate_text(&self) -> String {
        rate(&self.proof.work, self.proof.proven.rate)
    }

    /// `9.876 s`
    pub(crate) fn elapsed_text(&self) -> String {
        duration(self.proof.proven.elapsed_ns.saturating_mul(1000))
    }

    /// `12 GiB`
    pub(crate) fn resident_text(&self) -> String {
        resident(self.proof.proven.resident_bytes.0)
    }

    /// `66 of 1,048,576`
    pub(crate) fn opened_text(&self) -> String {
        let proven = &self.proof.proven;
        let lanes = crate::units::count(self.proof.work.lanes());
        format!("{} of {lanes}", proven.lanes_opened)
    }

    /// `0.096 %`: the probability that a tenth of wrong lanes stays unseen.
    pub(crate) fn missed_text(&self) -> String {
        format!("{} %", significant(self.proof.proven.missed_ppb as f64 / 1e7, 2))
    }
}

/// A proven rate in its work's unit.
pub fn rate(work: &Work, per_second: Count) -> String {
    let value = per_second.0 as f64;
    match work {
        Work::Mlp { .. } => format!("{}OP/s", prefixed(value, 4)),
        Work::Vram { .. } => format!("{} reads/s", prefixed(value, 4)),
    }
}
