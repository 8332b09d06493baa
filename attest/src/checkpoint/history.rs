use super::Checkpoint;
use crate::digest::Sha256;
use crate::merkle::{ProofError, verify_consistency};
use crate::statement::Freshness;

/// Why a checkpoint does not continue one seen before. Each but the first two, kept with both notes, proves to anyone
/// that the log misbehaved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    #[error("the checkpoint is of the log {got:?}; the one seen before is of {seen:?}")]
    OtherLog { got: String, seen: String },
    #[error("the checkpoint of {got} leaves is older than the one of {seen} leaves already seen")]
    Older { got: u64, seen: u64 },
    #[error("the log shows two trees of {size} leaves: root {got} now, root {seen} before")]
    Fork { size: u64, got: Sha256, seen: Sha256 },
    #[error(
        "the tree of {got} leaves is not shown to extend the tree of {seen} leaves already seen: {cause}"
    )]
    Inconsistent {
        got: u64,
        seen: u64,
        #[source]
        cause: ProofError,
    },
}

impl Checkpoint {
    /// Refuses a checkpoint that is older than `seen`, or is another tree of the same size. Needs no proof.
    pub fn not_older_than(&self, seen: &Self) -> Result<(), HistoryError> {
        if self.origin != seen.origin {
            return Err(HistoryError::OtherLog {
                got: self.origin.clone(),
                seen: seen.origin.clone(),
            });
        }
        if self.size < seen.size {
            return Err(HistoryError::Older {
                got: self.size,
                seen: seen.size,
            });
        }
        if self.size == seen.size && self.root != seen.root {
            return Err(HistoryError::Fork {
                size: self.size,
                got: self.root,
                seen: seen.root,
            });
        }
        Ok(())
    }

    /// Whether this checkpoint continues `seen`, by the consistency proof `path` between the two.
    pub fn follows(&self, seen: &Self, path: &[Sha256]) -> Result<(), HistoryError> {
        self.not_older_than(seen)?;
        verify_consistency(seen.size, self.size, &seen.root, &self.root, path).map_err(|cause| {
            HistoryError::Inconsistent {
                got: self.size,
                seen: seen.size,
                cause,
            }
        })
    }
}

/// A statement that names a checkpoint was signed after it.
impl From<&Checkpoint> for Freshness {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            origin: checkpoint.origin.clone(),
            tree_size: checkpoint.size,
            root_hash: checkpoint.root,
        }
    }
}
