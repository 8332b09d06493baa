//! How a session ends before its openings could be judged.

use serde::{Deserialize, Serialize};

use super::Outcome;

/// Why a session ended before it could be judged by its openings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// The nonce was not asked for in time.
    NotStarted,
    /// A commitment did not come in time.
    NotCommitted,
    /// The openings did not come in time.
    NotOpened,
    /// The provider gave up.
    GivenUp,
    /// The registry stopped while its clock ran.
    ClockLost,
}

impl Ending {
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::NotStarted | Self::NotCommitted | Self::NotOpened => Outcome::Late,
            Self::GivenUp | Self::ClockLost => Outcome::Aborted,
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::NotStarted => "the nonce was not asked for in time",
            Self::NotCommitted => "a commitment did not come in time",
            Self::NotOpened => "the openings did not come in time",
            Self::GivenUp => "the provider gave up",
            Self::ClockLost => "the registry stopped while its clock ran",
        }
    }
}
