//! Openings, and the few threads that recompute them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use attest::digest::Sha256;
use attest::proof::{Ending, Opening, OpeningsBody};
use tokio::sync::oneshot;

use super::{Live, SessionError, Sessions, exchange, expect};
use crate::diary;
use crate::store::sessions::State;

/// How much longer a session may wait whose openings found the queue full.
const QUEUE_GRACE: Duration = Duration::from_secs(30);

/// Half of what there is: a check that shares a core with an answer gets a tenth of it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Openings on their way to a thread.
pub(super) struct Check {
    id: Sha256,
    live: Arc<Live>,
    openings: Vec<Vec<Opening>>,
    reply: oneshot::Sender<Result<Vec<u8>, SessionError>>,
}

/// What became of openings that were sent.
pub(crate) enum Submitted {
    /// The verdict's receipt comes when they are checked.
    Queued(oneshot::Receiver<Result<Vec<u8>, SessionError>>),
    /// They were judged before.
    Judged(Vec<u8>),
}

/// Starts the threads; they end when the queue's other end is dropped.
pub(super) fn start(
    sessions: &Arc<Sessions>,
    waiting: Receiver<Check>,
) -> Result<Vec<JoinHandle<()>>, SessionError> {
    let waiting = Arc::new(Mutex::new(waiting));
    let threads = (0..sessions.limits.check_threads.max(1)).map(|_| {
        let (sessions, waiting) = (Arc::clone(sessions), Arc::clone(&waiting));
        std::thread::Builder::new()
            .name("check".to_owned())
            .spawn(move || {
                give_way();
                sessions.check_all(&waiting);
            })
            .map_err(SessionError::Thread)
    });
    threads.collect()
}

/// Answers go before checks: on Linux a thread has a niceness of its own. Without it checks are as urgent as answers.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICENESS);
}

impl Sessions {
    /// Takes openings and queues them. A repetition after the verdict gets the same receipt.
    pub(crate) fn submit(
        &self,
        id: &Sha256,
        token: Option<&str>,
        body: &[u8],
    ) -> Result<Submitted, SessionError> {
        const STEP: &str = "its openings";
        self.held(id, token)?;
        let live = self.live(id);
        let _step = live.step();
        let kept = self.current(id, &live)?;
        if live.is_checking() {
            return Err(SessionError::BeingChecked);
        }
        if kept.outline.state >= State::Judged && exchange(&kept)?.openings.is_some() {
            let kept = self.ended(&live, kept)?;
            return self.verdict_receipt(&kept).map(Submitted::Judged);
        }
        expect(&kept, State::Committed, STEP)?;
        if live.is_late() {
            return self.too_late(&live, &kept, Ending::NotOpened, STEP);
        }
        let openings = OpeningsBody::parse(body)?.tasks;
        let (reply, answer) = oneshot::channel();
        let check = Check {
            id: *id,
            live: Arc::clone(&live),
            openings,
            reply,
        };
        self.with_ways(|ways| {
            live.checking.store(true, Ordering::Release);
            self.metrics.checks_queued.add(1);
            ways.checks.try_send(check).map_err(|error| {
                live.checking.store(false, Ordering::Release);
                self.metrics.checks_queued.sub(1);
                match error {
                    TrySendError::Full(_) => {
                        live.allow(QUEUE_GRACE);
                        SessionError::ChecksFull(self.limits.checks_queued)
                    }
                    TrySendError::Disconnected(_) => SessionError::Stopping,
                }
            })
        })?;
        Ok(Submitted::Queued(answer))
    }

    fn check_all(&self, waiting: &Mutex<Receiver<Check>>) {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Check {
                id,
                live,
                openings,
                reply,
            }) = next
            else {
                return;
            };
            self.metrics.checks_queued.sub(1);
            let checked = catch_unwind(AssertUnwindSafe(|| self.check(&id, &live, openings)));
            live.checking.store(false, Ordering::Release);
            let answer = checked.unwrap_or_else(|_| {
                Err(SessionError::Damaged(format!(
                    "the check of {id} ended unexpectedly"
                )))
            });
            if let Err(error) = &answer {
                diary::event("check_failed", &[("error", &error.to_string())]);
                live.look_now();
            }
            // Whoever went away finds the verdict by sending the openings again.
            let _ = reply.send(answer);
        }
    }

    fn check(&self, id: &Sha256, live: &Live, openings: Vec<Vec<Opening>>) -> Result<Vec<u8>, SessionError> {
        let kept = self.kept(id)?;
        let mut session = exchange(&kept)?;
        session.openings = Some(openings);
        let started = Instant::now();
        let verdict = self.judge(&kept, &session)?;
        self.metrics.checked(started.elapsed());
        let _step = live.step();
        let ended = self.conclude(live, &kept, &session, verdict)?;
        self.verdict_receipt(&ended)
    }
}
