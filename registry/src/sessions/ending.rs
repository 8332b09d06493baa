//! The verdict: one for each attempt, signed before it is logged, and kept before it is signed away.

use attest::dsse::Envelope;
use attest::proof::{Ending, Outcome, RefusedRoot, Session, Verdict};

use super::{Live, SessionError, Sessions, exchange, now_ms, own_envelope, reading, to_json};
use crate::store::Kind;
use crate::store::sessions::{Kept, State};

impl Sessions {
    /// Ends a session before its openings were judged.
    pub(super) fn end(&self, live: &Live, kept: &Kept, ending: Ending) -> Result<Kept, SessionError> {
        self.end_by(live, kept, ending, None)
    }

    /// The same, by a root that was refused.
    pub(super) fn end_by(
        &self,
        live: &Live,
        kept: &Kept,
        ending: Ending,
        refused: Option<RefusedRoot>,
    ) -> Result<Kept, SessionError> {
        let mut session = exchange(kept)?;
        session.ending = Some(ending);
        session.refused = refused;
        let verdict = self.judge(kept, &session)?;
        self.conclude(live, kept, &session, verdict)
    }

    /// The verdict's bytes. Costs the recomputation of every opened lane.
    pub(super) fn judge(&self, kept: &Kept, session: &Session) -> Result<Vec<u8>, SessionError> {
        let now = jiff::Timestamp::now().to_string();
        Ok(super::of(kept, |of| session.judge(of, now))??.to_bytes()?)
    }

    /// -> judged -> ended.
    pub(super) fn conclude(
        &self,
        live: &Live,
        kept: &Kept,
        session: &Session,
        verdict: Vec<u8>,
    ) -> Result<Kept, SessionError> {
        let envelope = Envelope::sign(verdict, &self.keys.ecdsa);
        let mut after = kept.clone();
        after.outline.state = State::Judged;
        after.outline.times.judged = Some(now_ms());
        after.outline.verdict = Some(envelope.payload);
        after.verdict_signature = Some(envelope.sig);
        after.session = to_json(session);
        let judged = self.swap(live, kept, after)?;
        self.ended(live, judged)
    }

    /// Judged -> ended; an ended session stays as it is. The log takes a statement once, so this may be repeated.
    pub(super) fn ended(&self, live: &Live, kept: Kept) -> Result<Kept, SessionError> {
        if kept.outline.state == State::Ended {
            return Ok(kept);
        }
        let missing = || SessionError::Damaged(format!("the verdict on {} is missing", kept.outline.id));
        let verdict = reading::verdict(&kept.outline)?.ok_or_else(missing)?;
        let (Some(payload), Some(signature)) = (&kept.outline.verdict, &kept.verdict_signature) else {
            return Err(missing());
        };
        let envelope = own_envelope(payload, signature, self.keys.ecdsa.public());
        let place = self
            .log(Kind::Verdict, envelope, summary(&verdict.predicate))
            .inspect_err(|_| live.look_again())?;
        let mut after = kept.clone();
        after.outline.state = State::Ended;
        after.outline.verdict_index = Some(place.index);
        let ended = self.swap(live, &kept, after)?;
        self.metrics.judged(outcome_name(verdict.predicate.outcome));
        Ok(ended)
    }
}

/// What lists of entries show of a verdict.
fn summary(verdict: &Verdict) -> String {
    serde_json::json!({
        "attempt": verdict.attempt,
        "attemptIndex": verdict.attempt_index,
        "requestedBy": verdict.key_id,
        "outcome": verdict.outcome,
        "decidedAt": verdict.decided_at,
    })
    .to_string()
}

/// The outcome as documents and metrics write it.
pub(crate) fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Proven => "proven",
        Outcome::Wrong => "wrong",
        Outcome::Late => "late",
        Outcome::Aborted => "aborted",
    }
}
