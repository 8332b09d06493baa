//! Killing a serving registry at random moments, and holding it to every answer it ever gave.

use std::error::Error;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use attest::key::SigningKey;

use crate::answers::{
    Said, check_answers, check_attempts, check_history, check_sample, lock, receipt_path, record,
};
use crate::providers::{self, Found, Provider};
use crate::sample::sample;
use crate::wire::Wire;

const CLIENTS: u64 = 8;

const PROVIDERS: u64 = 4;

/// The longest a server lives, from its start: some die while starting, most under load.
const MAX_LIFE: Duration = Duration::from_millis(500);

type Failure = Box<dyn Error + Send + Sync>;

/// What a campaign saw.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rounds: u64,
    pub(crate) killed_while_starting: u64,
    pub(crate) acknowledged: u64,
    /// Submissions that a kill left without an answer, and how many of them turned out to be logged.
    pub(crate) unanswered: u64,
    pub(crate) unanswered_but_logged: u64,
    pub(crate) attempts: u64,
    pub(crate) proven: u64,
    /// Sessions that kills left in each state.
    pub(crate) found: Found,
    pub(crate) checkpoints: usize,
    pub(crate) entries: u64,
    pub(crate) elapsed: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rounds in {:.1} s, {} of them killed while starting: {} submissions acknowledged, each there at its index with its \
             receipt; {} unanswered, {} of those logged and none twice; {} attempts, each ended by one verdict, {} of them \
             proven, after kills that left sessions in states {:?}; {} earlier checkpoints consistent with the last; fsck \
             sound over {} entries",
            self.rounds,
            self.elapsed.as_secs_f64(),
            self.killed_while_starting,
            self.acknowledged,
            self.unanswered,
            self.unanswered_but_logged,
            self.attempts,
            self.proven,
            self.found,
            self.checkpoints,
            self.entries
        )
    }
}

/// Runs `rounds` rounds over `folder`; `serve` gives the command that serves it and prints `listening ADDRESS`.
pub(crate) fn run(rounds: u64, folder: &Path, serve: &dyn Fn(&Path) -> Command) -> Result<Tally, Failure> {
    let started = Instant::now();
    let mut tally = Tally {
        rounds,
        ..Tally::default()
    };
    let said = Mutex::new(Said::default());
    let keys: Vec<SigningKey> = (0..CLIENTS)
        .map(|_| SigningKey::generate())
        .collect::<Result<_, _>>()?;
    let mut providers = (0..PROVIDERS)
        .map(|_| Provider::new())
        .collect::<Result<Vec<_>, _>>()?;
    let numbers = AtomicU64::new(0);
    for number in 0..rounds {
        // Squared: a tenth of them end within 5 ms, before most servers are up.
        let life = MAX_LIFE.mul_f64(random()?.powi(2));
        let clients = Clients {
            said: &said,
            keys: &keys,
            numbers: &numbers,
            providers: &mut providers,
        };
        if !round(life, &mut serve(folder), clients)? {
            tally.killed_while_starting += 1;
        }
        // Every other time the registry is the first to see what the kill left.
        if number % 2 == 0 {
            for (state, count) in providers::found(folder)? {
                *tally.found.entry(state).or_default() += count;
            }
        }
    }
    let (mut child, address) =
        launch(&mut serve(folder))?.ok_or("the registry does not start after the last kill")?;
    check_answers(address, &mut lock(&said), &mut tally)?;
    check_attempts(address, &mut lock(&said), &mut providers, &mut tally)?;
    check_history(address, folder, &lock(&said), &mut tally)?;
    child.kill()?;
    child.wait()?;
    let report = registry::fsck(folder)?;
    if !report.is_sound() {
        return Err(format!("fsck:\n{report}").into());
    }
    let said = lock(&said);
    tally.entries = report.entries;
    tally.acknowledged = said.receipts.len() as u64;
    if report.entries != tally.acknowledged {
        let (entries, answers) = (report.entries, said.receipts.len());
        return Err(format!(
            "{entries} entries for {answers} answers: an entry was logged twice or out of nothing"
        )
        .into());
    }
    tally.elapsed = started.elapsed();
    Ok(tally)
}

/// Who talks to the server of one round.
struct Clients<'a> {
    said: &'a Mutex<Said>,
    keys: &'a [SigningKey],
    numbers: &'a AtomicU64,
    providers: &'a mut [Provider],
}

/// Serves for so long, under load. False when the server was killed before it answered anybody.
fn round(life: Duration, serve: &mut Command, clients: Clients<'_>) -> Result<bool, Failure> {
    let mut child = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let alive = AtomicBool::new(true);
    let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let born = Instant::now();
    std::thread::scope(|scope| {
        let clients = scope.spawn(|| clients.talk_until_cut(&mut lines, &alive));
        std::thread::sleep(life.saturating_sub(born.elapsed()));
        child.kill()?;
        child.wait()?;
        alive.store(false, Ordering::Relaxed);
        clients.join().map_err(|_| "a client panicked")?
    })
}

impl Clients<'_> {
    fn talk_until_cut(self, lines: &mut impl std::io::BufRead, alive: &AtomicBool) -> Result<bool, Failure> {
        let Some(address) = address_in(lines)? else {
            return Ok(false);
        };
        check_sample(address, self.said)?;
        std::thread::scope(|scope| {
            let (said, numbers) = (self.said, self.numbers);
            for key in self.keys {
                scope.spawn(move || submit_until_cut(address, key, numbers, said, alive));
            }
            let proofs: Vec<_> = self
                .providers
                .iter_mut()
                .map(|provider| scope.spawn(move || provider.prove_until_cut(address, alive)))
                .collect();
            for proof in proofs {
                proof.join().map_err(|_| "a provider panicked")??;
            }
            Ok(true)
        })
    }
}

/// One client: submits fresh statements until the server is gone.
fn submit_until_cut(
    address: SocketAddr,
    key: &SigningKey,
    numbers: &AtomicU64,
    said: &Mutex<Said>,
    alive: &AtomicBool,
) {
    let Ok(mut wire) = Wire::connect(address) else {
        return;
    };
    while alive.load(Ordering::Relaxed) {
        let sample = sample(numbers.fetch_add(1, Ordering::Relaxed), key);
        match wire.post(&sample.body) {
            Ok(answer) => {
                let path = receipt_path(&sample.digest);
                record(&mut lock(said), sample.digest, path, answer);
            }
            Err(_) => {
                lock(said).open.push((sample.digest, sample.body));
                return;
            }
        }
    }
}

/// Starts a server and waits for its address.
pub(crate) fn launch(command: &mut Command) -> Result<Option<(Child, SocketAddr)>, Failure> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    match address_in(&mut lines)? {
        Some(address) => {
            // Kept open and empty, so that the server can go on writing.
            std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
            Ok(Some((child, address)))
        }
        None => {
            child.wait()?;
            Ok(None)
        }
    }
}

/// None when the output ended first.
fn address_in(lines: &mut impl std::io::BufRead) -> Result<Option<SocketAddr>, Failure> {
    for line in lines.by_ref().lines() {
        // A test harness writes around it.
        if let Some((_, address)) = line?.split_once("listening ") {
            return Ok(Some(address.trim().parse()?));
        }
    }
    Ok(None)
}

/// Uniform in [0, 1).
fn random() -> Result<f64, Failure> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0))
}
