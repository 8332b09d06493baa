//! The provider's steps between the attempt and the openings.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use attest::digest::Sha256;
use attest::proof::{Commitment, Ending, RefusedRoot, Session};

use super::reading::check_token;
use super::{Clock, Live, SessionError, Sessions, exchange, expect, now_ms, random, reading, to_json};
use crate::store::sessions::{Kept, State};

const COMMITMENT: &str = "a commitment";

/// A nonce on its way out. The clock is started when the answer leaves.
pub(crate) struct Started {
    pub(crate) nonce: Sha256,
    pub(crate) started_at: String,
    pub(crate) clock: Clock,
}

impl Sessions {
    /// The session of this id for one step of its holder.
    pub(super) fn held(&self, id: &Sha256, token: Option<&str>) -> Result<Kept, SessionError> {
        let kept = self.kept(id)?;
        check_token(&kept, token)?;
        Ok(kept)
    }

    pub(super) fn live(&self, id: &Sha256) -> Arc<Live> {
        self.clocks.find(id).unwrap_or_else(|| self.clocks.enter(*id))
    }

    /// The session as it is now. A failure may have hidden that it moved; then its time begins now, or its clock is lost.
    pub(super) fn current(&self, id: &Sha256, live: &Live) -> Result<Kept, SessionError> {
        let kept = self.kept(id)?;
        self.clocks.moved(&kept, live);
        if kept.outline.state == State::Started && !live.begun.load(Ordering::Acquire) {
            live.look_now();
        }
        Ok(kept)
    }

    /// Opened -> started. The nonce is durable when this returns; its clock does not run yet.
    pub(crate) fn begin(&self, id: &Sha256, token: Option<&str>) -> Result<Started, SessionError> {
        const STEP: &str = "the start";
        self.held(id, token)?;
        let live = self.live(id);
        let _step = live.step();
        let kept = self.current(id, &live)?;
        expect(&kept, State::Opened, STEP)?;
        if live.is_late() {
            return self.too_late(&live, &kept, Ending::NotStarted, STEP);
        }
        let (nonce, now) = (random()?, jiff::Timestamp::now());
        let mut session = exchange(&kept)?;
        session.nonce = Some(nonce);
        session.started_at = Some(now.to_string());
        let mut after = kept.clone();
        after.outline.state = State::Started;
        after.outline.times.started = Some(now.as_millisecond());
        after.session = to_json(&session);
        self.swap(&live, &kept, after)?;
        live.begun.store(true, Ordering::Release);
        Ok(Started {
            nonce,
            started_at: now.to_string(),
            clock: live.clock.clone(),
        })
    }

    /// Takes a commitment whose last byte was read at `read`. Returns its time in nanoseconds. What comes from the holder
    /// and is not the task's one root ends the attempt.
    pub(crate) fn commit(
        &self,
        id: &Sha256,
        token: Option<&str>,
        task: u32,
        body: &[u8],
        read: Instant,
    ) -> Result<u64, SessionError> {
        self.held(id, token)?;
        let live = self.live(id);
        let _step = live.step();
        let kept = self.current(id, &live)?;
        takes_roots(&kept, &live)?;
        let mut session = exchange(&kept)?;
        let signed = match super::of(&kept, |of| session.admit(of, task, body))? {
            Ok(signed) => signed,
            Err(ending) => return self.refuse_root(&live, &kept, ending, task, body),
        };
        let elapsed_ns = self.elapsed_ns(&live, &kept, read)?;
        session.commitments[task as usize] = Some(Commitment { signed, elapsed_ns });
        self.keep_commitment(&live, &kept, session)?;
        Ok(elapsed_ns)
    }

    /// From the nonce's leaving to `read`, if that is in time.
    fn elapsed_ns(&self, live: &Live, kept: &Kept, read: Instant) -> Result<u64, SessionError> {
        let Some(started) = live.clock.started() else {
            live.look_now();
            return Err(SessionError::Moved);
        };
        let elapsed = read.saturating_duration_since(started);
        let limit_ms = reading::attempt(&kept.outline)?.predicate.limits.commit_ms;
        let elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        if elapsed_ns > limit_ms.saturating_mul(1_000_000) {
            return self.too_late(live, kept, Ending::NotCommitted, COMMITMENT);
        }
        Ok(elapsed_ns)
    }

    /// -> judged -> ended, by what came in the place of a root.
    fn refuse_root<T>(
        &self,
        live: &Live,
        kept: &Kept,
        ending: Ending,
        task: u32,
        body: &[u8],
    ) -> Result<T, SessionError> {
        let refused = RefusedRoot {
            task,
            body: body.to_vec(),
        };
        self.end_by(live, kept, ending, Some(refused))?;
        Err(SessionError::Root { task, ending })
    }

    /// Started -> started, or -> committed with the last one, which shows the secret.
    fn keep_commitment(&self, live: &Live, kept: &Kept, mut session: Session) -> Result<(), SessionError> {
        let mut after = kept.clone();
        if session.roots().is_some() {
            session.secret = Some(kept.secret);
            after.outline.state = State::Committed;
            after.outline.times.committed = Some(now_ms());
        }
        after.session = to_json(&session);
        self.swap(live, kept, after).map(drop)
    }

    /// Gives up. Repeated, it gives the same receipt.
    pub(crate) fn abort(&self, id: &Sha256, token: Option<&str>) -> Result<Vec<u8>, SessionError> {
        const STEP: &str = "giving up";
        self.held(id, token)?;
        let live = self.live(id);
        let _step = live.step();
        let kept = self.current(id, &live)?;
        if live.is_checking() {
            return Err(SessionError::Checking { step: STEP });
        }
        let kept = match kept.outline.state {
            State::Opening => return expect(&kept, State::Opened, STEP).map(|()| Vec::new()),
            State::Opened | State::Started | State::Committed => self.end(&live, &kept, Ending::GivenUp)?,
            State::Judged | State::Ended => {
                if exchange(&kept)?.ending != Some(Ending::GivenUp) {
                    return expect(&kept, State::Started, STEP).map(|()| Vec::new());
                }
                self.ended(&live, kept)?
            }
        };
        self.verdict_receipt(&kept)
    }

    /// Ends a session whose time is over, and says so.
    pub(super) fn too_late<T>(
        &self,
        live: &Live,
        kept: &Kept,
        ending: Ending,
        step: &'static str,
    ) -> Result<T, SessionError> {
        let limits = reading::attempt(&kept.outline)?.predicate.limits;
        let limit_ms = match ending {
            Ending::NotStarted => limits.start_ms,
            Ending::NotOpened => limits.open_ms,
            _ => limits.commit_ms,
        };
        self.end(live, kept, ending)?;
        Err(SessionError::Late { step, limit_ms })
    }
}

/// Whether the session listens to roots: from when it is logged until its openings are taken. Only one that has started
/// may like what it hears.
fn takes_roots(kept: &Kept, live: &Live) -> Result<(), SessionError> {
    if live.is_checking() {
        return Err(SessionError::Checking { step: COMMITMENT });
    }
    match kept.outline.state {
        State::Opened | State::Started | State::Committed => Ok(()),
        State::Opening | State::Judged | State::Ended => expect(kept, State::Started, COMMITMENT),
    }
}
