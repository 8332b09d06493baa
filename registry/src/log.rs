//! The log: one thread gives out indices, everything else reads what it has published.
//!
//! A batch goes through four gates in this order, and no reply leaves before the last:
//!
//! 1. the next checkpoint is signed, and the inclusion proof of every new entry is checked against it;
//! 2. entries, tiles and checkpoint are committed together, by compare-and-swap on the head;
//! 3. the checkpoint is written outside the database;
//! 4. it is published: readers see the new size.
//!
//! An error at gate 2 means *unknown*, and an error at gate 3 leaves entries that are durable but not published. Both are
//! resolved by [`sequencer`]'s `settle`, the same steps a start takes: read the head, check that it extends the last
//! published checkpoint, write the checkpoint outside, publish.

mod published;
mod sequencer;
mod step;

use attest::checkpoint::Checkpoint;
use attest::merkle::{PathError, ProofError};
use attest::tile::ReadError;

use crate::folder::FolderError;
use crate::store::{CommitError, StoreError};

pub(crate) use published::{Condition, Published};
pub(crate) use sequencer::{Job, Outcome, Queue, QueueError, Unlogged, start};
pub(crate) use step::inclusion_path;

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "the database is behind its own log: it holds {found} entries, the checkpoint kept outside it covers {published}. \
         A restored backup would give out indices twice; restore one that is at least as new as the checkpoint file"
    )]
    Behind { found: u64, published: u64 },
    #[error(
        "the database and the checkpoint kept outside it disagree on the first {size} entries: {found} is not {published}. \
         They belong to different histories; find out which one was published before serving either"
    )]
    Split {
        size: u64,
        found: attest::digest::Sha256,
        published: attest::digest::Sha256,
    },
    #[error(
        "the checkpoint kept outside the database is missing while the log holds {size} entries; put back its last copy \
         (any reader's or witness's newest checkpoint will do), so that a rolled-back database is noticed"
    )]
    OutsideMissing { size: u64 },
    #[error("the log is damaged: {what}")]
    Damaged { what: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Outside(#[from] FolderError),
    #[error("a checkpoint does not verify: {0}")]
    Checkpoint(#[from] attest::checkpoint::CheckpointError),
    #[error("a checkpoint covers {found}, not {expected} entries with the root in the database")]
    WrongCheckpoint { found: u64, expected: u64 },
    #[error("a proof of the registry's own does not hold: {0}")]
    Proof(#[from] ProofError),
}

impl LogError {
    /// Whether trying again later can help. If not, the log stops accepting.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error, StoreError::Failed { .. }),
            Self::Commit(_) | Self::Outside(_) => true,
            _ => false,
        }
    }
}

impl From<ReadError<StoreError>> for LogError {
    fn from(error: ReadError<StoreError>) -> Self {
        match error {
            ReadError::Fetch(error) => Self::Store(error),
            other => Self::Damaged {
                what: other.to_string(),
            },
        }
    }
}

impl From<PathError<ReadError<StoreError>>> for LogError {
    fn from(error: PathError<ReadError<StoreError>>) -> Self {
        match error {
            PathError::Read(error) => error.into(),
            other => Self::Damaged {
                what: other.to_string(),
            },
        }
    }
}

/// The checkpoint of the empty log.
pub(crate) fn empty_checkpoint(origin: &str) -> Checkpoint {
    Checkpoint {
        origin: origin.to_owned(),
        size: 0,
        root: attest::digest::Sha256::of(b""),
    }
}
