//! The sessions that have not ended, in memory: their clocks, and when each is looked at next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use attest::digest::Sha256;

use crate::metrics::Metrics;
use crate::store::sessions::{Kept, State};

/// Pause before a session whose log or store failed is looked at again.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// What came in time may still be on its way to its thread when the time is over.
const GRACE: Duration = Duration::from_millis(500);

/// A session that has not ended.
#[derive(Debug)]
pub(crate) struct Live {
    /// Held while a step is taken.
    step: Mutex<()>,
    /// When the nonce left.
    pub(super) clock: Clock,
    /// Whether this process gave out the nonce, so that the clock runs or is about to.
    pub(super) begun: AtomicBool,
    schedule: Mutex<Schedule>,
    /// Whether its openings are queued or being checked.
    pub(super) checking: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Schedule {
    /// The state's limit.
    until: Instant,
    /// When the janitor looks.
    due: Instant,
}

/// A moment that is set once, without waiting.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<OnceLock<Instant>>);

impl Clock {
    /// Starts the clock: the last thing before the nonce leaves.
    pub(crate) fn start(&self) {
        let _ = self.0.set(Instant::now());
    }

    pub(super) fn started(&self) -> Option<Instant> {
        self.0.get().copied()
    }
}

impl Live {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            step: Mutex::default(),
            clock: Clock::default(),
            begun: AtomicBool::new(false),
            schedule: Mutex::new(Schedule { until: now, due: now }),
            checking: AtomicBool::new(false),
        }
    }

    /// Waits until no other step of this session is being taken.
    pub(super) fn step(&self) -> MutexGuard<'_, ()> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None while a step of this session is being taken.
    pub(super) fn try_step(&self) -> Option<MutexGuard<'_, ()>> {
        match self.step.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn is_checking(&self) -> bool {
        self.checking.load(Ordering::Acquire)
    }

    /// Whether the state's time is over.
    pub(super) fn is_late(&self) -> bool {
        self.schedule().until <= Instant::now()
    }

    /// Gives the state this much longer at least: the registry is the one that keeps it waiting.
    pub(super) fn allow(&self, more: Duration) {
        let mut schedule = self.schedule();
        let until = schedule.until.max(Instant::now() + more);
        *schedule = Schedule {
            until,
            due: until + GRACE,
        };
    }

    /// Has the janitor look at once.
    pub(super) fn look_now(&self) {
        self.schedule().due = Instant::now();
    }

    pub(super) fn look_again(&self) {
        self.schedule().due = Instant::now() + AGAIN;
    }

    pub(super) fn due(&self) -> Instant {
        self.schedule().due
    }

    fn enter(&self, left: Duration) {
        let until = Instant::now() + left;
        *self.schedule() = Schedule {
            until,
            due: until + GRACE,
        };
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With the state last noted, which the metrics count.
type Entries = HashMap<Sha256, (Arc<Live>, Option<State>)>;

/// Every session that has not ended.
pub(super) struct Clocks {
    live: Mutex<Entries>,
    metrics: Arc<Metrics>,
}

impl Clocks {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            live: Mutex::default(),
            metrics,
        }
    }

    /// The session's entry, made where there is none.
    pub(super) fn enter(&self, id: Sha256) -> Arc<Live> {
        let mut live = self.lock();
        let entry = live.entry(id).or_insert_with(|| (Arc::new(Live::new()), None));
        Arc::clone(&entry.0)
    }

    pub(super) fn find(&self, id: &Sha256) -> Option<Arc<Live>> {
        self.lock().get(id).map(|(live, _)| Arc::clone(live))
    }

    /// Notes the state that a session is in, and how long it may last. Does nothing when it was noted before.
    pub(super) fn moved(&self, kept: &Kept, live: &Live) {
        let state = kept.outline.state;
        if state == State::Ended {
            return self.forget(&kept.outline.id);
        }
        if let Some((_, known)) = self.lock().get_mut(&kept.outline.id)
            && *known != Some(state)
        {
            self.metrics.session_moved(*known, Some(state));
            *known = Some(state);
            live.enter(left(kept));
            if matches!(state, State::Opening | State::Judged) {
                live.look_now();
            }
        }
    }

    pub(super) fn forget(&self, id: &Sha256) {
        if let Some((_, known)) = self.lock().remove(id) {
            self.metrics.session_moved(known, None);
        }
    }

    /// Sessions to look at now.
    pub(super) fn due(&self, now: Instant) -> Vec<(Sha256, Arc<Live>)> {
        let live = self.lock();
        let due = live.iter().filter(|(_, (live, _))| live.due() <= now);
        due.map(|(id, (live, _))| (*id, Arc::clone(live))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a session may stay in its state, by the wall clock that a restart leaves us: at most its limit, so a clock
/// set back does not stretch it. Nothing for states that are left without anybody asking.
fn left(kept: &Kept) -> Duration {
    let times = &kept.outline.times;
    let Ok(attempt) = super::reading::attempt(&kept.outline) else {
        return Duration::ZERO;
    };
    let limits = attempt.predicate.limits;
    let (entered, limit_ms) = match kept.outline.state {
        State::Opened => (times.opened, limits.start_ms),
        State::Started => (times.started, limits.commit_ms),
        State::Committed => (times.committed, limits.open_ms),
        State::Opening | State::Judged | State::Ended => return Duration::ZERO,
    };
    let passed = super::now_ms() - entered.unwrap_or(0);
    let passed = Duration::from_millis(u64::try_from(passed).unwrap_or(0));
    Duration::from_millis(limit_ms).saturating_sub(passed)
}
