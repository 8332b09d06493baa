//! One session from request to verdict, made up: the same bytes each time, every part open to change.

use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::merkle;
use attest::proof::{
    Attempt, AttemptLimits, Commitment, Of, Opening, Request, Session, SignedRoot, Stated, Task, Transcript,
    Verdict, Work, seeds,
};
use attest::statement::{Freshness, identity};
use attest::{leaf, receipt};

use crate::log::{self, Log, ORIGIN};
use crate::sample;

pub(crate) fn mlp() -> Work {
    Work::Mlp {
        lanes: 200,
        width: 64,
        layers: 2,
        steps: 3,
    }
}

pub(crate) fn vram() -> Work {
    Work::Vram {
        entries: 64,
        lanes: 101,
        steps: 41,
        rounds: 16,
    }
}

/// One task for each device, devices being as many as tasks.
pub(crate) fn request(works: &[Work]) -> Stated<Request> {
    let devices = sample::two_devices().measured.devices;
    let devices: Vec<_> = devices.into_iter().take(works.len()).collect();
    let tasks = works.iter().zip(0..).map(|(&work, device)| Task { device, work });
    let subjects = (0..devices.len()).map(|index| {
        let uuid = format!("uuid {index}");
        (format!("device/{index}"), identity(&devices[index].vendor, &uuid))
    });
    let subjects: Vec<_> = subjects.collect();
    Stated::new(
        subjects,
        Request {
            salt: Sha256::of(b"salt"),
            requested_at: "2026-11-22T13:00:00Z".into(),
            freshness: Freshness {
                origin: ORIGIN.into(),
                tree_size: 0,
                root_hash: Sha256::of(b""),
            },
            devices,
            tasks: tasks.collect(),
        },
    )
}

pub(crate) struct Scene {
    pub(crate) request: Envelope,
    pub(crate) attempt: Stated<Attempt>,
    pub(crate) attempt_envelope: Envelope,
    pub(crate) session: Session,
    /// Final states of each task, as committed.
    pub(crate) states: Vec<Vec<Vec<u8>>>,
}

const SECRET: &[u8] = b"sampling secret";

impl Scene {
    pub(crate) fn honest(works: &[Work]) -> Self {
        Self::with_nonce(works, Sha256::of(b"nonce"))
    }

    pub(crate) fn with_nonce(works: &[Work], nonce: Sha256) -> Self {
        let request = request(works);
        let envelope = Envelope::sign(request.to_bytes().expect("sound"), &sample::provider());
        let attempt = request.attempt(
            Sha256::of(&envelope.pae()),
            sample::provider().public().id(),
            "2026-11-22T13:00:01Z".into(),
            seeds::commitment(&Sha256::of(SECRET)),
            AttemptLimits {
                start_ms: 60_000,
                commit_ms: 120_000,
                open_ms: 60_000,
            },
        );
        let attempt_envelope = Envelope::sign(attempt.to_bytes().expect("sound"), &log::keys().ecdsa);
        let mut scene = Self {
            request: envelope,
            attempt,
            attempt_envelope,
            session: Session {
                nonce: Some(nonce),
                started_at: Some("2026-11-22T13:00:02Z".into()),
                commitments: vec![None; works.len()],
                secret: Some(Sha256::of(SECRET)),
                openings: None,
                ending: None,
                refused: None,
            },
            states: Vec::new(),
        };
        for (task, work) in works.iter().enumerate() {
            let all: Vec<u64> = (0..work.lanes()).collect();
            let states = work.recompute(&scene.task_seed(task), &all).expect("sound work");
            scene.states.push(states);
            scene.sign_root(task, scene.root(task));
        }
        scene.draw_again();
        scene
    }

    /// Devices as the request identifies them.
    pub(crate) fn request_subjects(&self) -> &[attest::statement::Subject] {
        &self.attempt.subject[1..]
    }

    pub(crate) fn digest(&self) -> Sha256 {
        Sha256::of(&self.attempt_envelope.pae())
    }

