//! A log made up for tests: the same bytes each time.

use std::convert::Infallible;

use attest::checkpoint::{self, Checkpoint, LogKeys};
use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::key::{PublicKey, SigningKey};
use attest::trust::TrustedRoot;
use attest::{leaf, merkle, receipt};

use crate::sample;

pub(crate) const ORIGIN: &str = "log.hallmark.example/2026";

/// Leaves of the log; none of the trees below is a power of two.
pub(crate) const SIZE: u64 = 11;

/// Where the small attestation stands, and the one of two devices.
pub(crate) const SMALL: u64 = 3;
pub(crate) const TWO_DEVICES: u64 = 6;

pub(crate) fn keys() -> LogKeys {
    read(include_str!("../../testdata/keys/log.pem"))
}

/// Keys of a log that nobody trusts.
pub(crate) fn other_keys() -> LogKeys {
    read(include_str!("../../testdata/keys/other-log.pem"))
}

fn read(pem: &str) -> LogKeys {
    LogKeys::from_pem(pem, None).expect("keys for tests")
}

pub(crate) fn trusted_root() -> TrustedRoot {
    let start = "2026-01-01T00:00:00Z".parse().expect("a time");
    TrustedRoot::new(&keys().trust(ORIGIN), start).expect("one log")
}

/// Signed attestations in the log, by index; the other leaves are about nothing.
pub(crate) fn attestation(index: u64) -> Option<Envelope> {
    match index {
        SMALL => Some(sample::envelope(&sample::small())),
        TWO_DEVICES => Some(sample::envelope(&sample::two_devices())),
        _ => None,
    }
}

/// A log as it stands with `size` leaves, signed with keys of the caller's choice.
pub(crate) struct Log {
    pub(crate) leaves: Vec<Vec<u8>>,
}

impl Log {
    pub(crate) fn of(size: u64) -> Self {
        let signer = sample::provider();
        Self {
            leaves: (0..size).map(|index| leaf_at(index, &signer)).collect(),
        }
    }

    fn hashes(&self) -> Vec<Sha256> {
        self.leaves.iter().map(|leaf| merkle::leaf_hash(leaf)).collect()
    }

    pub(crate) fn state(&self, origin: &str) -> Checkpoint {
        Checkpoint {
            origin: origin.to_owned(),
            size: self.leaves.len() as u64,
            root: merkle::root(&self.hashes()),
        }
    }

    pub(crate) fn checkpoint(&self, origin: &str, keys: &LogKeys) -> String {
        checkpoint::sign(&self.state(origin), keys).expect("a sound checkpoint")
    }

    pub(crate) fn path(&self, index: u64) -> Vec<Sha256> {
        let hashes = self.hashes();
        merkle::inclusion_path(hashes.len() as u64, index, subtree(&hashes)).expect("an index of the log")
    }

    pub(crate) fn consistency(&self, older: u64) -> Vec<Sha256> {
        let hashes = self.hashes();
        merkle::consistency_path(older, hashes.len() as u64, subtree(&hashes)).expect("an older size")
    }

    /// The receipt of an envelope as if it stood at `index`, under these keys.
    pub(crate) fn receipt_by(
        &self,
        index: u64,
        envelope: &Envelope,
        key: &PublicKey,
        origin: &str,
        keys: &LogKeys,
    ) -> Vec<u8> {
        let checkpoint = self.checkpoint(origin, keys);
        receipt::build(
            envelope,
            key,
            index,
            &checkpoint,
            &self.path(index),
            &keys.trust(origin),
        )
        .expect("a sound receipt")
    }

    /// The true receipt of the attestation at `index`.
    pub(crate) fn receipt(&self, index: u64) -> Vec<u8> {
        let envelope = attestation(index).expect("an attestation");
        self.receipt_by(index, &envelope, sample::provider().public(), ORIGIN, &keys())
    }
}

fn leaf_at(index: u64, signer: &SigningKey) -> Vec<u8> {
    if let Some(envelope) = attestation(index) {
        return leaf::canonical(&Sha256::of(&envelope.pae()), &envelope.sig, signer.public());
    }
    let digest = Sha256::of(&index.to_le_bytes());
    leaf::canonical(&digest, &signer.sign_digest(&digest), signer.public())
}

fn subtree(hashes: &[Sha256]) -> impl FnMut(u8, u64) -> Result<Sha256, Infallible> + '_ {
    |level, index| {
        let (low, high) = ((index << level) as usize, ((index + 1) << level) as usize);
        Ok(merkle::root(&hashes[low..high]))
    }
}
