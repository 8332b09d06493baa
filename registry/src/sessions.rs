//! The registry's side of a proof: the states of [`attest::proof`]'s session, each entered by one durable
//! compare-and-swap ([`crate::store::sessions`]).
//!
//! | state | entered by | left by | if the process dies |
//! |---|---|---|---|
//! | opening | the request | the attempt being logged | logged again: the log takes a statement once |
//! | opened | | the nonce, a root before it, or its time | goes on |
//! | started | the nonce | the last commitment, a wrong root, or its time | its clock is lost, and so is the attempt |
//! | committed | | the openings' verdict, another root, or their time | goes on |
//! | judged | the signed verdict | the verdict being logged | logged again |
//! | ended | | | |
//!
//! So an attempt has one verdict whatever happens, and none ends without one.
//!
//! # The clock
//!
//! Steps that wait (the store, the log, a check) run on blocking threads. The clock starts on the thread that then sends the
//! nonce, after the nonce is durable and the answer has passed everything that may wait, and stops when the last byte of a
//! commitment is read, before anything looks at it: no lock, queue or disk stands between either moment and the reading of
//! the clock ([`clocks`]). What the registry itself
//! needs to write the one and to be scheduled for the other counts against the provider, so the rate stays a lower bound.
//!
//! # What a root may do
//!
//! Each task takes one root ([`attest::proof`]). Any other body that the session's holder sends there ends the attempt,
//! until its openings are taken; what comes after is out of turn. Nothing is ended by a body without the token, or by one
//! that nobody read whole: cut off, too slow, too long, of another media type, or over the rate. Then no root came, and
//! the clock decides. So whoever got no answer asks for the attempt and does not send a root again.
//!
//! # What a stranger can make the registry do
//!
//! Everything before a check is cheap and bounded by size, number and rate. A check is paid for at the door: its cost follows
//! from the request alone ([`door`]), each key has an allowance, and a bounded queue stands before the few threads that
//! check ([`checks`]).

mod checks;
mod clocks;
mod door;
mod ending;
mod error;
mod janitor;
mod reading;
mod steps;

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use attest::checkpoint::{LogKeys, LogTrust};
use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::key::PublicKey;
use attest::leaf;
use attest::proof::{Of, Session};
use tokio::sync::oneshot;

use crate::config::SessionLimits;
use crate::log::{Job, Outcome, Published, Queue};
use crate::metrics::Metrics;
use crate::rate::Limiter;
use crate::receipts;
use crate::store::sessions::{Kept, SessionStore, State};
use crate::store::{Accepted, Kind, Place, Store, Summary};
use checks::Check;
use clocks::{Clocks, Live};

pub(crate) use checks::Submitted;
pub(crate) use clocks::Clock;
pub(crate) use door::Opened;
pub(crate) use ending::outcome_name;
pub(crate) use error::SessionError;
pub(crate) use reading::{attempt, verdict};

/// Time that checks still running have when the registry stops.
const LAST_CHECK: Duration = Duration::from_secs(3);

/// All proof sessions of a registry.
pub(crate) struct Sessions {
    origin: String,
    store: Arc<dyn Store>,
    sessions: Arc<dyn SessionStore>,
    keys: Arc<LogKeys>,
    trust: LogTrust,
    published: Arc<Published>,
    metrics: Arc<Metrics>,
    limits: SessionLimits,
    clocks: Clocks,
    attempts: Limiter<Sha256>,
    check_seconds: Limiter<Sha256>,
    /// Taken when the registry stops: no session changes after that.
    ways: RwLock<Option<Ways>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What sessions need that ends with the registry.
struct Ways {
    log: Queue,
    checks: SyncSender<Check>,
    /// Dropped to wake the janitor for the last time.
    _awake: SyncSender<()>,
}

/// What sessions share with the rest of the registry.
pub(crate) struct Parts {
    pub(crate) origin: String,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) keys: Arc<LogKeys>,
    pub(crate) trust: LogTrust,
    pub(crate) published: Arc<Published>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Queue,
}

impl Sessions {
    /// Takes up every session that has not ended, and starts the threads.
    pub(crate) fn start(parts: Parts, limits: SessionLimits) -> Result<Arc<Self>, SessionError> {
        let (checks, waiting) = std::sync::mpsc::sync_channel(limits.checks_queued);
        let (awake, asleep) = std::sync::mpsc::sync_channel(0);
        let sessions = Arc::new(Self {
            clocks: Clocks::new(Arc::clone(&parts.metrics)),
            origin: parts.origin,
            store: parts.store,
            sessions: parts.sessions,
            keys: parts.keys,
            trust: parts.trust,
            published: parts.published,
            metrics: parts.metrics,
            attempts: Limiter::new(limits.attempts),
            check_seconds: Limiter::new(limits.check_seconds),
            ways: RwLock::new(Some(Ways {
                log: parts.log,
                checks,
                _awake: awake,
            })),
            threads: Mutex::default(),
            limits,
        });
        sessions.take_up()?;
        let mut threads = checks::start(&sessions, waiting)?;
        threads.push(janitor::start(&sessions, asleep)?);
        *sessions.threads.lock().unwrap_or_else(PoisonError::into_inner) = threads;
        Ok(sessions)
    }

