//! Providers that prove while the server is killed under them, and go on with the next one.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use attest::digest::Sha256;
use attest::key::SigningKey;

use crate::prover::{Done, Held, SMALL, opened, signed, try_request};
use crate::sample;
use crate::wire::{Answer, Wire};

/// Between steps, so that kills find sessions in every state.
const PAUSE: Duration = Duration::from_millis(4);

type Failure = Box<dyn Error + Send + Sync>;

/// One provider and the attempt it is at.
pub(crate) struct Provider {
    key: SigningKey,
    attempt: Option<Begun>,
    /// Receipts of attempts and verdicts, by path, as they were answered.
    pub(crate) answered: BTreeMap<String, Vec<u8>>,
    /// Requests that were sent, and attempts seen to end.
    pub(crate) requests: u64,
    pub(crate) proven: u64,
}

/// An attempt from its request to its end.
struct Begun {
    request: Vec<u8>,
    held: Option<Held>,
    done: Vec<Done>,
}

/// How many sessions a kill left in each state.
pub(crate) type Found = BTreeMap<i64, u64>;

impl Provider {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            key: SigningKey::generate()?,
            attempt: None,
            answered: BTreeMap::new(),
            requests: 0,
            proven: 0,
        })
    }

    /// Takes steps until the server is gone.
    pub(crate) fn prove_until_cut(&mut self, address: SocketAddr, alive: &AtomicBool) -> Result<(), Failure> {
        let Ok(mut wire) = Wire::connect(address) else {
            return Ok(());
        };
        while alive.load(Ordering::Relaxed) {
            match self.step(&mut wire) {
                Ok(()) => std::thread::sleep(PAUSE),
                Err(error) if error.is::<std::io::Error>() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends the attempt that the last kill left.
    pub(crate) fn finish(&mut self, address: SocketAddr) -> Result<(), Failure> {
        let mut wire = Wire::connect(address)?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.attempt.is_some() {
            if Instant::now() > deadline {
                return Err("an attempt does not end".into());
            }
            self.step(&mut wire)?;
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn step(&mut self, wire: &mut Wire) -> Result<(), Failure> {
        let Some(begun) = &mut self.attempt else {
            let asked = try_request(wire, &[SMALL])?;
            self.requests += 1;
            self.attempt = Some(Begun {
                request: sample::body(&signed(&asked, &self.key), &self.key),
                held: None,
                done: Vec::new(),
            });
            return Ok(());
        };
        let Some(held) = &begun.held else {
            let answer = wire.post_to("/api/v1/attempts", "", &begun.request)?;
            if !matches!(answer.status, 200 | 201) {
                return Err(unexpected("a request", &answer));
            }
            let held = Held::of(&answer);
            keep(&mut self.answered, held.path("/receipt"), answer.body)?;
            begun.held = Some(held);
            return Ok(());
        };
        let shown = wire.get(&held.path(""))?.json();
        match shown["state"].as_str() {
            Some("opened") => {
                let answer = wire.post_to(&held.path("/start"), &held.lines(), b"")?;
                if answer.status == 200 {
                    begun.done = held.work(&answer, &self.key, &[SMALL]);
                }
            }
            // After a kill the registry ends it by itself; before, the work is done here.
            Some("started") if !begun.done.is_empty() => {
                let root = begun.done[0].commitment(&held.id, 0, &self.key);
                let path = held.path("/commitments/0");
                wire.post_to(&path, &held.lines(), &serde_json::to_vec(&root)?)?;
            }
            Some("committed") => {
                let samples = wire.get_with(&held.path("/samples"), &held.lines())?;
                let openings = opened(&samples, &begun.done);
                let answer = wire.post_to(&held.path("/openings"), &held.lines(), &openings)?;
                if answer.status == 200 {
                    keep(&mut self.answered, held.path("/verdict"), answer.body)?;
                }
            }
            Some("ended") => {
                let verdict = wire.get(&held.path("/verdict"))?;
                if verdict.status != 200 {
                    return Err(unexpected("the verdict of an ended attempt", &verdict));
                }
                keep(&mut self.answered, held.path("/verdict"), verdict.body)?;
                self.proven += u64::from(shown["verdict"]["outcome"] == "proven");
                self.attempt = None;
            }
            _ => {}
        }
        Ok(())
    }
}

/// An answer once given stays.
fn keep(answered: &mut BTreeMap<String, Vec<u8>>, path: String, body: Vec<u8>) -> Result<(), Failure> {
    match answered.get(&path) {
        Some(before) if *before != body => Err(format!("{path} changed").into()),
        _ => {
            answered.insert(path, body);
            Ok(())
        }
    }
}

fn unexpected(what: &str, answer: &Answer) -> Failure {
    format!("{what} is answered {}: {}", answer.status, answer.text()).into()
}

/// What the database holds after a kill. The server is not running.
pub(crate) fn found(folder: &Path) -> Result<Found, Failure> {
    let path = folder.join("registry.sqlite");
    if !path.exists() {
        return Ok(Found::new());
    }
    let database = rusqlite::Connection::open(path)?;
    let tables: i64 = database.query_row(
        "SELECT count(*) FROM sqlite_master WHERE name = 'sessions'",
        [],
        |row| row.get(0),
    )?;
    if tables == 0 {
        return Ok(Found::new());
    }
    let mut counts =
        database.prepare("SELECT state, count(*) FROM sessions WHERE state < 5 GROUP BY state")?;
    let counts = counts.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(counts.collect::<Result<_, _>>()?)
}

/// Digest and receipt of the attempt and of the verdict of every attempt that the registry shows, by path. All must
/// have ended.
pub(crate) fn ended(address: SocketAddr) -> Result<BTreeMap<String, (Sha256, Answer)>, Failure> {
    let mut wire = Wire::connect(address)?;
    let mut path = "/api/v1/attempts?limit=200".to_owned();
    let mut receipts = BTreeMap::new();
    loop {
        let page = wire.get(&path)?.json();
        for attempt in page["attempts"].as_array().ok_or("no list of attempts")? {
            if attempt["state"] != "ended" {
                return Err(format!("an attempt has not ended: {attempt}").into());
            }
            let id = attempt["id"].as_str().ok_or("no id")?;
            for (step, digest) in [("receipt", id), ("verdict", verdict_of(attempt)?)] {
                let path = format!("/api/v1/attempts/{id}/{step}");
                let answer = wire.get(&path)?;
                if answer.status != 200 {
                    return Err(unexpected(&path, &answer));
                }
                receipts.insert(path, (Sha256::from_hex(digest)?, answer));
            }
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/attempts?limit=200&cursor={next}"),
            None => return Ok(receipts),
        }
    }
}

fn verdict_of(attempt: &serde_json::Value) -> Result<&str, Failure> {
    Ok(attempt["verdict"]["digest"].as_str().ok_or("no verdict")?)
}
