//! Roots that end a session: each as it came, so that anybody finds the same ending.

use attest::digest::Sha256;
use attest::key::SigningKey;
use attest::proof::{Ending, Outcome, RefusedRoot, SignedRoot, Transcript};

use super::scene::{Scene, mlp};
use crate::{log, sample};

/// Before its last root came.
fn unfinished() -> Scene {
    let mut scene = Scene::honest(&[mlp(), mlp()]);
    scene.session.commitments[1] = None;
    scene.session.secret = None;
    scene.session.openings = None;
    scene
}

fn signed(scene: &Scene, task: usize, key: &SigningKey) -> Vec<u8> {
    let root = SignedRoot::sign(&scene.digest(), task, Sha256::of(b"root"), key);
    serde_json::to_vec(&root).expect("JSON")
}

fn end(scene: &mut Scene, ending: Ending, task: u32, body: Vec<u8>) {
    scene.session.ending = Some(ending);
    scene.session.refused = Some(RefusedRoot { task, body });
}

/// What came for which task, how it ends the session, and what the verdict says.
type Case = (Ending, u32, fn(&Scene) -> Vec<u8>, &'static str);

const CASES: &[Case] = &[
    (
        Ending::StrayRoot,
        2,
        |scene| signed(scene, 2, &sample::provider()),
        "does not have",
    ),
    (
        Ending::SecondRoot,
        0,
        |scene| signed(scene, 0, &sample::provider()),
        "task 0: a second root",
    ),
    (Ending::SecondRoot, 0, |_| Vec::new(), "task 0: a second root"),
    (Ending::MalformedRoot, 1, |_| Vec::new(), "is none"),
    (Ending::MalformedRoot, 1, |_| b"{\"root\":1}".to_vec(), "is none"),
    (Ending::MalformedRoot, 1, |_| (0..=255).collect(), "is none"),
    (
        Ending::MalformedRoot,
        1,
        |scene| [signed(scene, 1, &sample::provider()), vec![b' '; 1024]].concat(),
        "is none",
    ),
    (
        Ending::ForeignRoot,
        1,
        |scene| signed(scene, 0, &sample::provider()),
        "did not sign",
    ),
    (
        Ending::ForeignRoot,
        1,
        |scene| signed(scene, 1, &log::keys().ecdsa),
        "did not sign",
    ),
    (
        Ending::ForeignRoot,
        1,
        |_| signed(&Scene::honest(&[mlp()]), 1, &sample::provider()),
        "did not sign",
    ),
];

#[test]
fn a_root_that_is_not_the_one_a_task_takes_ends_the_session_and_anybody_sees_why() {
    for (ending, task, body, reason) in CASES {
        let mut scene = unfinished();
        let body = body(&scene);
        end(&mut scene, *ending, *task, body);
        let verdict = scene.verdict();
        let told = verdict.predicate.reason.clone().expect("a reason");
        assert_eq!(verdict.predicate.outcome, Outcome::Wrong, "{ending:?}: {told}");
        assert!(told.contains(reason), "{ending:?}: {told}");
        let transcript = scene.transcript(&verdict).to_json();
        let read = Transcript::parse(&transcript).expect("sound");
        let verified = read.verify(&log::trusted_root()).expect("recomputed");
        assert_eq!(verified.verdict.predicate.reason, Some(told));
    }
    let mut early = unfinished();
    early.session.nonce = None;
    early.session.commitments = vec![None; 2];
    let body = signed(&early, 0, &sample::provider());
    end(&mut early, Ending::EarlyRoot, 0, body);
    let verdict = early.verdict().predicate;
    assert_eq!(verdict.outcome, Outcome::Wrong);
    assert!(verdict.reason.expect("a reason").contains("before the nonce"));
}

#[test]
fn a_registry_that_ends_a_session_for_a_root_that_was_right_is_found_out() {
    let provider = sample::provider();
    let honest = unfinished();
    let right = signed(&honest, 1, &provider);
    let came = |task, body: &[u8]| {
        let body = body.to_vec();
        Some(RefusedRoot { task, body })
    };
    for (ending, refused) in [
        (Ending::ForeignRoot, came(1, &right)),
        (Ending::MalformedRoot, came(1, &right)),
        (Ending::SecondRoot, came(1, &right)),
        (Ending::EarlyRoot, came(1, &right)),
        (Ending::StrayRoot, came(0, &right)),
        (Ending::SecondRoot, None),
        (Ending::GivenUp, came(1, b"{")),
    ] {
        let mut scene = unfinished();
        scene.session.ending = Some(ending);
        scene.session.refused = refused;
        let verdict = scene.verdict().predicate;
        let told = verdict.reason.expect("a reason");
        assert!(
            verdict.outcome == Outcome::Aborted && told.contains("does not follow from what came"),
            "{ending:?}: {told}"
        );
    }
    let mut unended = Scene::honest(&[mlp()]);
    unended.session.refused = Some(RefusedRoot { task: 0, body: right });
    let told = unended.verdict().predicate.reason.expect("a reason");
    assert!(told.contains("no ending"), "{told}");
}

#[test]
fn what_was_refused_is_bound_by_the_verdict() {
    let mut scene = unfinished();
    end(&mut scene, Ending::MalformedRoot, 1, b"{".to_vec());
    let verdict = scene.verdict();
    let mut other = unfinished();
    end(&mut other, Ending::MalformedRoot, 1, b"[".to_vec());
    let transcript = other.transcript(&verdict);
    let refused = transcript.verify(&log::trusted_root()).expect_err("another body");
    assert!(refused.to_string().contains("another verdict"), "{refused}");
}
