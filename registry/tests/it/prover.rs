//! A small honest prover, and requests for it.

use std::io;

use attest::checkpoint::Unverified;
use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::key::SigningKey;
use attest::merkle;
use attest::proof::{Opening, Request, SignedRoot, Stated, Task, Work, seeds};
use attest::statement::{Api, Device, DeviceKind, Driver, Freshness, identity};

use crate::wire::{Answer, Wire};

pub(crate) const SMALL: Work = Work::Mlp {
    lanes: 200,
    width: 64,
    layers: 2,
    steps: 3,
};

/// A request for `works`, each on a device of its own, with the newest checkpoint of the registry behind `wire`.
pub(crate) fn request(wire: &mut Wire, works: &[Work]) -> Stated<Request> {
    try_request(wire, works).unwrap()
}

/// The same, of a registry that may go away.
pub(crate) fn try_request(wire: &mut Wire, works: &[Work]) -> io::Result<Stated<Request>> {
    let note = wire.get("/checkpoint")?;
    let newest = Unverified::parse(note.text()).unwrap().claimed().clone();
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).unwrap();
    let devices = (0..works.len()).map(device);
    let tasks = works.iter().enumerate().map(|(at, work)| Task {
        device: at as u32,
        work: *work,
    });
    Ok(Stated::new(
        (0..works.len()).map(|at| (format!("device/{at}"), identity("Sample", &format!("uuid-{at}")))),
        Request {
            salt: Sha256(salt),
            requested_at: "2026-03-01T10:00:00Z".to_owned(),
            freshness: Freshness {
                origin: newest.origin,
                tree_size: newest.size,
                root_hash: newest.root,
            },
            devices: devices.collect(),
            tasks: tasks.collect(),
        },
    ))
}

fn device(at: usize) -> Device {
    Device {
        id: format!("cuda:{at}"),
        api: Api::Cuda,
        kind: DeviceKind::Gpu,
        name: "Sample GPU <80GB>".to_owned(),
        vendor: "Sample".to_owned(),
        driver: Driver {
            name: "sample".to_owned(),
            version: "1.2".to_owned(),
        },
        memory_bytes: 80 << 30,
        compute_units: Some(132),
        cache_bytes: Some(50 << 20),
        features: Vec::new(),
    }
}

/// The envelope of a request signed by `key`.
pub(crate) fn signed(request: &Stated<Request>, key: &SigningKey) -> Vec<u8> {
    Envelope::sign(request.to_bytes().unwrap(), key).to_json()
}

/// One task's work, done.
pub(crate) struct Done {
    pub(crate) states: Vec<Vec<u8>>,
    /// Hashes of complete subtrees, leaves first.
    levels: Vec<Vec<Sha256>>,
}

impl Done {
    /// Computes every lane of task `task` from the session's seed.
    pub(crate) fn compute(work: &Work, seed: &Sha256, task: usize) -> Self {
        let lanes: Vec<u64> = (0..work.lanes()).collect();
        let states = work.recompute(&seeds::task(seed, task), &lanes).unwrap();
        Self::of(states)
    }

    pub(crate) fn of(states: Vec<Vec<u8>>) -> Self {
        let mut level: Vec<Sha256> = states.iter().map(|state| merkle::leaf_hash(state)).collect();
        let mut levels = Vec::new();
        while !level.is_empty() {
            let (pairs, _) = level.as_chunks::<2>();
            let above = pairs.iter().map(|[left, right]| merkle::node_hash(left, right));
            let above = above.collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        Self { states, levels }
    }

    /// The same with every lane wrong, and committed to.
    pub(crate) fn spoiled(mut self) -> Self {
        for state in &mut self.states {
            state[0] ^= 1;
        }
        Self::of(self.states)
    }

    pub(crate) fn root(&self) -> Sha256 {
        merkle::root(&self.levels[0])
    }

    pub(crate) fn commitment(&self, attempt: &Sha256, task: usize, key: &SigningKey) -> SignedRoot {
        SignedRoot::sign(attempt, task, self.root(), key)
    }

    pub(crate) fn open(&self, lanes: &[u64]) -> Vec<Opening> {
        let opening = |&lane: &u64| Opening {
            lane,
            state: self.states[lane as usize].clone(),
            path: self.path(lane),
        };
        lanes.iter().map(opening).collect()
    }

    fn path(&self, lane: u64) -> Vec<Sha256> {
        let size = self.states.len() as u64;
        let read = |level: u8, index: u64| -> Result<Sha256, std::convert::Infallible> {
            Ok(self.levels[usize::from(level)][index as usize])
        };
        merkle::inclusion_path(size, lane, read).unwrap()
    }
}

/// An attempt over a bare connection, so that each step can be malformed, late or out of turn.
pub(crate) struct Held {
    pub(crate) id: Sha256,
    pub(crate) token: String,
}

impl Held {
    /// Opens an attempt; panics unless it is taken.
    pub(crate) fn open(wire: &mut Wire, key: &SigningKey, works: &[Work]) -> Self {
        let request = request(wire, works);
        let answer = open(wire, &request, key);
        assert_eq!(answer.status, 201, "{}", answer.text());
        Self::of(&answer)
    }

