//! The client's side of a proof, against an honest registry and against one that lies on the way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use attest::digest::Sha256;
use attest::key::SigningKey;
use attest::proof::Outcome;
use attest::trust::TrustedRoot;
use registry::client::{Attempt, AttemptQuery, Client, ClientError};

use crate::bench::{Served, key, serve};
use crate::prover::{Done, SMALL, request, signed};
use crate::relay::{Relay, relay, relay_both};

const PATIENCE: Duration = Duration::from_secs(20);

fn client(served: &Served) -> Client {
    Client::new(&format!("http://{}", served.running.address()), PATIENCE).unwrap()
}

/// Opens an attempt of two tasks.
fn open<'a>(
    client: &'a Client,
    served: &Served,
    key: &SigningKey,
    trust: &'a TrustedRoot,
) -> Result<Attempt<'a>, ClientError> {
    let request = request(&mut served.wire(), &[SMALL, SMALL]);
    client.open_attempt(&signed(&request, key), key.public(), trust)
}

/// Starts it and does the work.
fn work(attempt: &Attempt<'_>) -> Vec<Done> {
    let seed = attempt.start().unwrap().seed;
    (0..2).map(|task| Done::compute(&SMALL, &seed, task)).collect()
}

fn commit(attempt: &Attempt<'_>, key: &SigningKey, done: &[Done]) -> Result<(), ClientError> {
    for (task, done) in done.iter().enumerate() {
        attempt.commit(task, &done.commitment(&attempt.id(), task, key))?;
    }
    Ok(())
}

#[test]
fn a_whole_proof_comes_back_verified_and_recomputed() {
    let served = serve();
    let (client, trust, key) = (client(&served), served.trust(), key());
    let attempt = open(&client, &served, &key, &trust).unwrap();
    assert_eq!(client.attempt(&attempt.id()).unwrap()["state"], "opened");
    assert!(matches!(
        attempt.commit(
            0,
            &Done::compute(&SMALL, &attempt.id(), 0).commitment(&attempt.id(), 0, &key)
        ),
        Err(ClientError::Step(_))
    ));
    let done = work(&attempt);
    assert!(matches!(attempt.start(), Err(ClientError::Step(_))));
    assert!(matches!(attempt.samples(), Err(ClientError::Step(_))));
    // Each device commits from a thread of its own.
    std::thread::scope(|scope| {
        for (task, done) in done.iter().enumerate() {
            let (attempt, key) = (&attempt, &key);
            scope.spawn(move || {
                attempt
                    .commit(task, &done.commitment(&attempt.id(), task, key))
                    .unwrap()
            });
        }
    });
    let lanes = attempt.samples().unwrap();
    let openings = done.iter().zip(&lanes).map(|(done, lanes)| done.open(lanes));
    let judged = attempt.open(openings.collect()).unwrap();
    assert!(judged.recomputed && judged.verdict.predicate.outcome == Outcome::Proven);
    assert!(
        judged
            .verdict
            .predicate
            .tasks
            .iter()
            .all(|task| task.proven.is_some())
    );
    let fetched = client.verdict(&attempt.id(), &trust).unwrap();
    assert!(fetched.receipt == judged.receipt && fetched.digest == judged.digest);
    let (transcript, verified) = client.transcript(&attempt.id(), &trust).unwrap();
    assert_eq!(*transcript.session(), attempt.session());
    assert_eq!(verified.verdict_digest, judged.digest);
    let query = AttemptQuery {
        key_id: Some(key.public().id()),
        ..AttemptQuery::default()
    };
    assert_eq!(
        client.attempts(&query).unwrap()["attempts"][0]["id"],
        attempt.id().to_string()
    );
}

