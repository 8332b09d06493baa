//! A device's side of an attempt: it makes ready, waits for the seed, commits, waits for the lanes, opens them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use attest::digest::Sha256;
use attest::key::SigningKey;
use attest::proof::{Opening, SignedRoot, seeds};
use kernels::device::Device;
use registry::client::Attempt;

use super::prepare::{Wanted, prepare};
use super::prover::Phases;
use super::size::Sized;
use crate::exit::{Done, Failure, fail};

/// What a worker is told. A worker that is told nothing more ends.
pub(super) enum Order<'a> {
    /// The clock runs.
    Go {
        attempt: Arc<Attempt<'a>>,
        seed: Sha256,
    },
    Open(Vec<u64>),
}

/// What a worker says.
pub(super) enum News {
    Ready(Sized),
    /// The root is on its way.
    Done,
    Committed {
        phases: Phases,
        elapsed: Duration,
    },
    Opened {
        openings: Vec<Opening>,
        took: Duration,
    },
    Failed(Failure),
}

/// One device of an attempt.
pub(super) struct Worker<'a> {
    /// Which task of the attempt it is.
    pub task: usize,
    pub name: String,
    pub wanted: Wanted,
    pub key: &'a SigningKey,
    pub orders: Receiver<Order<'a>>,
    pub news: Sender<(usize, News)>,
}

impl Worker<'_> {
    /// Works until there is nothing left to do. Whoever listens no longer is told nothing more.
    pub(super) fn run(self, device: &mut dyn Device) {
        let worked = catch_unwind(AssertUnwindSafe(|| self.work(device)));
        let worked = worked.unwrap_or_else(|_| Err(fail!(Unfit, "{} broke off; see above", self.name)));
        if let Err(failure) = worked {
            self.say(News::Failed(failure));
        }
    }

    fn say(&self, news: News) {
        let _ = self.news.send((self.task, news));
    }

    fn work(&self, device: &mut dyn Device) -> Done {
        let mut ready = prepare(device, self.wanted)?;
        self.say(News::Ready(ready.sized));
        let Ok(Order::Go { attempt, seed }) = self.orders.recv() else {
            return Ok(());
        };
        let (root, phases) = ready.prover.commit(&seeds::task(&seed, self.task))?;
        self.say(News::Done);
        let root = SignedRoot::sign(&attempt.id(), self.task, root, self.key);
        let elapsed = attempt
            .commit(self.task, &root)
            .map_err(super::attempt::failure)?;
        self.say(News::Committed {
            phases,
            elapsed: Duration::from_nanos(elapsed),
        });
        let Ok(Order::Open(lanes)) = self.orders.recv() else {
            return Ok(());
        };
        let began = Instant::now();
        let openings = ready.prover.open(&lanes)?;
        let took = began.elapsed();
        self.say(News::Opened { openings, took });
        Ok(())
    }
}
