//! Checkpoints: what a log signs (C2SP tlog-checkpoint).
//!
//! A checkpoint is a signed note ([`crate::note`]) whose text has three lines and no more: the log's origin, the number
//! of leaves in decimal, and the root hash in base64. The log signs it twice, under its origin as the key's name:
//!
//! | signature | note type | key id | signed |
//! |---|---|---|---|
//! | ECDSA P-256, ASN.1 DER | 0x02 | SHA-256(SubjectPublicKeyInfo)\[..4\] | SHA-256 of the text |
//! | Ed25519 | 0x01 | SHA-256(origin, 0x0A, 0x01, key)\[..4\] | the text |
//!
//! Sigstore's verifiers read the first, stock `sumdb` readers the second. [`open`] wants a good signature by *every* key
//! it is told to trust, so neither line can be dropped or damaged; lines by other keys (witnesses) are left alone.

mod history;
mod keys;
mod verifier;

pub use history::HistoryError;
pub use keys::{LogKey, LogKeys, LogKeysError, LogTrust};
pub use verifier::VerifierError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Sha256;
use crate::note::{self, Note, NoteError};

/// Media type of a checkpoint over HTTP.
pub const MEDIA_TYPE: &str = "text/plain; charset=utf-8";

/// Largest tree that a checkpoint speaks of: other readers keep sizes in signed 64-bit integers.
pub const MAX_TREE_SIZE: u64 = i64::MAX as u64;

/// A log's state: its first `size` leaves have this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Sha256,
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("the checkpoint is no signed note: {0}")]
    Note(#[from] NoteError),
    #[error("the checkpoint has {got} lines of text, not the 3 of origin, size and root hash")]
    LineCount { got: usize },
    #[error("the checkpoint's tree size is {text:?}, not a decimal number of at most {MAX_TREE_SIZE}")]
    Size { text: String },
    #[error("the checkpoint's root hash is {text:?}, not 32 bytes in base64")]
    Root { text: String },
    #[error("the checkpoint gives an empty tree the root {root}")]
    EmptyTreeRoot { root: Sha256 },
    #[error("the checkpoint is of the log {got:?}, not of {want:?}")]
    Origin { got: String, want: String },
    #[error("the checkpoint has no signature by the log's {algorithm} key {key_id}")]
    Unsigned {
        algorithm: &'static str,
        key_id: note::KeyId,
    },
    #[error("the checkpoint's {algorithm} signature does not hold for the log's key {key_id}")]
    Signature {
        algorithm: &'static str,
        key_id: note::KeyId,
    },
    #[error("no key is trusted for the log {origin:?}")]
    NoKeys { origin: String },
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root.0)
        )
    }

    fn from_text(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<_> = text.split_terminator('\n').collect();
        let [origin, size, root] = lines[..] else {
            return Err(CheckpointError::LineCount { got: lines.len() });
        };
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: read_size(size)?,
            root: read_root(root)?,
        };
        checkpoint.check()?;
        Ok(checkpoint)
    }

    /// Refuses a checkpoint that could not be read again.
    fn check(&self) -> Result<(), CheckpointError> {
        note::check_name(&self.origin)?;
        if self.size > MAX_TREE_SIZE {
            return Err(CheckpointError::Size {
                text: self.size.to_string(),
            });
        }
        if self.size == 0 && self.root != Sha256::of(b"") {
            return Err(CheckpointError::EmptyTreeRoot { root: self.root });
        }
        Ok(())
    }
}

fn read_size(text: &str) -> Result<u64, CheckpointError> {
    // Writing it again catches signs and leading zeros.
    text.parse::<u64>()
        .ok()
        .filter(|size| size.to_string() == text)
        .ok_or_else(|| CheckpointError::Size {
            text: shortened(text),
        })
}

fn read_root(text: &str) -> Result<Sha256, CheckpointError> {
    STANDARD
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .map(Sha256)
        .ok_or_else(|| CheckpointError::Root {
            text: shortened(text),
        })
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Signs a checkpoint with both keys of its log.
pub fn sign(checkpoint: &Checkpoint, keys: &LogKeys) -> Result<String, CheckpointError> {
    checkpoint.check()?;
    let text = checkpoint.text();
    let signatures = keys.sign(&checkpoint.origin, text.as_bytes());
    Ok(Note { text, signatures }.to_string())
}

/// Reads a checkpoint that every key of the log has signed.
pub fn open(text: &str, log: &LogTrust) -> Result<Checkpoint, CheckpointError> {
    Unverified::parse(text)?.verify(log)
}

/// A checkpoint as it was read: nobody vouches for it yet.
#[derive(Clone, Debug)]
pub struct Unverified {
    note: Note,
    checkpoint: Checkpoint,
}

impl Unverified {
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let note = Note::parse(text)?;
        let checkpoint = Checkpoint::from_text(&note.text)?;
        Ok(Self { note, checkpoint })
    }

    /// What it says, before anybody vouches for it: the origin tells whose keys to try.
    pub fn claimed(&self) -> &Checkpoint {
        &self.checkpoint
    }

    pub fn verify(&self, log: &LogTrust) -> Result<Checkpoint, CheckpointError> {
        let origin = &self.checkpoint.origin;
        if *origin != log.origin {
            return Err(CheckpointError::Origin {
                got: origin.clone(),
                want: log.origin.clone(),
            });
        }
        if log.keys.is_empty() {
            return Err(CheckpointError::NoKeys {
                origin: origin.clone(),
            });
        }
        for key in &log.keys {
            self.verify_by(key)?;
        }
        Ok(self.checkpoint.clone())
    }

    /// Every signature that gives the key's name and id must hold, and there must be one.
    fn verify_by(&self, key: &LogKey) -> Result<(), CheckpointError> {
        let origin = &self.checkpoint.origin;
        let (algorithm, key_id) = (key.algorithm(), key.note_id(origin));
        let mut signatures = self.note.signatures_by(origin, key_id).peekable();
        if signatures.peek().is_none() {
            return Err(CheckpointError::Unsigned { algorithm, key_id });
        }
        if signatures.all(|signature| key.verify(self.note.text.as_bytes(), signature)) {
            return Ok(());
        }
        Err(CheckpointError::Signature { algorithm, key_id })
    }
}

#[cfg(test)]
mod tests;
