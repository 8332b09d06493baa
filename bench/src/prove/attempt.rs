//! One attempt, from sizing to verdict: its devices work at the same time, each on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::key::SigningKey;
use attest::proof::{Opening, Request, Stated, Task, Transcript};
use attest::statement::{Count, Freshness};
use attest::trust::TrustedRoot;
use kernels::device::Device;
use registry::client::{Attempt, Client, ClientError, Judged};

use super::host::Host;
use super::prepare::Wanted;
use super::prover::{Phases, random};
use super::size::Sized;
use super::watch::Watch;
use super::worker::{News, Order, Worker};
use crate::exit::{Done, Failure, OrFail as _, Outcome, fail};
use crate::{interrupt, network, talk};

/// Between two looks at Ctrl-C.
const TICK: Duration = Duration::from_millis(100);

/// Whom attempts are opened with, and in whose name.
pub(crate) struct Registrar {
    pub client: Client,
    pub root: TrustedRoot,
    pub key: SigningKey,
    pub quiet: bool,
}

/// What became of one device's part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub sized: Sized,
    pub phases: Phases,
    /// By the registry's clock.
    pub elapsed: Duration,
}

/// An attempt that was judged.
pub(crate) struct Proved {
    pub judged: Judged,
    /// SHA-256 of the attempt's signed bytes.
    pub attempt: Sha256,
    pub attempt_index: u64,
    pub origin: String,
    pub transcript: Vec<u8>,
    /// One for each task.
    pub parts: Vec<Part>,
    /// How long the registry took to judge.
    pub judging: Duration,
}

impl Registrar {
    /// Has `devices` prove what each is `wanted` to, under one nonce.
    ///
    /// # Errors
    /// A device that cannot, a registry that does not answer, Ctrl-C. An attempt that was logged is then given up there.
    pub(crate) fn prove(
        &self,
        host: &Host,
        devices: &mut [Box<dyn Device>],
        wanted: &[Wanted],
    ) -> Done<Proved> {
        let names = devices.iter().map(|device| device.facts().id.clone()).collect();
        std::thread::scope(|scope| {
            let (tell, news) = mpsc::channel();
            let mut orders = Vec::new();
            for (task, (device, wanted)) in devices.iter_mut().zip(wanted).enumerate() {
                let (order, received) = mpsc::channel();
                orders.push(order);
                let worker = Worker {
                    task,
                    name: device.facts().id.clone(),
                    wanted: *wanted,
                    key: &self.key,
                    orders: received,
                    news: tell.clone(),
                };
                scope.spawn(move || worker.run(&mut **device));
            }
            drop(tell);
            let conductor = Conductor {
                registrar: self,
                names,
                orders,
                news,
                watch: Watch::new(self.quiet),
            };
            conductor.conduct(host, wanted)
        })
    }
}

/// The thread that talks to the registry while the devices work.
struct Conductor<'a> {
    registrar: &'a Registrar,
    names: Vec<String>,
    orders: Vec<Sender<Order<'a>>>,
    news: Receiver<(usize, News)>,
    watch: Watch,
}

/// What is known once every lane is open.
struct Finished {
    judged: Judged,
    done: Vec<(Phases, Duration)>,
    judging: Duration,
}

impl<'a> Conductor<'a> {
    fn conduct(mut self, host: &Host, wanted: &[Wanted]) -> Done<Proved> {
        let expected = wanted.iter().map(Wanted::preparation).max();
        let who = self.names.join(", ");
        self.watch
            .phase(format!("{who}: sizing and warming up"), expected);
        let sized = self.gather(|_, news| match news {
            News::Ready(sized) => Some(sized),
            _ => None,
        })?;
        let registrar = self.registrar;
        let freshness = network::freshness(&registrar.client, &registrar.root, AGAIN)?;
        let request = self.request(host, freshness, &sized)?;
        let attempt = registrar
            .client
            .open_attempt(&request, registrar.key.public(), &registrar.root)
            .map_err(failure)?;
        let attempt = Arc::new(attempt);
        let finished = self
            .session(&attempt, &sized)
            .map_err(|failure| give_up(&attempt, failure))?;
        let transcript = Transcript::new(
            &request,
            registrar.key.public(),
            attempt.receipt(),
            attempt.session(),
            &finished.judged.receipt,
        );
        let parts = sized.into_iter().zip(finished.done);
        Ok(Proved {
            transcript: transcript.or_fail(Outcome::VerificationFailed)?.to_json(),
            judged: finished.judged,
            attempt: attempt.id(),
            attempt_index: attempt.log_index(),
            origin: attempt.origin().to_owned(),
            parts: parts
                .map(|(sized, (phases, elapsed))| Part {
                    sized,
                    phases,
                    elapsed,
                })
                .collect(),
            judging: finished.judging,
        })
    }

