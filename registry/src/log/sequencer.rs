//! The one thread that gives out indices.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use attest::checkpoint::{Checkpoint, LogKeys, LogTrust};
use attest::digest::Sha256;
use attest::tile::Edge;
use tokio::sync::oneshot;

use super::step::{self, Step};
use super::{Condition, LogError, Published};
use crate::config::Limits;
use crate::diary;
use crate::metrics::Metrics;
use crate::outside::LastCheckpoint;
use crate::store::{Accepted, Batch, Head, Place, Store};

/// Pause between attempts to settle while storage fails and nobody submits.
const RETRY: Duration = Duration::from_secs(1);

/// A verified submission and where its answer goes.
pub(crate) struct Job {
    pub(crate) accepted: Arc<Accepted>,
    pub(crate) reply: oneshot::Sender<Result<Outcome, Unlogged>>,
}

/// What became of a submission. Either way it is durable and published.
#[derive(Debug)]
pub(crate) enum Outcome {
    Logged {
        index: u64,
        note: Arc<str>,
        path: Vec<Sha256>,
    },
    /// The same statement by the same key was in the log before.
    Known(Place),
}

/// Why a submission was not acknowledged. It may still be in the log: submitting it again tells.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unlogged {
    #[error("the log could not record this now: {0}")]
    Storage(String),
    #[error("the log has stopped: {0}")]
    Halted(String),
}

/// The way in. Dropping all clones ends the sequencer once it has answered what is queued.
#[derive(Clone)]
pub(crate) struct Queue {
    jobs: SyncSender<Job>,
    room: usize,
    metrics: Arc<Metrics>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    /// This many are waiting: all that may.
    #[error("{0} submissions are waiting already")]
    Full(usize),
    #[error("the registry is stopping")]
    Closed,
}

impl Queue {
    pub(crate) fn push(&self, job: Job) -> Result<(), QueueError> {
        self.metrics.queued.add(1);
        self.jobs.try_send(job).map_err(|error| {
            self.metrics.queued.sub(1);
            match error {
                TrySendError::Full(_) => QueueError::Full(self.room),
                TrySendError::Disconnected(_) => QueueError::Closed,
            }
        })
    }
}

/// Owns the log's right edge. Nothing else writes to the store or to the outside checkpoint.
pub(crate) struct Sequencer {
    pub(crate) origin: String,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outside: Box<dyn LastCheckpoint>,
    pub(crate) keys: Arc<LogKeys>,
    pub(crate) trust: LogTrust,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) published: Arc<Published>,
    /// Edge and head as the database holds them; none while that is in doubt.
    position: Option<(Edge, Head)>,
}

/// Brings the log to its published state and starts the thread.
pub(crate) fn start(
    origin: String,
    store: Arc<dyn Store>,
    outside: Box<dyn LastCheckpoint>,
    (keys, trust): (Arc<LogKeys>, LogTrust),
    limits: Limits,
    metrics: Arc<Metrics>,
) -> Result<(Queue, Arc<Published>, JoinHandle<()>), LogError> {
    let seen = first_head(&origin, store.as_ref(), outside.as_ref(), &keys, &trust)?;
    let published = Arc::new(Published::new(seen));
    let room = limits.queue;
    let (jobs, queue) = sync_channel(room);
    let mut sequencer = Sequencer {
        origin,
        store,
        outside,
        keys,
        trust,
        limits,
        metrics: Arc::clone(&metrics),
        published: Arc::clone(&published),
        position: None,
    };
    sequencer.try_settle()?;
    let thread = std::thread::Builder::new()
        .name("sequencer".to_owned())
        .spawn(move || sequencer.run(&queue))
        .map_err(|error| LogError::Damaged {
            what: format!("no thread for the sequencer: {error}"),
        })?;
    Ok((Queue { jobs, room, metrics }, published, thread))
}

