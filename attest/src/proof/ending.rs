//! How a session ends before its openings could be judged.

use serde::{Deserialize, Serialize};

use super::{Outcome, base64};

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
    /// A root came before the nonce was given out.
    EarlyRoot,
    /// A root came for a task that the attempt does not have.
    StrayRoot,
    /// Another root came for a task that was committed.
    SecondRoot,
    /// What came was no signed root.
    MalformedRoot,
    /// The provider did not sign the root for this task of this attempt.
    ForeignRoot,
}

/// What came in the place of a root and ended the session, as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedRoot {
    pub task: u32,
    /// In base64: it need not be text.
    #[serde(serialize_with = "base64::write", deserialize_with = "base64::read")]
    pub body: Vec<u8>,
}

impl Ending {
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::NotStarted | Self::NotCommitted | Self::NotOpened => Outcome::Late,
            Self::GivenUp | Self::ClockLost => Outcome::Aborted,
            Self::EarlyRoot
            | Self::StrayRoot
            | Self::SecondRoot
            | Self::MalformedRoot
            | Self::ForeignRoot => Outcome::Wrong,
        }
    }

    /// Whether something that came in the place of a root ended it.
    pub fn is_by_root(self) -> bool {
        self.outcome() == Outcome::Wrong
    }

    /// In words, as verdicts give it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotStarted => "the nonce was not asked for in time",
            Self::NotCommitted => "a commitment did not come in time",
            Self::NotOpened => "the openings did not come in time",
            Self::GivenUp => "the provider gave up",
            Self::ClockLost => "the registry stopped while its clock ran",
            Self::EarlyRoot => "a root came before the nonce was given out",
            Self::StrayRoot => "a root came for a task that the attempt does not have",
            Self::SecondRoot => "a second root came for one task",
            Self::MalformedRoot => "what came as a root is none",
            Self::ForeignRoot => "a root came that the provider did not sign for this task of this attempt",
        }
    }
}