    pub(crate) fn judge(&self, of: &Of<'_>) -> Stated<Verdict> {
        self.session
            .judge(of, "2026-11-22T13:00:20Z".into())
            .expect("a session has a JSON form")
    }

    pub(crate) fn verdict(&self) -> Stated<Verdict> {
        self.judge(&Of {
            attempt: &self.attempt,
            digest: self.digest(),
            log_index: 0,
            key: sample::provider().public(),
        })
    }

    pub(crate) fn task_seed(&self, task: usize) -> Sha256 {
        let nonce = self.session.nonce.expect("started");
        let session = seeds::session(&nonce, &sample::provider().public().id(), &self.digest());
        seeds::task(&session, task)
    }

    fn hashes(&self, task: usize) -> Vec<Sha256> {
        self.states[task]
            .iter()
            .map(|state| merkle::leaf_hash(state))
            .collect()
    }

    fn root(&self, task: usize) -> Sha256 {
        merkle::root(&self.hashes(task))
    }

    pub(crate) fn sign_root(&mut self, task: usize, root: Sha256) {
        self.session.commitments[task] = Some(Commitment {
            signed: SignedRoot::sign(&self.digest(), task, root, &sample::provider()),
            elapsed_ns: 98_765 + task as u64,
        });
    }

    /// Commits to other states and opens what is drawn then.
    pub(crate) fn recommit(&mut self, task: usize, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        change(&mut self.states[task]);
        self.sign_root(task, self.root(task));
        self.draw_again();
    }

    /// Opens the lanes that secret and roots give.
    pub(crate) fn draw_again(&mut self) {
        let provider = sample::provider();
        let of = Of {
            attempt: &self.attempt,
            digest: self.digest(),
            log_index: 0,
            key: provider.public(),
        };
        let samples = self.session.samples(&of).expect("committed");
        let opened = samples
            .iter()
            .enumerate()
            .map(|(task, lanes)| self.open(task, lanes));
        self.session.openings = Some(opened.collect());
    }

    fn open(&self, task: usize, lanes: &[u64]) -> Vec<Opening> {
        let hashes = self.hashes(task);
        let subtree = |level: u8, index: u64| {
            let (low, high) = ((index << level) as usize, ((index + 1) << level) as usize);
            Ok::<_, std::convert::Infallible>(merkle::root(&hashes[low..high]))
        };
        let opening = |&lane: &u64| Opening {
            lane,
            state: self.states[task][lane as usize].clone(),
            path: merkle::inclusion_path(hashes.len() as u64, lane, subtree).expect("a lane"),
        };
        lanes.iter().map(opening).collect()
    }

    pub(crate) fn commitment(&mut self, task: usize) -> &mut Commitment {
        self.session.commitments[task].as_mut().expect("committed")
    }

    pub(crate) fn openings(&mut self, task: usize) -> &mut Vec<Opening> {
        &mut self.session.openings.as_mut().expect("opened")[task]
    }

    /// The transcript, attempt and verdict being leaves 0 and 1 of the log.
    pub(crate) fn transcript(&self, verdict: &Stated<Verdict>) -> Transcript {
        let keys = log::keys();
        let verdict = Envelope::sign(verdict.to_bytes().expect("sound"), &keys.ecdsa);
        let envelopes = [&self.attempt_envelope, &verdict];
        let leaves = envelopes.map(|envelope| {
            leaf::canonical(&Sha256::of(&envelope.pae()), &envelope.sig, keys.ecdsa.public())
        });
        let log = Log {
            leaves: leaves.into(),
        };
        let receipts = [0, 1].map(|index| {
            let envelope = envelopes[index as usize];
            log.receipt_by(index, envelope, keys.ecdsa.public(), ORIGIN, &keys)
        });
        assert!(receipt::Receipt::parse(&receipts[0]).is_ok());
        Transcript::new(
            &self.request.to_json(),
            sample::provider().public(),
            &receipts[0],
            self.session.clone(),
            &receipts[1],
        )
        .expect("JSON")
    }
}
