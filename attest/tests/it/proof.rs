//! Sessions judged: an honest one, and each way to be anything else.

mod roots;
pub(crate) mod scene;
mod transcripts;

use attest::digest::Sha256;
use attest::proof::{Ending, Outcome, ProtocolError, Work};
use attest::statement::{Count, Evidence};

use scene::{Scene, mlp, vram};

#[test]
fn an_honest_session_is_proven_with_its_rate() {
    for work in [mlp(), vram()] {
        let scene = Scene::honest(&[work, work]);
        let verdict = scene.verdict().predicate;
        assert_eq!((verdict.outcome, verdict.reason), (Outcome::Proven, None));
        assert_eq!(verdict.tasks.len(), 2);
        for task in verdict.tasks {
            let proven = task.proven.expect("proven");
            assert_eq!(proven.evidence, Evidence::Timed);
            assert_eq!(proven.lanes_opened, 66);
            assert_eq!(
                proven.rate,
                Count(work.units() * 1_000_000_000 / proven.elapsed_ns)
            );
        }
    }
}

/// What a cheat changes in an honest session, and what becomes of it.
type Cheat = (&'static str, fn(&mut Scene), Outcome, &'static str);

const CHEATS: &[Cheat] = &[
    (
        "another state, honestly committed",
        |scene| scene.recommit(0, |state| state.iter_mut().for_each(|row| row[0] ^= 1)),
        Outcome::Wrong,
        "is not what the work gives",
    ),
    (
        "the right state opened, another committed",
        |scene| {
            let right = scene.session.openings.clone();
            scene.recommit(0, |state| state.iter_mut().for_each(|row| row[0] ^= 1));
            let right = right.expect("opened");
            let opened = scene.session.openings.as_mut().expect("opened");
            for opening in &mut opened[0] {
                if let Some(other) = right[0].iter().find(|other| other.lane == opening.lane) {
                    opening.state.clone_from(&other.state);
                } else {
                    opening.state[0] ^= 1;
                }
            }
        },
        Outcome::Wrong,
        "not under the committed root",
    ),
    (
        "other lanes than were drawn",
        |scene| scene.openings(0).swap(0, 1),
        Outcome::Wrong,
        "other lanes were opened",
    ),
    (
        "a lane twice",
        |scene| {
            let first = scene.openings(0)[0].clone();
            scene.openings(0)[1] = first;
        },
        Outcome::Wrong,
        "other lanes were opened",
    ),
    (
        "a lane fewer",
        |scene| drop(scene.openings(0).pop()),
        Outcome::Wrong,
        "other lanes were opened",
    ),
    (
        "a task fewer",
        |scene| drop(scene.session.openings.as_mut().expect("opened").pop()),
        Outcome::Wrong,
        "1 task(s) were opened, 2 committed",
    ),
    (
        "a longer state",
        |scene| scene.openings(0)[3].state.push(0),
        Outcome::Wrong,
        "a state of",
    ),
    (
        "a path cut short",
        |scene| scene.openings(1)[0].path.truncate(2),
        Outcome::Wrong,
        "not under the committed root",
    ),
    (
        "one task's roots for the other",
        |scene| {
            let root = scene.session.commitments[0]
                .clone()
                .expect("committed")
                .signed
                .root;
            scene.sign_root(1, root);
            scene.draw_again();
        },
        Outcome::Wrong,
        "not under the committed root",
    ),
    (
        "past the limit",
        |scene| scene.commitment(1).elapsed_ns = 120_000_000_001,
        Outcome::Late,
        "120000 ms were allowed",
    ),
    (
        "a root that the provider did not sign",
        |scene| scene.commitment(0).signed.signature[20] ^= 1,
        Outcome::Aborted,
        "did not sign",
    ),
    (
        "a secret other than the registry was bound to",
        |scene| scene.session.secret = Some(Sha256::of(b"drawn later")),
        Outcome::Aborted,
        "another sampling secret",
    ),
    (
        "no openings",
        |scene| scene.session.openings = None,
        Outcome::Aborted,
        "no openings",
    ),
    (
        "no nonce",
        |scene| scene.session.nonce = None,
        Outcome::Aborted,
        "no nonce",
    ),
    (
        "a commitment fewer",
        |scene| drop(scene.session.commitments.pop()),
        Outcome::Aborted,
        "another number of commitments",
    ),
    (
        "given up",
        |scene| scene.session.ending = Some(Ending::GivenUp),
        Outcome::Aborted,
        "gave up",
    ),
    (
        "never committed",
        |scene| scene.session.ending = Some(Ending::NotCommitted),
        Outcome::Late,
        "did not come in time",
    ),
];

