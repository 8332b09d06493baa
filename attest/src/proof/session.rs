//! A session as it was kept, and the function that judges it: the registry's and everybody's.

use serde::{Deserialize, Serialize};

use super::opening::{self, OpeningError};
use super::{
    Attempt, Ending, Opening, Outcome, Proven, RefusedRoot, Stated, TaskVerdict, Verdict, base64, seeds,
};
use crate::digest::Sha256;
use crate::jcs::{self, JcsError};
use crate::json;
use crate::key::{PublicKey, SigningKey};

/// Largest commitment that is read: a root and a signature have some 200 bytes.
pub const MAX_COMMITMENT_BYTES: usize = 1 << 10;

/// A root, the provider's word for it, and when it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commitment {
    #[serde(flatten)]
    pub signed: SignedRoot,
    /// From the nonce's leaving to the commitment's last byte.
    pub elapsed_ns: u64,
}

/// What a provider sends as a commitment. The signature keeps a registry from inventing one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedRoot {
    pub root: Sha256,
    /// ECDSA P-256 with SHA-256, DER in base64, over
    /// `"hallmark.proof.commitment.v1\0" || attempt id || le64(task) || root`.
    #[serde(serialize_with = "base64::write", deserialize_with = "base64::read")]
    pub signature: Vec<u8>,
}

impl SignedRoot {
    pub fn sign(attempt: &Sha256, task: usize, root: Sha256, key: &SigningKey) -> Self {
        Self {
            root,
            signature: key.sign(&signed_bytes(attempt, task, &root)),
        }
    }

    /// Whether `key` signed this root for that task.
    pub fn is_by(&self, key: &PublicKey, attempt: &Sha256, task: usize) -> bool {
        key.verify(&signed_bytes(attempt, task, &self.root), &self.signature)
            .is_ok()
    }
}

fn signed_bytes(attempt: &Sha256, task: usize, root: &Sha256) -> Vec<u8> {
    let task = (task as u64).to_le_bytes();
    [b"hallmark.proof.commitment.v1\0", &attempt.0[..], &task, &root.0].concat()
}

/// Everything that was exchanged after the attempt was logged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Sha256>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// One for each task, as far as they came.
    pub commitments: Vec<Option<Commitment>>,
    /// Shown once every commitment has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Sha256>,
    /// For each task, as they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openings: Option<Vec<Vec<Opening>>>,
    /// When and why, if it ended before the openings came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// Present when a root ended it, which anybody can thus judge again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedRoot>,
}

/// The attempt a session belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    pub attempt: &'a Stated<Attempt>,
    /// SHA-256 of its signed bytes.
    pub digest: Sha256,
    pub log_index: u64,
    /// The provider's.
    pub key: &'a PublicKey,
}

impl Session {
    /// SHA-256 of the session's RFC 8785 bytes.
    pub fn digest(&self) -> Result<Sha256, JcsError> {
        jcs::to_vec(self).map(|bytes| Sha256::of(&bytes))
    }

    /// The root in what came for `task`, or how it ends the session: each task takes one root, after the nonce, signed by the
    /// provider for this task of this attempt.
    pub fn admit(&self, of: &Of<'_>, task: u32, body: &[u8]) -> Result<SignedRoot, Ending> {
        if self.nonce.is_none() {
            return Err(Ending::EarlyRoot);
        }
        match self.commitments.get(task as usize) {
            None => return Err(Ending::StrayRoot),
            Some(Some(_)) => return Err(Ending::SecondRoot),
            Some(None) => {}
        }
        let signed: SignedRoot =
            json::from_slice(body, MAX_COMMITMENT_BYTES).map_err(|_| Ending::MalformedRoot)?;
        match signed.is_by(of.key, &of.digest, task as usize) {
            true => Ok(signed),
            false => Err(Ending::ForeignRoot),
        }
    }

    /// The roots, when all have come.
    pub fn roots(&self) -> Option<Vec<Sha256>> {
        self.commitments
            .iter()
            .map(|commitment| Some(commitment.as_ref()?.signed.root))
            .collect()
    }

    /// The lanes each task opens, when the secret is known and every root has come.
    pub fn samples(&self, of: &Of<'_>) -> Option<Vec<Vec<u64>>> {
        let (secret, roots) = (self.secret?, self.roots()?);
        let tasks = of.attempt.predicate.tasks.iter().enumerate();
        let samples = tasks.map(|(index, task)| {
            let (lanes, count) = (task.work.lanes(), task.work.opened());
            seeds::samples(&secret, &of.digest, &roots, index, lanes, count)
        });
        Some(samples.collect())
    }

