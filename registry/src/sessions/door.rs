//! From a request to an attempt: who may begin one, and what it may cost.

use std::time::Instant;

use attest::checkpoint::Unverified;
use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::key::PublicKey;
use attest::proof::{self, AttemptLimits, Request, Session, Stated, Work, seeds};
use attest::statement::{Freshness, MAX_STATEMENT_BYTES};

use super::{Live, SessionError, Sessions, expect, now_ms, own_envelope, random, reading, to_json};
use crate::store::Kind;
use crate::store::sessions::{Inserted, Kept, Outline, Room, State, Times};
use crate::submission;

/// What one core does in a second, reckoned low: a check must never cost more than its key paid for. Each is below the
/// slowest figure of `cargo bench -p hallmark-attest --bench checks` on a core of an AMD EPYC (AVX2, SHA instructions)
/// whose other half was busy.
///
/// | | quiet | slowest | here |
/// |---|---|---|---|
/// | operations of `proof.mlp.i8` | 123 G | 37 G: one lane of 1024 | 30 G |
/// | SHA-256 compressions of `proof.vram` | 15.9 M | 10.1 M | 8 M |
/// | weights drawn and repacked | | 140 M | 100 M |
const OPERATIONS: f64 = 30e9;
const COMPRESSIONS: f64 = 8e6;
const WEIGHTS: f64 = 100e6;

/// A verdict repeats the attempt and adds to it: twice its size must be a statement still.
const MAX_ATTEMPT_BYTES: usize = MAX_STATEMENT_BYTES / 2;

/// An attempt that is logged.
pub(crate) struct Opened {
    pub(crate) id: Sha256,
    pub(crate) receipt: Vec<u8>,
    pub(crate) token: Sha256,
    /// False when this request had opened it before.
    pub(crate) new: bool,
}

/// A request that may be taken.
struct Asked {
    envelope: Envelope,
    key: PublicKey,
    digest: Sha256,
    stated: Stated<Request>,
}

impl Sessions {
    /// Takes a request: verified, fresh, paid for, and logged as an attempt before this returns.
    pub(crate) fn open(&self, body: &[u8]) -> Result<Opened, SessionError> {
        let (envelope, verified, key) = submission::open(body)?;
        let stated = Stated::<Request>::read(&verified)?;
        stated.check_devices()?;
        let digest = verified.pae_digest();
        if let Some(known) = self.sessions.asked(&digest, &key.id())? {
            return self.known(&known);
        }
        self.check_fresh(&stated.predicate.freshness)?;
        self.charge(&key.id(), &stated.predicate)?;
        let kept = self.sign(&Asked {
            envelope,
            key,
            digest,
            stated,
        })?;
        let live = self.clocks.enter(kept.outline.id);
        let step = live.step();
        let inserted = self.sessions.insert(&kept, self.room());
        match inserted {
            Ok(Inserted::Kept) => {}
            // Perhaps it was kept; the janitor looks.
            Err(error) => return Err(error.into()),
            Ok(refused) => {
                self.clocks.forget(&kept.outline.id);
                drop(step);
                return match refused {
                    Inserted::Known(known) => self.known(&known),
                    Inserted::KeyFull => Err(SessionError::KeyFull {
                        limit: self.limits.open_per_key,
                    }),
                    Inserted::Full | Inserted::Kept => Err(SessionError::Full {
                        limit: self.limits.open,
                    }),
                };
            }
        }
        self.clocks.moved(&kept, &live);
        let kept = self.log_attempt(&live, &kept)?;
        self.opened(&kept, true)
    }

    /// The attempt that this request opened, while it has not ended.
    fn known(&self, known: &Kept) -> Result<Opened, SessionError> {
        let id = known.outline.id;
        if known.outline.state == State::Opening {
            let live = self.clocks.enter(id);
            let _step = live.step();
            let kept = self.kept(&id)?;
            if kept.outline.state == State::Opening {
                return self.opened(&self.log_attempt(&live, &kept)?, false);
            }
        }
        let kept = self.kept(&id)?;
        if kept.outline.state >= State::Judged {
            expect(
                &kept,
                State::Opened,
                "its request, which opens one attempt and no other,",
            )?;
        }
        self.opened(&kept, false)
    }

    fn opened(&self, kept: &Kept, new: bool) -> Result<Opened, SessionError> {
        let id = kept.outline.id;
        Ok(Opened {
            id,
            receipt: self.receipt_at(kept.outline.attempt_index)?,
            token: seeds::token(&kept.secret, &id),
            new,
        })
    }

