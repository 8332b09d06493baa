//! What of a session may be read, by whom and when.

use attest::digest::Sha256;
use attest::proof::{self, Stated, Transcript, Verdict, seeds};

use super::{SessionError, Sessions, exchange};
use crate::store::sessions::{Kept, Outline, SessionQuery, State};

/// What the registry signed and logged of an attempt. It was checked when it was made.
pub(crate) fn attempt(outline: &Outline) -> Result<Stated<proof::Attempt>, SessionError> {
    read(&outline.attempt, outline)
}

/// What the registry signed of its end, once it has one.
pub(crate) fn verdict(outline: &Outline) -> Result<Option<Stated<Verdict>>, SessionError> {
    let payload = outline.verdict.as_ref();
    payload.map(|payload| read(payload, outline)).transpose()
}

fn read<T: serde::de::DeserializeOwned>(payload: &[u8], outline: &Outline) -> Result<T, SessionError> {
    serde_json::from_slice(payload).map_err(|error| {
        SessionError::Damaged(format!(
            "a statement on the attempt {} is not read: {error}",
            outline.id
        ))
    })
}

/// Whether the caller holds the session. The comparison is of digests, so its time tells nothing of the token.
pub(super) fn check_token(kept: &Kept, given: Option<&str>) -> Result<(), SessionError> {
    let given = given
        .and_then(|header| header.strip_prefix("Bearer "))
        .ok_or(SessionError::NoToken)?;
    let token = seeds::token(&kept.secret, &kept.outline.id).to_string();
    if Sha256::of(given.trim().as_bytes()) == Sha256::of(token.as_bytes()) {
        Ok(())
    } else {
        Err(SessionError::OtherToken)
    }
}

impl Sessions {
    /// Attempts, newest first.
    pub(crate) fn outlines(&self, query: &SessionQuery) -> Result<Vec<Outline>, SessionError> {
        Ok(self.sessions.outlines(query)?)
    }

    pub(crate) fn attempts_by(&self, key_id: &Sha256) -> Result<u64, SessionError> {
        Ok(self.sessions.attempts_by(key_id)?)
    }

    /// The attempt's receipt, once it is logged.
    pub(crate) fn receipt(&self, kept: &Kept) -> Result<Vec<u8>, SessionError> {
        if kept.outline.state == State::Opening {
            return super::expect(kept, State::Opened, "its receipt").map(|()| Vec::new());
        }
        self.receipt_at(kept.outline.attempt_index)
    }

    /// The verdict's receipt, once there is one.
    pub(crate) fn verdict_receipt(&self, kept: &Kept) -> Result<Vec<u8>, SessionError> {
        super::expect(kept, State::Ended, "its verdict")?;
        self.receipt_at(kept.outline.verdict_index)
    }

    /// Everything that was said, once it is over.
    pub(crate) fn transcript(&self, kept: &Kept) -> Result<Vec<u8>, SessionError> {
        super::expect(kept, State::Ended, "its transcript")?;
        let transcript = Transcript::new(
            &kept.request,
            &super::provider(kept)?,
            &self.receipt_at(kept.outline.attempt_index)?,
            exchange(kept)?,
            &self.receipt_at(kept.outline.verdict_index)?,
        );
        Ok(transcript?.to_json())
    }

    /// The secret and the lanes to open.
    pub(crate) fn samples(
        &self,
        id: &Sha256,
        token: Option<&str>,
    ) -> Result<(Sha256, Vec<Vec<u64>>), SessionError> {
        let kept = self.kept(id)?;
        check_token(&kept, token)?;
        let session = exchange(&kept)?;
        let Some(secret) = session.secret else {
            return Err(SessionError::State {
                step: "the samples",
                found: kept.outline.state,
                wanted: State::Committed,
            });
        };
        let samples = super::of(&kept, |of| session.samples(of))?;
        let missing = || SessionError::Damaged(format!("the attempt {id} has a secret and not every root"));
        Ok((secret, samples.ok_or_else(missing)?))
    }
}