    /// Ends the threads. A check that runs for longer is abandoned: it looks at `ways` before it changes anything, so its
    /// session is still committed, and goes on at the next start.
    pub(crate) fn stop(&self) {
        drop(self.ways.write().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let deadline = Instant::now() + LAST_CHECK;
        for thread in threads {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn with_ways<T>(&self, work: impl FnOnce(&Ways) -> Result<T, SessionError>) -> Result<T, SessionError> {
        let ways = self.ways.read().unwrap_or_else(PoisonError::into_inner);
        work(ways.as_ref().ok_or(SessionError::Stopping)?)
    }

    /// The session as it is kept.
    pub(crate) fn kept(&self, id: &Sha256) -> Result<Kept, SessionError> {
        self.sessions.session(id)?.ok_or(SessionError::NoSuch(*id))
    }

    /// Replaces a session, whose next revision `after` becomes.
    fn swap(&self, live: &Live, before: &Kept, mut after: Kept) -> Result<Kept, SessionError> {
        after.revision = before.revision + 1;
        let swapped = self.with_ways(|_| {
            self.sessions.swap(before, &after).map_err(|error| {
                // Perhaps it was done: the janitor looks.
                live.look_now();
                error.into()
            })
        })?;
        if !swapped {
            live.look_now();
            return Err(SessionError::Moved);
        }
        self.clocks.moved(&after, live);
        Ok(after)
    }

    /// Has a statement of the registry's own logged, and returns where once that is published.
    fn log(&self, kind: Kind, envelope: Envelope, summary: String) -> Result<Place, SessionError> {
        let key = self.keys.ecdsa.public().clone();
        let digest = Sha256::of(&envelope.pae());
        let accepted = Arc::new(Accepted {
            kind,
            leaf: leaf::canonical(&digest, &envelope.sig, &key),
            digest,
            key_id: key.id(),
            key,
            envelope,
            accepted_ms: now_ms(),
            summary: Summary {
                json: summary,
                ..Summary::default()
            },
        });
        let (reply, answer) = oneshot::channel();
        self.with_ways(|ways| {
            ways.log
                .push(Job {
                    accepted: Arc::clone(&accepted),
                    reply,
                })
                .map_err(Into::into)
        })?;
        match answer.blocking_recv().map_err(|_| SessionError::Stopping)?? {
            Outcome::Known(place) => Ok(place),
            Outcome::Logged { .. } => {
                let found = self.store.find(&digest, &accepted.key_id)?;
                found.ok_or_else(|| SessionError::Damaged("an entry that was logged is not found".to_owned()))
            }
        }
    }

    /// The receipt of the entry at an index.
    fn receipt_at(&self, index: Option<u64>) -> Result<Vec<u8>, SessionError> {
        let damaged = || SessionError::Damaged("an entry of a session is not in the log".to_owned());
        let entry = self.store.entry(index.ok_or_else(damaged)?)?;
        let place = entry.ok_or_else(damaged)?.place;
        Ok(receipts::receipt(self.store.as_ref(), &self.trust, place)?)
    }
}

/// An envelope of the registry's from its parts.
fn own_envelope(payload: &[u8], signature: &[u8], key: &PublicKey) -> Envelope {
    Envelope {
        payload: payload.to_vec(),
        payload_type: attest::dsse::PAYLOAD_TYPE.to_owned(),
        keyid: Some(key.id().to_string()),
        sig: signature.to_vec(),
    }
}

/// The exchange so far.
pub(crate) fn exchange(kept: &Kept) -> Result<Session, SessionError> {
    serde_json::from_str(&kept.session).map_err(|error| {
        SessionError::Damaged(format!("the session of {} is not read: {error}", kept.outline.id))
    })
}

fn to_json(session: &Session) -> String {
    serde_json::to_string(session).expect("a session has a JSON form")
}

/// The attempt that a session belongs to.
fn of<T>(kept: &Kept, work: impl FnOnce(&Of<'_>) -> T) -> Result<T, SessionError> {
    let (attempt, key) = (attempt(&kept.outline)?, provider(kept)?);
    let missing = || SessionError::Damaged(format!("the attempt {} has no index", kept.outline.id));
    Ok(work(&Of {
        attempt: &attempt,
        digest: kept.outline.id,
        log_index: kept.outline.attempt_index.ok_or_else(missing)?,
        key: &key,
    }))
}

/// The provider's key.
fn provider(kept: &Kept) -> Result<PublicKey, SessionError> {
    PublicKey::from_spki_der(&kept.spki)
        .map_err(|error| SessionError::Damaged(format!("the key of {}: {error}", kept.outline.id)))
}

/// Whether the session is in the state a step needs.
fn expect(kept: &Kept, wanted: State, step: &'static str) -> Result<(), SessionError> {
    if kept.outline.state == wanted {
        return Ok(());
    }
    Err(SessionError::State {
        step,
        found: kept.outline.state,
        wanted,
    })
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// 256 bits that nobody can foresee.
fn random() -> Result<Sha256, SessionError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| SessionError::Random(error.to_string()))?;
    Ok(Sha256(bytes))
}