    /// The seed everything follows from, once the nonce is out.
    pub fn seed(&self, of: &Of<'_>) -> Option<Sha256> {
        let key_id = &of.attempt.predicate.key_id;
        self.nonce.map(|nonce| seeds::session(&nonce, key_id, &of.digest))
    }

    /// The verdict. Costs the recomputation of every opened lane.
    pub fn judge(&self, of: &Of<'_>, decided_at: String) -> Result<Stated<Verdict>, JcsError> {
        let (outcome, reason) = match self.find(of) {
            Ok(()) => (Outcome::Proven, None),
            Err((outcome, reason)) => (outcome, Some(reason)),
        };
        let attempt = &of.attempt.predicate;
        let tasks = attempt.tasks.iter().zip(&self.commitments);
        let tasks = tasks.map(|(task, commitment)| TaskVerdict {
            device: task.device,
            work: task.work,
            proven: commitment
                .as_ref()
                .filter(|_| outcome == Outcome::Proven)
                .map(|commitment| Proven::of(&task.work, commitment.elapsed_ns)),
        });
        let verdict = Verdict {
            attempt: of.digest,
            attempt_index: of.log_index,
            key_id: attempt.key_id,
            outcome,
            reason,
            nonce: self.nonce,
            started_at: self.started_at.clone(),
            decided_at,
            devices: attempt.devices.clone(),
            tasks: tasks.collect(),
            session: self.digest()?,
        };
        let devices = of.attempt.subject.iter().skip(1);
        let devices = devices.map(|subject| (subject.name.clone(), subject.digest.sha256));
        let subject = std::iter::once(("attempt".to_owned(), of.digest)).chain(devices);
        Ok(Stated::new(subject, verdict))
    }

    fn find(&self, of: &Of<'_>) -> Result<(), (Outcome, String)> {
        let broken = |what: &str| (Outcome::Aborted, format!("the session has {what}"));
        if let Some(ending) = self.ending {
            return Err(match self.bears_out(of, ending) {
                true => (ending.outcome(), self.reason(ending)),
                false => broken("an ending that does not follow from what came"),
            });
        }
        if self.refused.is_some() {
            return Err(broken("a refused root and no ending"));
        }
        let attempt = &of.attempt.predicate;
        let seed = self.seed(of).ok_or_else(|| broken("no nonce"))?;
        let secret = self.secret.ok_or_else(|| broken("no sampling secret"))?;
        if seeds::commitment(&secret) != attempt.sample_commitment {
            return Err(broken("another sampling secret than the attempt was bound to"));
        }
        if self.commitments.len() != attempt.tasks.len() {
            return Err(broken("another number of commitments than of tasks"));
        }
        let roots = self
            .roots()
            .ok_or_else(|| broken("a task without a commitment"))?;
        let mut commitments = self.commitments.iter().flatten().enumerate();
        if !commitments.all(|(task, commitment)| commitment.signed.is_by(of.key, &of.digest, task)) {
            return Err(broken("a commitment that the provider did not sign"));
        }
        self.in_time(attempt)?;
        let samples = self.samples(of).ok_or_else(|| broken("no samples"))?;
        let openings = self.openings.as_ref().ok_or_else(|| broken("no openings"))?;
        let wrong = |error: OpeningError| (Outcome::Wrong, error.to_string());
        if openings.len() != roots.len() {
            return Err(wrong(OpeningError::Tasks {
                got: openings.len(),
                want: roots.len(),
            }));
        }
        for (index, task) in attempt.tasks.iter().enumerate() {
            let seed = seeds::task(&seed, index);
            opening::check(
                index,
                task,
                &seed,
                &roots[index],
                &samples[index],
                &openings[index],
            )
            .map_err(wrong)?;
        }
        Ok(())
    }

    /// Whether what came ends the session so. Times, and giving up, are the registry's word.
    fn bears_out(&self, of: &Of<'_>, ending: Ending) -> bool {
        match &self.refused {
            None => !ending.is_by_root(),
            Some(refused) => self.admit(of, refused.task, &refused.body) == Err(ending),
        }
    }

    fn reason(&self, ending: Ending) -> String {
        match &self.refused {
            None => ending.reason().to_owned(),
            Some(refused) => format!("task {}: {}", refused.task, ending.reason()),
        }
    }

    fn in_time(&self, attempt: &Attempt) -> Result<(), (Outcome, String)> {
        let limit = attempt.limits.commit_ms.saturating_mul(1_000_000);
        let late = |commitment: &&Commitment| commitment.elapsed_ns > limit;
        match self.commitments.iter().flatten().find(late) {
            None => Ok(()),
            Some(commitment) => Err((
                Outcome::Late,
                format!(
                    "a commitment came after {} ms; {} ms were allowed",
                    commitment.elapsed_ns / 1_000_000,
                    attempt.limits.commit_ms
                ),
            )),
        }
    }
}
