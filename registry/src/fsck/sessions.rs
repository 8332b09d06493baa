//! Proof sessions against the log: each attempt and each verdict in it belongs to one session, and each session has there
//! what its state says. A session is kept before its entries are, so this holds on a serving registry too.

use attest::digest::Sha256;
use attest::dsse::signed_digest;
use attest::proof::Session;

use super::Check;
use super::entries::Told;
use crate::sessions::{attempt, verdict};
use crate::store::sessions::{Kept, SessionQuery, State};
use crate::store::{Kind, StoreError};

/// Sessions read at one time.
const CHUNK: u32 = 64;

impl Check<'_> {
    /// Whether the session that an entry speaks of is there, and speaks of the entry.
    pub(super) fn has_session(&mut self, index: u64, told: &Told) -> Result<(), StoreError> {
        let (Told::Attempt(id) | Told::Verdict(id, _)) = told else {
            return Ok(());
        };
        let Some(kept) = self.sessions.session(id)? else {
            self.report.find(format!(
                "entry {index}: the session of the attempt {id} is missing"
            ));
            return Ok(());
        };
        if let Told::Verdict(_, digest) = told
            && kept.outline.verdict.as_deref().map(signed_digest) != Some(*digest)
        {
            self.report
                .find(format!("entry {index}: the session of {id} has another verdict"));
        }
        Ok(())
    }

    pub(super) fn all_sessions(&mut self) -> Result<(), StoreError> {
        let mut query = SessionQuery {
            below: u64::MAX,
            limit: CHUNK,
            key_id: None,
        };
        loop {
            let outlines = self.sessions.outlines(&query)?;
            let Some(last) = outlines.last() else {
                return Ok(());
            };
            query.below = last.number;
            for outline in &outlines {
                self.report.attempts += 1;
                if let Some(kept) = self.sessions.session(&outline.id)? {
                    self.session(&kept)?;
                }
            }
        }
    }

    fn session(&mut self, kept: &Kept) -> Result<(), StoreError> {
        let outline = &kept.outline;
        if let Err(what) = follows(kept) {
            self.report.find(format!("attempt {}: {what}", outline.id));
        }
        if outline.state >= State::Opened {
            self.logged(
                &outline.id,
                Kind::Attempt,
                outline.attempt_index,
                Some(outline.id),
            )?;
        }
        if outline.state == State::Ended {
            let digest = outline.verdict.as_deref().map(signed_digest);
            self.logged(&outline.id, Kind::Verdict, outline.verdict_index, digest)?;
        }
        Ok(())
    }

    /// Whether the entry at `index` is of this kind and digest.
    fn logged(
        &mut self,
        id: &Sha256,
        kind: Kind,
        index: Option<u64>,
        digest: Option<Sha256>,
    ) -> Result<(), StoreError> {
        let entry = match index {
            Some(index) => self.store.entry(index)?,
            None => None,
        };
        if !entry.is_some_and(|entry| entry.kind == kind && Some(entry.digest) == digest) {
            self.report
                .find(format!("attempt {id}: its {} is not in the log", kind.name()));
        }
        Ok(())
    }
}

/// Whether the parts of a session agree with one another.
fn follows(kept: &Kept) -> Result<(), String> {
    let outline = &kept.outline;
    if signed_digest(&outline.attempt) != outline.id {
        return Err("it is filed under another id".to_owned());
    }
    let terms = attempt(outline).map_err(|error| error.to_string())?.predicate;
    if (terms.key_id, terms.request) != (outline.key_id, kept.request_digest) {
        return Err("it is filed under another key or request".to_owned());
    }
    let session: Session = serde_json::from_str(&kept.session).map_err(|error| error.to_string())?;
    let Some(verdict) = verdict(outline).map_err(|error| error.to_string())? else {
        return match outline.state {
            State::Judged | State::Ended => Err("its verdict is missing".to_owned()),
            _ => Ok(()),
        };
    };
    let verdict = verdict.predicate;
    let digest = session.digest().map_err(|error| error.to_string())?;
    if (verdict.attempt, Some(verdict.attempt_index), verdict.session)
        != (outline.id, outline.attempt_index, digest)
    {
        return Err("its verdict is on another attempt or another session".to_owned());
    }
    if outline
        .verdict_index
        .is_some_and(|index| index <= verdict.attempt_index)
    {
        return Err("its verdict is logged before it".to_owned());
    }
    Ok(())
}