    pub(crate) fn of(answer: &Answer) -> Self {
        let location = answer.header("location").unwrap();
        let id = location.strip_prefix("/api/v1/attempts/").unwrap();
        Self {
            id: Sha256::from_hex(id).unwrap(),
            token: answer.header("hallmark-session").unwrap().to_owned(),
        }
    }

    pub(crate) fn path(&self, step: &str) -> String {
        format!("/api/v1/attempts/{}{step}", self.id)
    }

    pub(crate) fn lines(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    pub(crate) fn post(&self, wire: &mut Wire, step: &str, body: &[u8]) -> Answer {
        wire.post_to(&self.path(step), &self.lines(), body).unwrap()
    }

    pub(crate) fn get(&self, wire: &mut Wire, step: &str) -> Answer {
        wire.get_with(&self.path(step), &self.lines()).unwrap()
    }

    /// Asks for the nonce and does the work.
    pub(crate) fn start(&self, wire: &mut Wire, key: &SigningKey, works: &[Work]) -> Vec<Done> {
        let answer = self.post(wire, "/start", b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.work(&answer, key, works)
    }

    /// The work that follows from the nonce in this answer.
    pub(crate) fn work(&self, started: &Answer, key: &SigningKey, works: &[Work]) -> Vec<Done> {
        let nonce = Sha256::from_hex(started.json()["nonce"].as_str().unwrap()).unwrap();
        let seed = seeds::session(&nonce, &key.public().id(), &self.id);
        let done = works.iter().enumerate();
        done.map(|(task, work)| Done::compute(work, &seed, task))
            .collect()
    }

    pub(crate) fn commit(&self, wire: &mut Wire, key: &SigningKey, task: usize, done: &Done) -> Answer {
        let body = serde_json::to_vec(&done.commitment(&self.id, task, key)).unwrap();
        self.post(wire, &format!("/commitments/{task}"), &body)
    }

    /// The lanes asked for, opened.
    pub(crate) fn openings(&self, wire: &mut Wire, done: &[Done]) -> Vec<u8> {
        let answer = self.get(wire, "/samples");
        assert_eq!(answer.status, 200, "{}", answer.text());
        opened(&answer, done)
    }

    /// The attempt as anybody sees it.
    pub(crate) fn shown(&self, wire: &mut Wire) -> serde_json::Value {
        wire.get(&self.path("")).unwrap().json()
    }

    /// Waits until the attempt is in this state.
    pub(crate) fn wait(&self, wire: &mut Wire, state: &str) -> serde_json::Value {
        let started = std::time::Instant::now();
        loop {
            let shown = self.shown(wire);
            if shown["state"] == state {
                return shown;
            }
            assert!(started.elapsed() < std::time::Duration::from_secs(10), "{shown}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// The lanes that this answer names, opened.
pub(crate) fn opened(samples: &Answer, done: &[Done]) -> Vec<u8> {
    let lanes: Vec<Vec<u64>> = serde_json::from_value(samples.json()["tasks"].clone()).unwrap();
    let opened = done.iter().zip(&lanes).map(|(done, lanes)| done.open(lanes));
    serde_json::to_vec(&attest::proof::OpeningsBody {
        tasks: opened.collect(),
    })
    .unwrap()
}

/// Sends a request.
pub(crate) fn open(wire: &mut Wire, request: &Stated<Request>, key: &SigningKey) -> Answer {
    let body = crate::sample::body(&signed(request, key), key);
    wire.post_to("/api/v1/attempts", "", &body).unwrap()
}
