//! Opened lanes: final states with their way up to the committed root.

use serde::{Deserialize, Serialize};

use super::{Task, base64};
use crate::digest::Sha256;
use crate::json::{self, JsonError};
use crate::merkle::{self, ProofError};

/// Largest body of openings that is read.
pub const MAX_OPENINGS_BYTES: usize = 4 << 20;

/// One lane of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    pub lane: u64,
    /// The final state, in base64.
    #[serde(serialize_with = "base64::write", deserialize_with = "base64::read")]
    pub state: Vec<u8>,
    /// Sibling hashes from the leaf up, as RFC 6962 orders them.
    pub path: Vec<Sha256>,
}

/// What a provider sends: for each task, the sampled lanes in ascending order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningsBody {
    pub tasks: Vec<Vec<Opening>>,
}

impl OpeningsBody {
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        json::from_slice(bytes, MAX_OPENINGS_BYTES)
    }
}

/// Why a task's openings do not hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    #[error("{got} task(s) were opened, {want} committed")]
    Tasks { got: usize, want: usize },
    #[error("task {task}: other lanes were opened than were sampled")]
    Lanes { task: usize },
    #[error("task {task}, lane {lane}: a state of {got} bytes, not {want}")]
    Length {
        task: usize,
        lane: u64,
        got: usize,
        want: u64,
    },
    #[error("task {task}, lane {lane}: not under the committed root: {cause}")]
    NotCommitted {
        task: usize,
        lane: u64,
        cause: ProofError,
    },
    #[error("task {task}, lane {lane}: the committed state is not what the work gives")]
    WrongState { task: usize, lane: u64 },
    #[error("task {task}: {reason}")]
    Work { task: usize, reason: String },
}

/// Checks what one task opened: the sampled lanes, each under the root, each recomputed.
pub(super) fn check(
    task: usize,
    work: &Task,
    seed: &Sha256,
    root: &Sha256,
    samples: &[u64],
    openings: &[Opening],
) -> Result<(), OpeningError> {
    if !openings
        .iter()
        .map(|opening| opening.lane)
        .eq(samples.iter().copied())
    {
        return Err(OpeningError::Lanes { task });
    }
    for opening in openings {
        under_root(task, work, root, opening)?;
    }
    let states = work
        .work
        .recompute(seed, samples)
        .map_err(|reason| OpeningError::Work { task, reason })?;
    match states
        .iter()
        .zip(openings)
        .find(|(state, opening)| **state != opening.state)
    {
        None => Ok(()),
        Some((_, opening)) => Err(OpeningError::WrongState {
            task,
            lane: opening.lane,
        }),
    }
}

fn under_root(task: usize, work: &Task, root: &Sha256, opening: &Opening) -> Result<(), OpeningError> {
    let (lane, want) = (opening.lane, work.work.lane_bytes());
    if opening.state.len() as u64 != want {
        return Err(OpeningError::Length {
            task,
            lane,
            got: opening.state.len(),
            want,
        });
    }
    let leaf = merkle::leaf_hash(&opening.state);
    merkle::verify_inclusion(lane, work.work.lanes(), &leaf, &opening.path, root)
        .map_err(|cause| OpeningError::NotCommitted { task, lane, cause })
}
