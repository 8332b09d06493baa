//! A registry that lies: its client, or whoever reads the transcript, must not believe it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use attest::checkpoint::{self, Checkpoint};
use attest::digest::Sha256;
use attest::merkle;
use attest::proof::{Opening, OpeningsBody, Transcript};
use attest::tile::HashReader;
use attest::trust::TrustedRoot;
use registry::client::{Client, ClientError};
use serde_json::Value;

use super::line::Line;
use super::{Crook, Site, WORK, is_proven};
use crate::bench::{Served, key, serve_with};
use crate::prover::{Done, request, signed};
use crate::relay::relay_both;
use crate::sample::sample;
use crate::wire::{Answer, Wire};

const PATIENCE: Duration = Duration::from_secs(60);

/// Entries of a log and of its rewriting, and of the part they share.
const ENTRIES: usize = 40;
const SHARED: usize = 8;

type Change<T> = Box<dyn Fn(&mut T) + Send + Sync>;

/// A lie on the way, seen from the client.
struct Lie {
    cheat: &'static str,
    by: &'static str,
    /// Part of what the client says of it.
    told: &'static str,
    /// End of the path it is told at.
    step: &'static str,
    /// What becomes of the body that is sent there.
    spoil: Change<Vec<u8>>,
    /// What becomes of the answer.
    change: Change<Value>,
    /// Whether the provider opens wrong lanes itself.
    crooked: bool,
}

impl Lie {
    fn new(
        cheat: &'static str,
        by: &'static str,
        told: &'static str,
        step: &'static str,
        change: impl Fn(&mut Value) + Send + Sync + 'static,
    ) -> Self {
        Self {
            cheat,
            by,
            told,
            step,
            spoil: Box::new(|_| {}),
            change: Box::new(change),
            crooked: false,
        }
    }
}

pub(crate) fn lines(site: &Site, trials: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = lies(site)
        .into_iter()
        .map(|lie| told(site, trials, lie))
        .collect();
    lines.push(altered_transcript(site, trials));
    lines.push(rewritten(trials));
    lines
}

fn lies(site: &Site) -> Vec<Lie> {
    const RECOMPUTED: &str = "the client recomputes the verdict";
    const NOT_OURS: &str = "not the one that follows";
    let foreign = foreign_verdict(site);
    let on_openings = |cheat, crooked| Lie {
        spoil: Box::new(flip),
        crooked,
        ..Lie::new(cheat, RECOMPUTED, NOT_OURS, "/openings", |_| {})
    };
    vec![
        on_openings(
            "registry says wrong to an honest provider, signed and logged",
            false,
        ),
        on_openings("registry says proven to a cheat, signed and logged", true),
        Lie::new(
            "registry gives another attempt's verdict",
            "the verdict names its attempt",
            "on another attempt",
            "/openings",
            move |answer| *answer = foreign.clone(),
        ),
        Lie::new(
            "registry counts more time than passed",
            "the client's own clock",
            "passed here",
            "/commitments/0",
            |answer| answer["elapsedNs"] = (1u64 << 52).into(),
        ),
        Lie::new(
            "registry answers with less time than it signs",
            RECOMPUTED,
            NOT_OURS,
            "/commitments/0",
            |answer| answer["elapsedNs"] = 1.into(),
        ),
        Lie::new(
            "registry asks for lanes it drew before the commitment",
            "samples follow from secret and roots",
            "do not follow",
            "/samples",
            |answer| {
                let lanes: Vec<u64> = (0..WORK.opened()).collect();
                answer["tasks"][0] = lanes.into();
            },
        ),
        Lie::new(
            "registry shows another secret than it was bound to",
            "the attempt holds the secret's commitment",
            "not the one that the attempt is bound to",
            "/samples",
            |answer| answer["secret"] = Sha256::of(b"another").to_string().into(),
        ),
    ]
}

/// A verdict that the registry really gave, on another attempt.
fn foreign_verdict(site: &Site) -> Value {
    let mut crook = site.crook();
    let (held, _) = crook.prove_honestly();
    crook.wire.get(&held.path("/verdict")).unwrap().json()
}

/// Flips a bit of the first opened state. Done twice, it is as it was.
fn flip(body: &mut Vec<u8>) {
    let mut openings = OpeningsBody::parse(body).unwrap();
    openings.tasks[0][0].state[0] ^= 1;
    *body = serde_json::to_vec(&openings).unwrap();
}

fn told(site: &Site, trials: usize, lie: Lie) -> Line {
    let Lie {
        cheat,
        by,
        told,
        step,
        spoil,
        change,
        crooked,
    } = lie;
    let relay = relay_both(
        site.served.running.address(),
        move |path, body| {
            if path.ends_with(step) {
                spoil(body);
            }
            true
        },
        move |path, answer: &mut Answer| {
            if path.ends_with(step) && answer.status == 200 {
                let mut value = answer.json();
                change(&mut value);
                answer.body = value.to_string().into_bytes();
            }
            true
        },
    );
    let client = Client::new(&format!("http://{}", relay.address), PATIENCE).unwrap();
    let line = site.always(trials, cheat, by, |crook| {
        match through(crook, &client, crooked) {
            Ok(()) => false,
            Err(error) => error.is_lie() && error.to_string().contains(told),
        }
    });
    relay.stop.store(true, Ordering::SeqCst);
    // Wakes the relay, which waits for a connection.
    let _ = std::net::TcpStream::connect(relay.address);
    line
}

