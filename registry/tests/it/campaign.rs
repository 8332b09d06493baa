//! Killing a serving registry at random moments, and holding it to every answer it ever gave.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use attest::checkpoint::{self, Checkpoint};
use attest::digest::Sha256;
use attest::key::SigningKey;
use attest::merkle;
use attest::receipt::Receipt;
use attest::tile::{HashReader, TileId};
use attest::trust::TrustedRoot;

use crate::sample::sample;
use crate::wire::{Answer, Wire};

const CLIENTS: u64 = 8;

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
    pub(crate) checkpoints: usize,
    pub(crate) entries: u64,
    pub(crate) elapsed: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rounds in {:.1} s, {} of them killed while starting: {} submissions acknowledged, each there at its index with its \
             receipt; {} unanswered, {} of those logged and none twice; {} earlier checkpoints consistent with the last; fsck \
             sound over {} entries",
            self.rounds,
            self.elapsed.as_secs_f64(),
            self.killed_while_starting,
            self.acknowledged,
            self.unanswered,
            self.unanswered_but_logged,
            self.checkpoints,
            self.entries
        )
    }
}

/// Everything the registry has said so far.
#[derive(Default)]
struct Said {
    /// Digest and receipt of each acknowledged index.
    receipts: BTreeMap<u64, (Sha256, Vec<u8>)>,
    indices: HashMap<Sha256, u64>,
    /// Every checkpoint seen in an answer, by size.
    checkpoints: BTreeMap<u64, (Checkpoint, String)>,
    /// Submitted without an answer.
    open: Vec<(Sha256, Vec<u8>)>,
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
    let numbers = AtomicU64::new(0);
    for _ in 0..rounds {
        // Squared: a tenth of them end within 5 ms, before most servers are up.
        let life = MAX_LIFE.mul_f64(random()?.powi(2));
        round(life, folder, serve, &said, &keys, &numbers, &mut tally)?;
    }
    let (mut child, address) =
        launch(&mut serve(folder))?.ok_or("the registry does not start after the last kill")?;
    check_answers(address, &mut lock(&said), &mut tally)?;
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

fn round(
    life: Duration,
    folder: &Path,
    serve: &dyn Fn(&Path) -> Command,
    said: &Mutex<Said>,
    keys: &[SigningKey],
    numbers: &AtomicU64,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let mut command = serve(folder);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let pid_alive = AtomicBool::new(true);
    let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let born = Instant::now();
    std::thread::scope(|scope| {
        let clients = scope.spawn(|| -> Result<bool, Failure> {
            let Some(address) = address_in(&mut lines)? else {
                return Ok(false);
            };
            check_sample(address, said)?;
            std::thread::scope(|scope| {
                for key in keys {
                    scope.spawn(|| submit_until_cut(address, key, numbers, said, &pid_alive));
                }
            });
            Ok(true)
        });
        std::thread::sleep(life.saturating_sub(born.elapsed()));
        child.kill()?;
        child.wait()?;
        pid_alive.store(false, Ordering::Relaxed);
        match clients.join().map_err(|_| "a client panicked")? {
            Ok(true) => Ok(()),
            Ok(false) => {
                tally.killed_while_starting += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    })
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
            Ok(answer) => record(&mut lock(said), sample.digest, answer),
            Err(_) => {
                lock(said).open.push((sample.digest, sample.body));
                return;
            }
        }
    }
}

/// Keeps an answer, and panics when it contradicts one before.
fn record(said: &mut Said, digest: Sha256, answer: Answer) {
    assert!(
        matches!(answer.status, 200 | 201),
        "{} {}",
        answer.status,
        answer.text()
    );
    let receipt = Receipt::parse(&answer.body).expect("a receipt");
    let (index, proof) = (receipt.log_index, &receipt.proof);
    assert_eq!(
        Sha256::of(&receipt.envelope.pae()),
        digest,
        "the receipt is for what was sent"
    );
    merkle::verify_inclusion(
        index,
        proof.tree_size,
        &merkle::leaf_hash(&receipt.leaf),
        &proof.path,
        &proof.root,
    )
    .expect("the proof holds");
    if let Some((other, before)) = said.receipts.get(&index) {
        assert_eq!(*other, digest, "index {index} was given out twice");
        assert!(*before == answer.body, "the receipt of {index} changed");
    }
    assert!(
        said.indices
            .insert(digest, index)
            .is_none_or(|before| before == index),
        "{digest} stands at two indices"
    );
    let claimed = checkpoint::Unverified::parse(&proof.checkpoint)
        .expect("a checkpoint")
        .claimed()
        .clone();
    let (seen, _) = said
        .checkpoints
        .entry(proof.tree_size)
        .or_insert_with(|| (claimed.clone(), proof.checkpoint.clone()));
    assert_eq!(*seen, claimed, "two checkpoints of {} entries", proof.tree_size);
    said.receipts.insert(index, (digest, answer.body));
}

/// The newest answers before a kill are the ones at risk: they must all be there after it. A kill may cut this short.
fn check_sample(address: SocketAddr, said: &Mutex<Said>) -> Result<(), Failure> {
    let newest: Vec<(Sha256, Vec<u8>)> = lock(said).receipts.values().rev().take(32).cloned().collect();
    let Ok(mut wire) = Wire::connect(address) else {
        return Ok(());
    };
    for (digest, receipt) in newest {
        let Ok(answer) = wire.get(&format!("/api/v1/attestations/{digest}/receipt")) else {
            return Ok(());
        };
        if answer.status != 200 || answer.body != receipt {
            return Err(format!(
                "after a kill {digest} answers {}: {}",
                answer.status,
                answer.text()
            )
            .into());
        }
    }
    Ok(())
}

/// Every acknowledged receipt is given again byte for byte; everything unanswered is submitted again.
fn check_answers(address: SocketAddr, said: &mut Said, tally: &mut Tally) -> Result<(), Failure> {
    let mut wire = Wire::connect(address)?;
    for (index, (digest, receipt)) in &said.receipts {
        let answer = wire.get(&format!("/api/v1/attestations/{digest}/receipt"))?;
        if answer.status != 200 || answer.body != *receipt {
            return Err(format!("entry {index} answers {}: {}", answer.status, answer.text()).into());
        }
    }
    let open = std::mem::take(&mut said.open);
    tally.unanswered = open.len() as u64;
    for (digest, body) in open {
        let answer = wire.post(&body)?;
        tally.unanswered_but_logged += u64::from(answer.status == 200);
        record(said, digest, answer);
    }
    Ok(())
}

/// Every checkpoint ever seen is signed and is a prefix of the last.
fn check_history(address: SocketAddr, folder: &Path, said: &Said, tally: &mut Tally) -> Result<(), Failure> {
    let root = TrustedRoot::parse(&std::fs::read(folder.join("trusted_root.json"))?)?;
    let mut wire = Wire::connect(address)?;
    let note = String::from_utf8(wire.get("/checkpoint")?.body)?;
    let origin = checkpoint::Unverified::parse(&note)?.claimed().origin.clone();
    let trust = root.log(&origin).ok_or("the log's key is not trusted")?;
    let last = checkpoint::open(&note, &trust)?;
    let mut reader = HashReader::new(last.size, |id: TileId| -> Result<Vec<u8>, String> {
        let answer = wire
            .get(&format!("/{}", id.path()))
            .map_err(|error| error.to_string())?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(format!("{} answers {}", id.path(), answer.status))
        }
    });
    for (seen, note) in said.checkpoints.values() {
        checkpoint::open(note, &trust)?;
        let path = merkle::consistency_path(seen.size, last.size, |level, index| reader.hash(level, index))
            .map_err(|error| error.to_string())?;
        last.follows(seen, &path)?;
    }
    tally.checkpoints = said.checkpoints.len();
    Ok(())
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

fn lock(said: &Mutex<Said>) -> std::sync::MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
