//! What devices commit to and open, judged as a registry and every reader of a transcript judge it.

use std::time::Duration;

use attest::key::SigningKey;
use attest::proof::{
    AttemptLimits, Commitment, Of, Outcome as Judgement, Request, Session, SignedRoot, Stated, Task, Verdict,
    seeds,
};
use attest::statement::{Freshness, identity};
use kernels::device::discover;

use super::super::prepare::{Ready, Wanted, prepare};
use super::super::size::Proof;
use super::*;

const LIMITS: AttemptLimits = AttemptLimits {
    start_ms: 1_000,
    commit_ms: 60_000,
    open_ms: 60_000,
};

/// Everything of a session but the registry between the two.
fn judged(device: &dyn Device, proof: Proof, spoil: impl Fn(&mut Vec<Opening>)) -> Verdict {
    let target = Duration::from_millis(300);
    let Ready { mut prover, sized } = prepare(device, Wanted::Filling { proof, target }).expect("it can");
    let key = SigningKey::generate().expect("a key");
    let nothing = Sha256::of(b"");
    let secret = random().expect("randomness");
    let request = Request {
        salt: random().expect("randomness"),
        requested_at: "2026-01-01T00:00:00Z".to_owned(),
        freshness: Freshness {
            origin: "test".to_owned(),
            tree_size: 0,
            root_hash: nothing,
        },
        devices: vec![device.facts().clone()],
        tasks: vec![Task {
            device: 0,
            work: sized.work,
        }],
    };
    let name = (
        "device/0".to_owned(),
        identity(&device.facts().vendor, device.uuid()),
    );
    let attempt = Stated::new([name], request).attempt(
        nothing,
        key.public().id(),
        "2026-01-01T00:00:01Z".to_owned(),
        seeds::commitment(&secret),
        LIMITS,
    );
    let of = Of {
        attempt: &attempt,
        digest: Sha256::of(b"attempt"),
        log_index: 0,
        key: key.public(),
    };
    let mut session = Session {
        nonce: Some(random().expect("randomness")),
        started_at: Some("2026-01-01T00:00:02Z".to_owned()),
        secret: Some(secret),
        ..Session::default()
    };
    let seed = session.seed(&of).expect("the nonce is out");
    let (root, phases) = prover.commit(&seeds::task(&seed, 0)).expect("it runs");
    session.commitments = vec![Some(Commitment {
        signed: SignedRoot::sign(&of.digest, 0, root, &key),
        elapsed_ns: (phases.write + phases.run + phases.read_root).as_nanos() as u64,
    })];
    let samples = session.samples(&of).expect("all roots came");
    let mut openings = prover.open(&samples[0]).expect("it opens");
    spoil(&mut openings);
    session.openings = Some(vec![openings]);
    let verdict = session.judge(&of, "2026-01-01T00:00:09Z".to_owned());
    verdict.expect("plain JSON").predicate
}

#[test]
fn every_device_that_runs_on_the_processor_proves_what_it_did() {
    for device in discover().devices {
        for proof in Proof::ALL {
            let verdict = judged(&*device, proof, |_| {});
            let what = format!("{} {proof:?}: {:?}", device.facts().id, verdict.reason);
            assert_eq!(verdict.outcome, Judgement::Proven, "{what}");
        }
    }
}

#[test]
fn one_wrong_byte_of_one_lane_proves_nothing() {
    let devices = discover().devices;
    for proof in Proof::ALL {
        let verdict = judged(&*devices[0], proof, |openings| openings[0].state[0] ^= 1);
        assert_eq!(verdict.outcome, Judgement::Wrong, "{proof:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_root_on_every_device() {
    let work = Proof::ALL.map(|proof| super::super::size::with(proof.smallest(), 600, 3));
    let seed = Sha256::of(b"one seed");
    for work in work {
        let roots: Vec<Sha256> = discover()
            .devices
            .iter()
            .map(|device| {
                let mut prover = Prover::load(&**device, work).expect("it loads");
                prover.commit(&seed).expect("it runs").0
            })
            .collect();
        assert!(
            roots.windows(2).all(|pair| pair[0] == pair[1]),
            "{work:?}: {roots:?}"
        );
    }
}