#[test]
fn wrong_work_is_judged_wrong_and_giving_up_aborted_on_both_sides() {
    let served = serve();
    let (client, trust, key) = (client(&served), served.trust(), key());
    let attempt = open(&client, &served, &key, &trust).unwrap();
    let done: Vec<Done> = work(&attempt).into_iter().map(Done::spoiled).collect();
    commit(&attempt, &key, &done).unwrap();
    let lanes = attempt.samples().unwrap();
    let openings = done.iter().zip(&lanes).map(|(done, lanes)| done.open(lanes));
    let judged = attempt.open(openings.collect()).unwrap();
    assert!(judged.recomputed && judged.verdict.predicate.outcome == Outcome::Wrong);

    let attempt = open(&client, &served, &key, &trust).unwrap();
    attempt.start().unwrap();
    let judged = attempt.abort().unwrap();
    assert!(judged.recomputed && judged.verdict.predicate.outcome == Outcome::Aborted);
}

/// Brings an attempt through a relay as far as it goes.
fn through(served: &Served, relay: &Relay, key: &SigningKey) -> Result<(), ClientError> {
    let client = Client::new(&format!("http://{}", relay.address), PATIENCE).unwrap();
    let trust = served.trust();
    let attempt = open(&client, served, key, &trust)?;
    let done = work(&attempt);
    commit(&attempt, key, &done)?;
    let lanes = attempt.samples()?;
    let openings = done.iter().zip(&lanes).map(|(done, lanes)| done.open(lanes));
    attempt.open(openings.collect()).map(drop)
}

#[test]
fn a_registry_that_lies_at_any_step_is_caught() {
    let served = serve();
    let (client, trust) = (client(&served), served.trust());
    let foreign = open(&client, &served, &key(), &trust).unwrap();
    let receipt = foreign.receipt().to_vec();
    let verdict = foreign.abort().unwrap().receipt;
    type Lie = Box<dyn Fn(&mut serde_json::Value) + Send + Sync>;
    let set = |pointer: &'static str, value: serde_json::Value| -> Lie {
        Box::new(move |answer| *answer.pointer_mut(pointer).unwrap() = value.clone())
    };
    let whole = |bytes: &[u8]| -> Lie {
        let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        Box::new(move |answer| *answer = value.clone())
    };
    let lies: Vec<(&str, &str, Lie)> = vec![
        ("/attempts", "not what was asked for", whole(&receipt)),
        ("/attempts", "", whole(&verdict)),
        (
            "/commitments/1",
            "passed here",
            set("/elapsedNs", (1u64 << 52).into()),
        ),
        ("/samples", "do not follow", set("/tasks/0/3", 1000.into())),
        (
            "/samples",
            "not the one that the attempt is bound to",
            set("/secret", Sha256::of(b"drawn before").to_string().into()),
        ),
        ("/openings", "on another attempt", whole(&verdict)),
        ("/openings", "", whole(&receipt)),
    ];
    for (step, what, lie) in lies {
        let relay = relay(served.running.address(), move |path, answer| {
            if path.ends_with(step) {
                let mut value = answer.json();
                lie(&mut value);
                answer.body = value.to_string().into_bytes();
            }
            true
        });
        let error = through(&served, &relay, &key()).unwrap_err();
        assert!(
            error.is_lie() && error.to_string().contains(what),
            "{step} {what}: {error}"
        );
    }
}

#[test]
fn a_registry_that_miscounts_within_reason_is_caught_by_the_verdict() {
    let served = serve();
    let relay = relay(served.running.address(), |path, answer| {
        if path.ends_with("/commitments/0") {
            answer.body = b"{\"elapsedNs\":1}".to_vec();
        }
        true
    });
    let error = through(&served, &relay, &key()).unwrap_err();
    assert!(error.to_string().contains("not the one that follows"), "{error}");
}