/// A whole session of the real client.
fn through(crook: &mut Crook<'_>, client: &Client, crooked: bool) -> Result<(), ClientError> {
    let request = signed(&request(&mut crook.wire, &[WORK]), &crook.key);
    let attempt = client.open_attempt(&request, crook.key.public(), &crook.site.trust)?;
    let done = Done::compute(&WORK, &attempt.start()?.seed, 0);
    attempt.commit(0, &done.commitment(&attempt.id(), 0, &crook.key))?;
    let lanes = attempt.samples()?;
    let mut openings: Vec<Opening> = done.open(&lanes[0]);
    if crooked {
        openings[0].state[0] ^= 1;
    }
    attempt.open(vec![openings]).map(drop)
}

/// The transcript of a proven session with one thing changed: nobody who recomputes it believes it.
fn altered_transcript(site: &Site, trials: usize) -> Line {
    let mut crook = site.crook();
    let (held, verdict) = crook.prove_honestly();
    assert!(is_proven(&verdict));
    let sound = crook.wire.get(&held.path("/transcript")).unwrap();
    assert!(believed(&sound.json(), &site.trust), "the transcript as it was");
    let other = Sha256::of(b"another").to_string();
    site.always(
        trials,
        "a transcript altered afterwards",
        "anybody recomputes the verdict from it",
        |crook| {
            let mut altered = sound.json();
            let session = &mut altered["session"];
            let number = crook.number;
            match number % 6 {
                0 => session["nonce"] = other.clone().into(),
                1 => session["secret"] = other.clone().into(),
                2 => session["commitments"][0]["elapsedNs"] = (1 + number).into(),
                3 => session["commitments"][0]["root"] = other.clone().into(),
                4 => session["startedAt"] = "2026-11-22T00:00:00Z".into(),
                _ => {
                    let openings = session["openings"][0].as_array_mut().unwrap();
                    let at = number % openings.len();
                    openings[at]["state"] = openings[(at + 1) % openings.len()]["state"].clone();
                }
            }
            !believed(&altered, &crook.site.trust)
        },
    )
}

fn believed(transcript: &Value, trust: &TrustedRoot) -> bool {
    let transcript = Transcript::parse(transcript.to_string().as_bytes());
    transcript.is_ok_and(|transcript| transcript.verify(trust).is_ok())
}

/// Two logs with the same name and keys, the same at first. Whoever holds a later checkpoint of one is not taken in by the
/// other, though its checkpoints are signed and its proofs are those of its tiles.
fn rewritten(trials: usize) -> Line {
    let (first, second) = twins();
    let submitter = key();
    // An envelope is signed anew each time, so the logs share bodies, not numbers.
    let [same, one, two] = [0, 1000, 2000].map(|from| -> Vec<Vec<u8>> {
        let numbers = from..from + ENTRIES as u64;
        numbers.map(|number| sample(number, &submitter).body).collect()
    });
    let fill = |served: &Served, own: &[Vec<u8>]| -> Vec<Checkpoint> {
        let mut wire = served.wire();
        let log = served.trust().log(crate::bench::ORIGIN).unwrap();
        let mut seen = Vec::new();
        for body in same[..SHARED].iter().chain(&own[SHARED..]) {
            assert_eq!(wire.post(body).unwrap().status, 201);
            let note = wire.get("/checkpoint").unwrap();
            seen.push(checkpoint::open(note.text(), &log).unwrap());
        }
        seen
    };
    let (kept, newer) = (fill(&first, &one), fill(&second, &two));
    let path = |older: u64, newest: u64, wire: &mut Wire| {
        let mut reader = HashReader::new(newest, |id| {
            wire.get(&format!("/{}", id.path())).map(|answer| answer.body)
        });
        merkle::consistency_path(older, newest, |level, index| reader.hash(level, index)).unwrap()
    };
    let mut wire = second.wire();
    let last = &newer[ENTRIES - 1];
    let follows = |older: &Checkpoint, newest: &Checkpoint, wire: &mut Wire| {
        let path = match older.size <= newest.size {
            true => path(older.size, newest.size, wire),
            false => Vec::new(),
        };
        newest.follows(older, &path).is_ok()
    };
    assert!(follows(&newer[SHARED], last, &mut wire), "a log follows itself");
    assert!(
        follows(&kept[SHARED - 1], last, &mut wire),
        "what both share is followed"
    );
    let differing = ENTRIES - SHARED;
    let caught = (0..trials)
        .filter(|trial| {
            let older = &kept[SHARED + trial % differing];
            let newest = &newer[SHARED + trial / differing % differing];
            !follows(older, newest, &mut wire)
        })
        .count();
    Line::always(
        "registry rewrote its log",
        "the reader's older checkpoint and a consistency proof",
        trials,
        caught,
    )
}

/// Two registries with one set of keys.
fn twins() -> (Served, Served) {
    let mut keys = std::path::PathBuf::new();
    let first = serve_with(|config| keys = config.data.join("keys"));
    let second = serve_with(|config| {
        let copy = config.data.join("keys");
        std::fs::create_dir_all(&copy).unwrap();
        std::fs::copy(keys.join("log.pem"), copy.join("log.pem")).unwrap();
    });
    (first, second)
}