/// The last published head as the outside checkpoint tells it, after beginning an empty log where there is none.
fn first_head(
    origin: &str,
    store: &dyn Store,
    outside: &dyn LastCheckpoint,
    keys: &LogKeys,
    trust: &LogTrust,
) -> Result<Head, LogError> {
    let outside_note = outside.read()?;
    let head = store.head()?;
    if let Some(note) = outside_note {
        let Checkpoint { size, root, .. } = attest::checkpoint::open(&note, trust)?;
        return match head {
            Some(_) => Ok(Head { size, root, note }),
            None => Err(LogError::Behind {
                found: 0,
                published: size,
            }),
        };
    }
    match head {
        Some(head) if head.size > 0 => Err(LogError::OutsideMissing { size: head.size }),
        Some(head) => outside.write(&head.note).map_err(Into::into).map(|()| head),
        None => {
            let empty = super::empty_checkpoint(origin);
            let head = step::sign(origin, 0, empty.root, keys, trust)?;
            store.begin(&head)?;
            outside.write(&head.note)?;
            Ok(head)
        }
    }
}

impl Sequencer {
    fn run(mut self, queue: &Receiver<Job>) {
        loop {
            match queue.recv_timeout(RETRY) {
                Ok(first) => {
                    let jobs = self.gather(first, queue);
                    self.cycle(jobs);
                }
                Err(RecvTimeoutError::Timeout) if self.published.condition() != Condition::Ready => {
                    // The outcome is in `condition`, for readiness and for the next submission.
                    let _ = self.settle();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// A batch: what is queued, and what comes within the linger.
    fn gather(&self, first: Job, queue: &Receiver<Job>) -> Vec<Job> {
        let deadline = Instant::now() + self.limits.linger;
        let mut jobs = vec![first];
        while jobs.len() < self.limits.batch {
            let left = deadline.saturating_duration_since(Instant::now());
            match queue.recv_timeout(left) {
                Ok(job) => jobs.push(job),
                Err(_) => break,
            }
        }
        self.metrics.queued.sub(jobs.len() as u64);
        jobs
    }

    fn cycle(&mut self, jobs: Vec<Job>) {
        if let Err(unlogged) = self.settle() {
            return answer(jobs, &unlogged);
        }
        let (fresh, twins) = self.sort(jobs);
        if fresh.is_empty() {
            return self.answer_from_store(twins);
        }
        let accepted = fresh.iter().map(|job| Arc::clone(&job.accepted)).collect();
        match self.advance(accepted) {
            Ok(Some(step)) => {
                reply_logged(fresh, step);
                self.answer_from_store(twins);
            }
            // The commit failed or its outcome was unknown; the database has been asked again since.
            Ok(None) => {
                self.answer_from_store(fresh);
                self.answer_from_store(twins);
            }
            Err(unlogged) => {
                answer(fresh, &unlogged);
                answer(twins, &unlogged);
            }
        }
    }

    /// Separates entries that are new from those the log, or this batch, already has.
    fn sort(&self, jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
        let mut seen = HashMap::new();
        jobs.into_iter().partition(|job| {
            let (digest, key_id) = (job.accepted.digest, job.accepted.key_id);
            // On an error the commit, which refuses a second identity, decides.
            let known = matches!(self.store.find(&digest, &key_id), Ok(Some(_)));
            !known && seen.insert((digest, key_id), ()).is_none()
        })
    }

    /// Commits and publishes a batch. `None` when the commit did not succeed but the log is settled again.
    fn advance(&mut self, accepted: Vec<Arc<Accepted>>) -> Result<Option<Step>, Unlogged> {
        let Some((edge, before)) = &self.position else {
            return Err(Unlogged::Storage("the database's state is in doubt".to_owned()));
        };
        let started = Instant::now();
        let store = self.store.as_ref();
        let prepared = step::prepare(edge, accepted, &self.origin, &self.keys, &self.trust, store);
        let step = prepared.map_err(|error| self.fail(&error))?;
        let committed = self.store.commit(&Batch {
            before,
            after: &step.head,
            entries: &step.entries,
            tiles: &step.tiles,
        });
        match &committed {
            Ok(()) => self.position = Some((step.edge.clone(), step.head.clone())),
            Err(error) => {
                diary::event("commit_failed", &[("error", &error.to_string())]);
                self.metrics.commit_errors.add(1);
                self.position = None;
            }
        }
        self.settle()?;
        if committed.is_err() {
            return Ok(None);
        }
        self.metrics.committed(step.entries.len(), started.elapsed());
        Ok(Some(step))
    }

    /// Brings memory, database, outside checkpoint and readers to one state. Does nothing when they are.
    fn settle(&mut self) -> Result<(), Unlogged> {
        match self.try_settle() {
            Ok(()) => {
                if self.published.condition() != Condition::Ready {
                    diary::event("log_ready", &[]);
                    self.published.mark(Condition::Ready);
                }
                Ok(())
            }
            Err(error) => Err(self.fail(&error)),
        }
    }

    fn try_settle(&mut self) -> Result<(), LogError> {
        if let Condition::Halted(what) = self.published.condition() {
            return Err(LogError::Damaged { what });
        }
        if self.position.is_none() {
            self.position = Some(self.reload()?);
        }
        let (_, head) = self.position.as_ref().expect("set above");
        if *head != *self.published.head() {
            self.outside.write(&head.note)?;
            self.published.set(head.clone());
        }
        self.metrics.tree_size.set(head.size);
        Ok(())
    }

    /// Reads the head and refuses one that does not extend what has been published.
    fn reload(&self) -> Result<(Edge, Head), LogError> {
        let published = self.published.head();
        let head = self.store.head()?.ok_or(LogError::Behind {
            found: 0,
            published: published.size,
        })?;
        if head.size < published.size {
            return Err(LogError::Behind {
                found: head.size,
                published: published.size,
            });
        }
        step::check_note(&head, &self.trust)?;
        let edge = step::restore(self.store.as_ref(), head.size)?;
        if edge.root() != head.root {
            let what = format!(
                "the tiles of {} entries do not add up to the signed root",
                head.size
            );
            return Err(LogError::Damaged { what });
        }
        let found = step::restore(self.store.as_ref(), published.size)?.root();
        if found != published.root {
            return Err(LogError::Split {
                size: published.size,
                found,
                published: published.root,
            });
        }
        Ok((edge, head))
    }

    fn fail(&self, error: &LogError) -> Unlogged {
        let text = error.to_string();
        diary::event("log_failed", &[("error", &text)]);
        if error.is_passing() {
            self.published.mark(Condition::Stalled(text.clone()));
            Unlogged::Storage(text)
        } else {
            self.published.mark(Condition::Halted(text.clone()));
            Unlogged::Halted(text)
        }
    }

    /// Answers each by what the database says: in the log or not.
    fn answer_from_store(&self, jobs: Vec<Job>) {
        let published = self.published.head().size;
        for job in jobs {
            let answer = match self.store.find(&job.accepted.digest, &job.accepted.key_id) {
                Ok(Some(place)) if place.tree_size <= published => Ok(Outcome::Known(place)),
                Ok(_) => Err(Unlogged::Storage("the commit did not succeed".to_owned())),
                Err(error) => Err(Unlogged::Storage(error.to_string())),
            };
            reply(job, answer);
        }
    }
}

fn reply_logged(jobs: Vec<Job>, step: Step) {
    let note: Arc<str> = step.head.note.into();
    for ((job, entry), path) in jobs.into_iter().zip(step.entries).zip(step.paths) {
        let outcome = Outcome::Logged {
            index: entry.index,
            note: Arc::clone(&note),
            path,
        };
        reply(job, Ok(outcome));
    }
}

fn answer(jobs: Vec<Job>, unlogged: &Unlogged) {
    for job in jobs {
        reply(job, Err(unlogged.clone()));
    }
}

/// A client that has gone away finds its entry when it submits again.
fn reply(job: Job, answer: Result<Outcome, Unlogged>) {
    let _ = job.reply.send(answer);
}