#[test]
fn a_start_whose_answer_is_lost_is_never_asked_for_twice() {
    let served = serve();
    let relay = relay(served.running.address(), |path, _| !path.ends_with("/start"));
    let client = Client::new(&format!("http://{}", relay.address), PATIENCE).unwrap();
    let (trust, key) = (served.trust(), key());
    let attempt = open(&client, &served, &key, &trust).unwrap();
    let error = attempt.start().unwrap_err();
    assert!(matches!(error, ClientError::Unsure { .. }), "{error}");
    assert_eq!(relay.asked("/start"), 1);
    let judged = attempt.abort().unwrap();
    assert!(!judged.recomputed && judged.verdict.predicate.outcome == Outcome::Aborted);
    relay.stop.store(true, Ordering::SeqCst);
}

#[test]
fn a_root_whose_answer_is_lost_is_asked_about_and_never_sent_again() {
    let served = serve();
    let lossy = [
        relay(served.running.address(), |path, _| {
            !path.ends_with("/commitments/0")
        }),
        // Something on the way answers in the registry's place.
        relay(served.running.address(), |path, answer| {
            if path.ends_with("/commitments/0") {
                answer.status = 502;
            }
            true
        }),
        relay(served.running.address(), |path, answer| {
            if path.ends_with("/commitments/0") {
                answer.body = b"<html>".to_vec();
            }
            true
        }),
    ];
    for relay in lossy {
        let client = Client::new(&format!("http://{}", relay.address), PATIENCE).unwrap();
        let (trust, key) = (served.trust(), key());
        let attempt = open(&client, &served, &key, &trust).unwrap();
        let done = work(&attempt);
        commit(&attempt, &key, &done).unwrap();
        let lanes = attempt.samples().unwrap();
        let openings = done.iter().zip(&lanes).map(|(done, lanes)| done.open(lanes));
        let judged = attempt.open(openings.collect()).unwrap();
        assert!(judged.recomputed && judged.verdict.predicate.outcome == Outcome::Proven);
        assert_eq!(relay.asked("/commitments/0"), 1);
        relay.stop.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_root_that_never_arrives_is_given_up_and_never_sent_again() {
    let served = serve();
    let relay = relay_both(
        served.running.address(),
        |path, _| !path.ends_with("/commitments/0"),
        |_, _| true,
    );
    let client = Client::new(&format!("http://{}", relay.address), PATIENCE).unwrap();
    let (trust, key) = (served.trust(), key());
    let attempt = open(&client, &served, &key, &trust).unwrap();
    let done = work(&attempt);
    let error = commit(&attempt, &key, &done).unwrap_err();
    assert!(matches!(error, ClientError::Unsure { .. }), "{error}");
    let again = commit(&attempt, &key, &done).unwrap_err();
    assert!(matches!(again, ClientError::Step(_)), "{again}");
    assert_eq!(relay.asked("/commitments/0"), 1);
    let judged = attempt.abort().unwrap();
    assert!(judged.verdict.predicate.outcome == Outcome::Aborted);
    relay.stop.store(true, Ordering::SeqCst);
}

#[test]
fn a_caller_cannot_send_a_root_twice() {
    let served = serve();
    let (client, trust, key) = (client(&served), served.trust(), key());
    let attempt = open(&client, &served, &key, &trust).unwrap();
    let done = work(&attempt);
    commit(&attempt, &key, &done).unwrap();
    let again = commit(&attempt, &key, &done).unwrap_err();
    assert!(matches!(again, ClientError::Step(_)), "{again}");
    assert_eq!(client.attempt(&attempt.id()).unwrap()["state"], "committed");
}

#[test]
fn a_registry_that_shows_another_root_than_was_sent_is_caught() {
    let served = serve();
    let relay = relay(served.running.address(), |path, answer| {
        if answer.status == 200 && path.matches('/').count() == 4 {
            let mut shown = answer.json();
            shown["commitments"][0]["root"] = Sha256::of(b"another").to_string().into();
            answer.body = shown.to_string().into_bytes();
        }
        !path.ends_with("/commitments/0")
    });
    let error = through(&served, &relay, &key()).unwrap_err();
    assert!(
        error.is_lie() && error.to_string().contains("never sent"),
        "{error}"
    );
    relay.stop.store(true, Ordering::SeqCst);
}