    /// A checkpoint of ours that is the newest, or was until a little while ago: it was replaced when the entry after
    /// it came.
    fn check_fresh(&self, freshness: &Freshness) -> Result<(), SessionError> {
        let stale = |what: String| Err(SessionError::Stale(what));
        let (size, head) = (freshness.tree_size, self.published.head());
        if freshness.origin != self.origin {
            return stale(format!(
                "it is for the log {:?}, this is {:?}",
                freshness.origin, self.origin
            ));
        }
        let note = if size <= head.size {
            self.store.note(size)?
        } else {
            None
        };
        let root = note.and_then(|note| Some(Unverified::parse(&note).ok()?.claimed().root));
        if root != Some(freshness.root_hash) {
            return stale(format!("this log published no such checkpoint of {size} entries"));
        }
        let next = if size < head.size {
            self.store.entry(size)?
        } else {
            None
        };
        let age = next.map_or(0, |next| now_ms() - next.accepted_ms);
        let limit = i64::try_from(self.limits.freshness.as_millis()).unwrap_or(i64::MAX);
        if age > limit {
            return stale(format!(
                "its checkpoint of {size} entries was replaced {} s ago; {} s are allowed: fetch the newest and sign again",
                age / 1000,
                limit / 1000
            ));
        }
        Ok(())
    }

    /// Takes what the attempt will cost from the key's allowance.
    fn charge(&self, key_id: &Sha256, request: &Request) -> Result<(), SessionError> {
        let seconds = check_seconds(request.tasks.iter().map(|task| &task.work));
        let limit = self.limits.check_seconds.burst;
        if seconds > limit {
            return Err(SessionError::Dear { seconds, limit });
        }
        let now = Instant::now();
        let too_many = |of| move |wait| SessionError::TooMany { of, wait };
        self.attempts
            .take(*key_id, 1.0, now)
            .map_err(too_many("attempts"))?;
        self.check_seconds
            .take(*key_id, seconds, now)
            .map_err(too_many("checks"))
    }

    /// The session's first state: the attempt with a secret that is bound to it.
    fn sign(&self, asked: &Asked) -> Result<Kept, SessionError> {
        let secret = random()?;
        let now = jiff::Timestamp::now();
        let attempt = asked.stated.attempt(
            asked.digest,
            asked.key.id(),
            now.to_string(),
            seeds::commitment(&secret),
            self.attempt_limits(),
        );
        let payload = attempt.to_bytes()?;
        if payload.len() > MAX_ATTEMPT_BYTES {
            return Err(proof::ProtocolError::TooLong {
                what: "the attempt",
                bytes: payload.len(),
                limit: MAX_ATTEMPT_BYTES,
            }
            .into());
        }
        let envelope = Envelope::sign(payload, &self.keys.ecdsa);
        let session = Session {
            commitments: vec![None; attempt.predicate.tasks.len()],
            ..Session::default()
        };
        Ok(Kept {
            outline: Outline {
                number: 0,
                id: Sha256::of(&envelope.pae()),
                key_id: asked.key.id(),
                state: State::Opening,
                times: Times {
                    asked: now.as_millisecond(),
                    ..Times::default()
                },
                attempt: envelope.payload,
                attempt_index: None,
                verdict: None,
                verdict_index: None,
            },
            revision: 0,
            request_digest: asked.digest,
            request: asked.envelope.to_json(),
            spki: asked.key.spki_der().to_vec(),
            secret,
            attempt_signature: envelope.sig,
            session: to_json(&session),
            verdict_signature: None,
        })
    }

    /// Opening -> opened. The log takes a statement once, so this may be repeated.
    pub(super) fn log_attempt(&self, live: &Live, kept: &Kept) -> Result<Kept, SessionError> {
        let outline = &kept.outline;
        let key = self.keys.ecdsa.public();
        let envelope = own_envelope(&outline.attempt, &kept.attempt_signature, key);
        let summary = summary(&reading::attempt(outline)?.predicate);
        let place = self
            .log(Kind::Attempt, envelope, summary)
            .inspect_err(|_| live.look_again())?;
        let mut after = kept.clone();
        after.outline.state = State::Opened;
        after.outline.times.opened = Some(now_ms());
        after.outline.attempt_index = Some(place.index);
        self.swap(live, kept, after)
    }

    fn room(&self) -> Room {
        Room {
            per_key: self.limits.open_per_key,
            total: self.limits.open,
        }
    }

    fn attempt_limits(&self) -> AttemptLimits {
        let ms = |limit: std::time::Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        AttemptLimits {
            start_ms: ms(self.limits.start),
            commit_ms: ms(self.limits.commit),
            open_ms: ms(self.limits.open_lanes),
        }
    }
}

/// What lists of entries show of an attempt.
fn summary(attempt: &proof::Attempt) -> String {
    serde_json::json!({
        "requestedBy": attempt.key_id,
        "openedAt": attempt.opened_at,
        "workload": attempt.tasks[0].work.workload(),
        "tasks": attempt.tasks.len(),
    })
    .to_string()
}

/// Seconds of one core that checking these takes at most.
fn check_seconds<'a>(works: impl Iterator<Item = &'a Work>) -> f64 {
    let seconds = works.map(|work| {
        let cost = work.check_cost().unwrap_or(u64::MAX) as f64;
        match *work {
            Work::Mlp { width, layers, .. } => cost / OPERATIONS + (width * width * layers) as f64 / WEIGHTS,
            Work::Vram { .. } => cost / COMPRESSIONS,
        }
    });
    seconds.sum()
}
