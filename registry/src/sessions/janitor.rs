//! Ends sessions whose time is over, and carries on those that a failure or a restart left half way.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use attest::digest::Sha256;
use attest::proof::Ending;

use super::{Live, SessionError, Sessions};
use crate::diary;
use crate::store::sessions::State;

/// How often it looks.
const TICK: Duration = Duration::from_millis(100);

/// Starts the thread; it ends when `asleep`'s other end is dropped.
pub(super) fn start(sessions: &Arc<Sessions>, asleep: Receiver<()>) -> Result<JoinHandle<()>, SessionError> {
    let sessions = Arc::clone(sessions);
    std::thread::Builder::new()
        .name("janitor".to_owned())
        .spawn(move || {
            loop {
                sessions.look();
                if asleep.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })
        .map_err(SessionError::Thread)
}

impl Sessions {
    /// Notes every session that has not ended, as the process before left it.
    pub(super) fn take_up(&self) -> Result<(), SessionError> {
        for kept in self.sessions.unended()? {
            let live = self.clocks.enter(kept.outline.id);
            self.clocks.moved(&kept, &live);
            // Its clock went with the process; the others keep their time, or are due as they are.
            if kept.outline.state == State::Started {
                live.look_now();
            }
        }
        Ok(())
    }

    fn look(&self) {
        for (id, live) in self.clocks.due(Instant::now()) {
            match self.look_at(&id, &live) {
                Ok(()) | Err(SessionError::Stopping) => {}
                Err(error) => {
                    diary::event(
                        "session_failed",
                        &[("id", &id.to_string()), ("error", &error.to_string())],
                    );
                    live.look_again();
                }
            }
        }
    }

    fn look_at(&self, id: &Sha256, live: &Live) -> Result<(), SessionError> {
        let Some(_step) = live.try_step() else {
            live.look_again();
            return Ok(());
        };
        if live.is_checking() {
            live.look_again();
            return Ok(());
        }
        let Some(kept) = self.sessions.session(id)? else {
            self.clocks.forget(id);
            return Ok(());
        };
        self.clocks.moved(&kept, live);
        let ending = match kept.outline.state {
            State::Opening => return self.log_attempt(live, &kept).map(drop),
            State::Judged => return self.ended(live, kept).map(drop),
            State::Ended => return Ok(()),
            // Only the one answer that carried the nonce has started it.
            State::Started if live.clock.started().is_none() => Ending::ClockLost,
            State::Opened => Ending::NotStarted,
            State::Started => Ending::NotCommitted,
            State::Committed => Ending::NotOpened,
        };
        if ending != Ending::ClockLost && !live.is_late() {
            live.allow(Duration::ZERO);
            return Ok(());
        }
        self.end(live, &kept, ending).map(drop)
    }
}
