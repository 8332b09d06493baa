//! Which logs are believed: `trusted_root.json`, as Sigstore's verifiers read it.
//!
//! Each log key is one element of `tlogs`: its SubjectPublicKeyInfo, the algorithm, and the time from which (and, once
//! retired, until which) the log signed with it. `baseUrl` is `https://` and the log's origin, which names the log and
//! is not where its entries are fetched. `logId` is the hash whose first four bytes are the note key id.
//!
//! A new key makes a new log: [`TrustedRoot::rotate`] ends the old one and adds the next under its own origin. The old
//! log is frozen, and its receipts stay good: a checkpoint has no time of its own, so the verifier refuses only what was
//! measured after the log's keys had been retired.

mod json;

use jiff::Timestamp;

use crate::checkpoint::{LogKey, LogTrust};
use crate::json::JsonError;
use crate::note::{self, NoteError};

/// Media type of the document. Version 0.2 adds `checkpointKeyId`, which @sigstore/verify 4.1 compares with the whole id
/// in a receipt though it is but the first four bytes.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// Largest document that is read: some thousand log keys.
pub const MAX_TRUSTED_ROOT_BYTES: usize = 1 << 20;

/// The logs a verifier believes, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRoot {
    keys: Vec<TrustedKey>,
}

/// One key of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    pub origin: String,
    pub key: LogKey,
    pub valid_from: Timestamp,
    /// Set when the log was frozen: the last moment at which it may have signed.
    pub valid_until: Option<Timestamp>,
}

/// Why a trusted root is not read or not changed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("the trusted root is not read: {0}")]
    Json(#[from] JsonError),
    #[error("the trusted root's {field} is {found:?}; {expected} is wanted")]
    Field {
        field: String,
        found: String,
        expected: &'static str,
    },
    #[error("the trusted root lists the log {origin:?} with the same key twice")]
    DuplicateKey { origin: String },
    #[error("the trusted root names no log")]
    Empty,
    #[error("the origin: {0}")]
    Origin(#[from] NoteError),
    #[error("the log {origin:?} would be valid until {until}, before its start at {from}")]
    EndsBeforeStart {
        origin: String,
        from: Timestamp,
        until: Timestamp,
    },
    #[error("a new log key is a new log: the trusted root already has the origin {origin:?}")]
    OriginReused { origin: String },
    #[error("a new log needs new keys: the trusted root already has a key of {origin:?}")]
    KeyReused { origin: String },
}

impl TrustedRoot {
    /// Believes one log from `valid_from` on.
    pub fn new(log: &LogTrust, valid_from: Timestamp) -> Result<Self, TrustError> {
        note::check_name(&log.origin)?;
        let keys = log.keys.iter().map(|key| TrustedKey {
            origin: log.origin.clone(),
            key: key.clone(),
            valid_from,
            valid_until: None,
        });
        Self::of(keys.collect())
    }

    /// Reads a document of at most [`MAX_TRUSTED_ROOT_BYTES`]. Key types that are not checked here are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustError> {
        Self::of(json::read(bytes)?)
    }

    pub fn to_json(&self) -> Vec<u8> {
        json::write(&self.keys)
    }

    fn of(keys: Vec<TrustedKey>) -> Result<Self, TrustError> {
        if keys.is_empty() {
            return Err(TrustError::Empty);
        }
        for (i, key) in keys.iter().enumerate() {
            if keys[..i]
                .iter()
                .any(|other| other.origin == key.origin && other.key == key.key)
            {
                return Err(TrustError::DuplicateKey {
                    origin: key.origin.clone(),
                });
            }
            if let Some(until) = key.valid_until.filter(|until| *until < key.valid_from) {
                let (origin, from) = (key.origin.clone(), key.valid_from);
                return Err(TrustError::EndsBeforeStart { origin, from, until });
            }
        }
        Ok(Self { keys })
    }

    /// Every key of every log.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// The keys of one log, if it is known.
    pub fn log(&self, origin: &str) -> Option<LogTrust> {
        let keys: Vec<_> = self.keys_of(origin).map(|key| key.key.clone()).collect();
        (!keys.is_empty()).then(|| LogTrust {
            origin: origin.to_owned(),
            keys,
        })
    }

    /// When the log was frozen, if it was.
    pub fn retired(&self, origin: &str) -> Option<Timestamp> {
        self.keys_of(origin).filter_map(|key| key.valid_until).min()
    }

    /// Origins of all logs, oldest first.
    pub fn origins(&self) -> Vec<&str> {
        let mut origins: Vec<&str> = self.keys.iter().map(|key| key.origin.as_str()).collect();
        origins.dedup();
        origins
    }

    /// The logs that still grow.
    pub fn current(&self) -> Vec<&str> {
        let mut origins: Vec<&str> = self
            .keys
            .iter()
            .filter(|key| key.valid_until.is_none())
            .map(|key| key.origin.as_str())
            .collect();
        origins.dedup();
        origins
    }

    fn keys_of<'a>(&'a self, origin: &'a str) -> impl Iterator<Item = &'a TrustedKey> {
        self.keys.iter().filter(move |key| key.origin == origin)
    }

    /// Ends every log that still grows at `at`, and believes `next` from then on.
    pub fn rotate(&self, next: &LogTrust, at: Timestamp) -> Result<Self, TrustError> {
        if self.log(&next.origin).is_some() {
            return Err(TrustError::OriginReused {
                origin: next.origin.clone(),
            });
        }
        if let Some(known) = self.keys.iter().find(|known| next.keys.contains(&known.key)) {
            return Err(TrustError::KeyReused {
                origin: known.origin.clone(),
            });
        }
        let ended = self.keys.iter().cloned().map(|mut key| {
            key.valid_until.get_or_insert(at);
            key
        });
        let next = Self::new(next, at)?;
        Self::of(ended.chain(next.keys).collect())
    }
}

#[cfg(test)]
mod tests;
