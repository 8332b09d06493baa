//! Where the log lives. Everything the registry needs from a database stands in one narrow trait.
//!
//! The contract of [`Store::commit`] is a compare-and-swap on one row, the *head*: entries, tiles and the new head become
//! durable together, or nothing does. An error from it means *unknown*: the caller reads [`Store::head`] and decides.

pub mod sessions;
mod sqlite;

use std::sync::Arc;

use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::key::PublicKey;
use attest::statement::Evidence;
use attest::tile::Tile;

pub use sessions::SessionStore;
pub use sqlite::SqliteStore;

/// The log's position as the lock row holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Entries in the log; the next index.
    pub size: u64,
    pub root: Sha256,
    /// The signed checkpoint of exactly this size and root.
    pub note: String,
}

/// What an entry of the log states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// What a provider measured, signed by it.
    #[default]
    Attestation,
    /// That a provider began a proof, signed by the registry.
    Attempt,
    /// What became of it, signed by the registry.
    Verdict,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Attestation, Self::Attempt, Self::Verdict];

    pub fn name(self) -> &'static str {
        match self {
            Self::Attestation => "attestation",
            Self::Attempt => "attempt",
            Self::Verdict => "verdict",
        }
    }
}

/// A verified statement on its way into the log.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub kind: Kind,
    /// The bytes whose hash is the leaf.
    pub leaf: Vec<u8>,
    /// SHA-256 of the envelope's pre-authentication encoding: the statement's public name.
    pub digest: Sha256,
    pub key: PublicKey,
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub key_id: Sha256,
    pub envelope: Envelope,
    /// Milliseconds since 1970 by the registry's clock. Not in the log: the registry's word only.
    pub accepted_ms: i64,
    pub summary: Summary,
}

/// A statement at its index.
#[derive(Clone, Debug)]
pub struct NewEntry {
    pub index: u64,
    pub accepted: Arc<Accepted>,
}

/// What lists and filters need of a statement. Derived from the payload, so it can be rebuilt from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The part shown in lists, as JSON.
    pub json: String,
    /// Distinct device names.
    pub devices: Vec<String>,
    /// Distinct workload ids.
    pub workloads: Vec<String>,
    /// Strongest support of any part.
    pub evidence: Evidence,
    /// What supports each part, as JSON, where anything but the signature does.
    pub support_json: Option<String>,
}

/// One step of the log. Applies only to a head equal to `before`.
#[derive(Debug)]
pub struct Batch<'a> {
    pub before: &'a Head,
    pub after: &'a Head,
    pub entries: &'a [NewEntry],
    /// Tiles that changed, whole.
    pub tiles: &'a [Tile],
}

/// Where an entry stands: its index and the size of the checkpoint it was acknowledged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub index: u64,
    pub tree_size: u64,
}

/// An entry without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub place: Place,
    pub kind: Kind,
    pub digest: Sha256,
    pub key_id: Sha256,
    pub accepted_ms: i64,
    pub summary_json: String,
    pub evidence: Evidence,
    /// As in [`Summary`].
    pub support_json: Option<String>,
}

/// What was signed, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub spki: Vec<u8>,
    pub signature: Vec<u8>,
    pub payload: Vec<u8>,
}

/// A page of entries, newest first.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only entries below this index.
    pub below: u64,
    pub limit: u32,
    /// Any when absent.
    pub kind: Option<Kind>,
    pub device: Option<String>,
    pub workload: Option<String>,
    /// At least this support.
    pub evidence: Option<Evidence>,
    pub key_id: Option<Sha256>,
}

/// A device model and how many entries name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCount {
    pub name: String,
    pub entries: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{doing}: {source}")]
    Failed {
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "the database is damaged: {what}; run `hallmark fsck` on it and restore a backup that is not older than the checkpoint file"
    )]
    Damaged { what: String },
    #[error(
        "the database has format {found}, this program reads format {known}; use the program that made it or a newer one"
    )]
    Format { found: i64, known: i64 },
    #[error(
        "the database has the older format {found}, not {known}; `hallmark serve` on its folder brings it up to date, which \
         the program that made it cannot read again: keep a backup"
    )]
    OldFormat { found: i64, known: i64 },
}

#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error("the log has moved: its head is no longer at {expected} entries")]
    Moved { expected: u64 },
    /// The batch may or may not be durable.
    #[error("the outcome of a commit is unknown: {0}")]
    Unknown(#[from] StoreError),
}

pub trait Store: Send + Sync + 'static {
    /// The lock row; none before [`Store::begin`].
    fn head(&self) -> Result<Option<Head>, StoreError>;

    /// Writes the head of the empty log. Refuses when there is one already.
    fn begin(&self, head: &Head) -> Result<(), CommitError>;

    /// Makes a batch durable if, and only if, the head is `batch.before`.
    fn commit(&self, batch: &Batch<'_>) -> Result<(), CommitError>;

    /// The entry with this digest signed by this key.
    fn find(&self, digest: &Sha256, key_id: &Sha256) -> Result<Option<Place>, StoreError>;

    /// Entries with this digest in order of index: one for each key that signed it.
    fn with_digest(&self, digest: &Sha256) -> Result<Vec<Entry>, StoreError>;

    fn entry(&self, index: u64) -> Result<Option<Entry>, StoreError>;

    fn signed(&self, index: u64) -> Result<Option<Signed>, StoreError>;

    fn list(&self, query: &Query) -> Result<Vec<Entry>, StoreError>;

    /// Device models with the newest entries first.
    fn devices(&self, limit: u32) -> Result<Vec<DeviceCount>, StoreError>;

    /// The checkpoint that was published at this size.
    fn note(&self, tree_size: u64) -> Result<Option<String>, StoreError>;

    /// All checkpoints with `from <= size`, ascending, at most `limit`.
    fn notes(&self, from: u64, limit: u32) -> Result<Vec<(u64, String)>, StoreError>;

    /// The hashes of a tile so far.
    fn tile(&self, level: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Leaf bytes of up to `count` entries from `first` on, with their indices.
    fn leaves(&self, first: u64, count: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError>;

    /// One past the largest index that any entry has.
    fn end(&self) -> Result<u64, StoreError>;
}

impl StoreError {
    pub fn failed(doing: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed {
            doing,
            source: source.into(),
        }
    }
}
