//! Receipts: an envelope, the proof that a log holds it, and the checkpoint the proof leads to, in one document.
//!
//! A receipt is a Sigstore bundle v0.3, so verifiers that know nothing of Hallmark check it:
//!
//! | field | what it holds |
//! |---|---|
//! | `verificationMaterial.publicKey.hint` | base64 SHA-256 of the signer's SubjectPublicKeyInfo |
//! | `tlogEntries[0].logIndex` | the leaf's index, a decimal string |
//! | `tlogEntries[0].logId.keyId` | base64 id of the log's ECDSA key |
//! | `tlogEntries[0].kindVersion` | `hashedrekord` `0.0.2`, see [`crate::leaf`] |
//! | `tlogEntries[0].inclusionProof` | index, tree size, root hash, path from the leaf up, and the checkpoint |
//! | `tlogEntries[0].canonicalizedBody` | base64 of the leaf |
//! | `dsseEnvelope` | the envelope, see [`crate::dsse`] |
//!
//! Nothing repeated is taken on faith: [`crate::verify`] compares the two indices, the proof's root and size with the
//! checkpoint's, and the leaf with the envelope. The only bytes that decide nothing are the envelope's `keyid`, white
//! space, the spelling of strings and base64, and fields the format does not name.

mod json;

use crate::checkpoint::{CheckpointError, LogTrust, Unverified};
use crate::digest::Sha256;
use crate::dsse::{Envelope, EnvelopeError, MAX_ENVELOPE_BYTES};
use crate::json::JsonError;
use crate::key::PublicKey;
use crate::leaf;

pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Largest receipt that is read: the largest envelope, and room for the leaf, the path and a checkpoint with witnesses.
pub const MAX_RECEIPT_BYTES: usize = MAX_ENVELOPE_BYTES + (128 << 10);

/// A receipt as it was read: each part is well formed, and nothing is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub envelope: Envelope,
    /// SHA-256 of the signer's SubjectPublicKeyInfo.
    pub key_hint: Sha256,
    /// Id of the log's ECDSA key.
    pub log_id: Sha256,
    pub log_index: u64,
    pub proof: InclusionProof,
    /// Bytes of the leaf.
    pub leaf: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// Stands beside [`Receipt::log_index`] and must equal it.
    pub log_index: u64,
    pub tree_size: u64,
    pub root: Sha256,
    /// Siblings from the leaf up.
    pub path: Vec<Sha256>,
    /// The checkpoint, a signed note.
    pub checkpoint: String,
}

/// Why a receipt is not read or not made.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    #[error("the receipt is not read: {0}")]
    Json(#[from] JsonError),
    #[error("the receipt's {field} is {found:?}; {expected} is wanted")]
    Field {
        field: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("the receipt has {got} log entries, not 1")]
    EntryCount { got: usize },
    #[error("the receipt's inclusion proof has {got} hashes; a tree has at most 63 levels")]
    PathTooLong { got: usize },
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("no ECDSA key is known of the log {origin:?}")]
    NoEcdsaKey { origin: String },
}

/// Writes the receipt of an envelope signed by `key` that stands at `index` of `log`; `path` leads from its leaf to the
/// root of `checkpoint`.
pub fn build(
    envelope: &Envelope,
    key: &PublicKey,
    index: u64,
    checkpoint: &str,
    path: &[Sha256],
    log: &LogTrust,
) -> Result<Vec<u8>, ReceiptError> {
    let state = Unverified::parse(checkpoint)?;
    let receipt = Receipt {
        envelope: envelope.clone(),
        key_hint: key.id(),
        log_id: log.id().ok_or_else(|| ReceiptError::NoEcdsaKey {
            origin: log.origin.clone(),
        })?,
        log_index: index,
        proof: InclusionProof {
            log_index: index,
            tree_size: state.claimed().size,
            root: state.claimed().root,
            path: path.to_vec(),
            checkpoint: checkpoint.to_owned(),
        },
        leaf: leaf::canonical(&Sha256::of(&envelope.pae()), &envelope.sig, key),
    };
    Ok(receipt.to_json())
}

impl Receipt {
    /// Reads a receipt of at most [`MAX_RECEIPT_BYTES`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        json::read(bytes)
    }

    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }
}