    /// The request in its envelope, signed: every device of the host, and the work of those that take part.
    fn request(&self, host: &Host, freshness: Freshness, sized: &[Sized]) -> Done<Vec<u8>> {
        let tasks = self.names.iter().zip(sized).map(|(name, sized)| {
            let device = host.index(name);
            let device = device.ok_or_else(|| fail!(Unfit, "{name} is no device of this host"))?;
            Ok(Task {
                device: device as u32,
                work: sized.work,
            })
        });
        let request = Request {
            salt: random()?,
            requested_at: jiff::Timestamp::now().to_string(),
            freshness,
            devices: host.devices.clone(),
            tasks: tasks.collect::<Done<_>>()?,
        };
        let subjects = host.identities.iter().enumerate();
        let subjects = subjects.map(|(index, identity)| (format!("device/{index}"), *identity));
        let bytes = Stated::new(subjects, request)
            .to_bytes()
            .or_fail(Outcome::Unfit)?;
        Ok(Envelope::sign(bytes, &self.registrar.key).to_json())
    }

    /// From the nonce to the verdict.
    fn session(&mut self, attempt: &Arc<Attempt<'a>>, sized: &[Sized]) -> Done<Finished> {
        let expected = sized.iter().map(|sized| sized.expected_s).fold(0.0, f64::max);
        in_time(attempt, expected)?;
        let who = self.doing(sized);
        let index = attempt.log_index();
        self.watch.phase(
            format!("attempt {index} is logged; {who}"),
            Some(Duration::from_secs_f64(expected)),
        );
        let started = attempt.start().map_err(failure)?;
        for order in &self.orders {
            let attempt = Arc::clone(attempt);
            let seed = started.seed;
            // A worker that is gone has said why.
            let _ = order.send(Order::Go { attempt, seed });
        }
        let committed = self.gather(|_, news| match news {
            News::Committed { phases, elapsed } => Some((phases, elapsed)),
            _ => None,
        })?;
        let (openings, took) = self.open(attempt)?;
        let lanes: usize = openings.iter().map(Vec::len).sum();
        self.watch
            .phase(format!("the registry recomputes {lanes} lanes"), None);
        let began = Instant::now();
        let judged = attempt.open(openings).map_err(failure)?;
        let done = committed.into_iter().zip(took);
        Ok(Finished {
            judged,
            done: done
                .map(|((phases, elapsed), open)| (Phases { open, ..phases }, elapsed))
                .collect(),
            judging: began.elapsed(),
        })
    }

    /// The sampled lanes of every task, and how long each took.
    fn open(&mut self, attempt: &Attempt<'_>) -> Done<(Vec<Vec<Opening>>, Vec<Duration>)> {
        self.watch
            .phase("every root is committed; opening lanes".into(), None);
        let samples = attempt.samples().map_err(failure)?;
        for (order, lanes) in self.orders.iter().zip(samples) {
            let _ = order.send(Order::Open(lanes));
        }
        let opened = self.gather(|_, news| match news {
            News::Opened { openings, took } => Some((openings, took)),
            _ => None,
        })?;
        Ok(opened.into_iter().unzip())
    }

    fn doing(&self, sized: &[Sized]) -> String {
        let each = self.names.iter().zip(sized).map(|(name, sized)| {
            let rate = sized.work.units() as f64 / sized.expected_s;
            let work = &sized.work;
            format!(
                "{name}: {} at {}",
                work.workload(),
                reports::table::rate(work, Count(rate as u64))
            )
        });
        each.collect::<Vec<_>>().join(", ")
    }

    /// Waits until every device has said what is wanted.
    fn gather<T>(&mut self, wanted: impl Fn(usize, News) -> Option<T>) -> Done<Vec<T>> {
        let mut said: Vec<Option<T>> = self.names.iter().map(|_| None).collect();
        while said.iter().any(Option::is_none) {
            match self.news.recv_timeout(TICK) {
                Ok((_, News::Failed(failure))) => return Err(failure),
                Ok((task, news)) => {
                    if let Some(value) = wanted(task, news) {
                        said[task] = Some(value);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.watch.tick(),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(fail!(Unfit, "a device's thread ended without a word"));
                }
            }
            if interrupt::asked() {
                return Err(fail!(Interrupted, "interrupted"));
            }
        }
        Ok(said.into_iter().flatten().collect())
    }
}

/// Refuses to start what would end too late.
fn in_time(attempt: &Attempt<'_>, expected_s: f64) -> Done {
    let allowed_s = attempt.stated().predicate.limits.commit_ms as f64 / 1e3;
    match expected_s < allowed_s {
        true => Ok(()),
        false => Err(fail!(
            Usage,
            "the work takes about {expected_s:.0} s, and this registry waits {allowed_s:.0} s for a commitment"
        )
        .hint("choose a shorter --target")),
    }
}

/// Tells the registry, so that the attempt does not wait for its time to run out.
fn give_up(attempt: &Attempt<'_>, failure: Failure) -> Failure {
    let index = attempt.log_index();
    match attempt.abort() {
        Ok(_) => talk::warn(&format!("attempt {index} is logged as given up")),
        Err(error) => talk::warn(&format!(
            "attempt {index} stays in the log without a proof; giving it up failed: {error}"
        )),
    }
    failure
}

pub(super) fn failure(error: ClientError) -> Failure {
    network::failure(error, AGAIN)
}

const AGAIN: &str = "nothing is proven; run it again when the registry answers";