#[test]
fn every_cheat_loses_the_session() {
    for (cheat, change, outcome, reason) in CHEATS {
        let mut scene = Scene::honest(&[mlp(), mlp()]);
        change(&mut scene);
        let verdict = scene.verdict().predicate;
        assert_eq!(verdict.outcome, *outcome, "{cheat}: {:?}", verdict.reason);
        let told = verdict.reason.expect("a reason");
        assert!(told.contains(reason), "{cheat}: {told}");
        assert!(verdict.tasks.iter().all(|task| task.proven.is_none()), "{cheat}");
    }
}

#[test]
fn outputs_made_for_another_nonce_are_wrong() {
    let honest = Scene::honest(&[mlp()]);
    let mut replayed = Scene::with_nonce(&[mlp()], Sha256::of(b"another nonce"));
    let old = honest.states[0].clone();
    replayed.recommit(0, |state| *state = old.clone());
    assert_eq!(replayed.verdict().predicate.outcome, Outcome::Wrong);
}

/// Fewer steps, fewer layers, a narrower row: all of them another work than the attempt states.
#[test]
fn less_work_than_stated_is_wrong() {
    for (steps, layers) in [(2, 2), (3, 1)] {
        let less = Work::Mlp {
            lanes: 200,
            width: 64,
            layers,
            steps,
        };
        let mut scene = Scene::honest(&[mlp()]);
        let seed = scene.task_seed(0);
        let all: Vec<u64> = (0..200).collect();
        let states = less.recompute(&seed, &all).expect("sound work");
        scene.recommit(0, |state| *state = states.clone());
        assert_eq!(scene.verdict().predicate.outcome, Outcome::Wrong);
    }
}

#[test]
fn one_device_has_one_task_whatever_it_is_called() {
    let mut request = scene::request(&[mlp(), mlp()]);
    request.subject[1].digest = request.subject[0].digest.clone();
    assert!(matches!(
        request.check_devices(),
        Err(ProtocolError::OneDevice {
            first: 0,
            second: 1,
            ..
        })
    ));
    let mixed = scene::request(&[mlp(), vram()]);
    assert!(matches!(
        mixed.to_bytes(),
        Err(ProtocolError::MixedWork { task: 1 })
    ));
}

#[test]
fn work_that_cannot_be_counted_or_checked_is_refused() {
    let with = |lanes, width, layers, steps| Work::Mlp {
        lanes,
        width,
        layers,
        steps,
    };
    for (work, says) in [
        (with(0, 64, 1, 1), "lanes"),
        (with(1 << 33, 64, 1, 1), "lanes"),
        (with(1, 63, 1, 1), "width"),
        (with(1, 1088, 1, 1), "width"),
        (with(1, 64, 0, 1), "layers"),
        (with(1, 64, 17, 1), "layers"),
        (with(1, 64, 1, 0), "steps"),
        (with(100, 1024, 1, 1 << 30), "take more lanes and fewer steps"),
        (with(1 << 32, 1024, 1, 1 << 12), "past 2^63"),
    ] {
        let refusal = work.check().expect_err(says).to_string();
        assert!(refusal.contains(says), "{refusal}");
    }
    let table = |entries, rounds| Work::Vram {
        entries,
        lanes: 100,
        steps: 10,
        rounds,
    };
    for (work, says) in [
        (table(3, 16), "entries"),
        (table(1 << 33, 16), "entries"),
        (table(16, 1), "rounds"),
        (table(16, 16), "1000 reads of 16 entries show no table"),
    ] {
        let refusal = work.check().expect_err(says).to_string();
        assert!(refusal.contains(says), "{refusal}");
    }
}
