//! Proofs in statements: borne out by this log's verdicts, shown, and found by filter; misquoted ones are claims.

use std::time::Duration;

use attest::digest::Sha256;
use attest::key::SigningKey;
use attest::statement::{Attempt, Count, ProofRef, Statement};
use registry::client::Client;

use crate::bench::{Served, key, serve};
use crate::prover::{Done, SMALL, request, signed};
use crate::sample::{sample_of, statement};

/// Proves two tasks and returns a statement of the same devices that quotes the verdict.
fn proven(served: &Served, key: &SigningKey) -> Statement {
    let url = format!("http://{}", served.running.address());
    let (client, trust) = (
        Client::new(&url, Duration::from_secs(20)).unwrap(),
        served.trust(),
    );
    let request = request(&mut served.wire(), &[SMALL, SMALL]);
    let attempt = client
        .open_attempt(&signed(&request, key), key.public(), &trust)
        .unwrap();
    let started = attempt.start().unwrap();
    let done: Vec<Done> = (0..2)
        .map(|task| Done::compute(&SMALL, &started.seed, task))
        .collect();
    for (task, done) in done.iter().enumerate() {
        attempt
            .commit(task, &done.commitment(&attempt.id(), task, key))
            .unwrap();
    }
    let lanes = attempt.samples().unwrap();
    let openings = done.iter().zip(&lanes).map(|(done, lanes)| done.open(lanes));
    let judged = attempt.open(openings.collect()).unwrap();
    let mut statement = statement(1);
    for (at, subject) in request.subject.iter().enumerate() {
        statement.subject[at + 1].digest = subject.digest.clone();
    }
    let verdict = &judged.verdict.predicate;
    let proofs = verdict.tasks.iter().map(|task| ProofRef {
        verdict: judged.digest,
        log_index: judged.log_index,
        device: task.device,
        work: task.work,
        proven: task.proven.clone().unwrap(),
    });
    let made_under = Attempt {
        log_index: verdict.attempt_index,
        digest: verdict.attempt,
        nonce: verdict.nonce.unwrap(),
    };
    statement.with_proofs(Some(made_under), proofs.collect()).unwrap()
}

fn listed(served: &Served, filter: &str) -> Vec<String> {
    let page = served
        .wire()
        .get(&format!("/api/v1/attestations?{filter}"))
        .unwrap()
        .json();
    let entries = page["attestations"].as_array().unwrap().clone();
    entries
        .iter()
        .map(|entry| entry["digest"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_proof_that_a_verdict_bears_out_is_timed_everywhere() {
    let (served, key) = (serve(), key());
    let sample = sample_of(&proven(&served, &key), &key);
    let plain = sample_of(&statement(2), &key);
    for body in [&sample.body, &plain.body] {
        assert_eq!(served.wire().post(body).unwrap().status, 201);
    }
    assert_eq!(listed(&served, "evidence=timed"), [sample.digest.to_string()]);
    assert_eq!(listed(&served, "evidence=claimed").len(), 2);
    assert_eq!(listed(&served, "evidence=rooted").len(), 0);
    let answer = served
        .wire()
        .get("/api/v1/attestations?evidence=certain")
        .unwrap();
    assert_eq!(answer.status, 400);
    let page = served
        .wire()
        .get(&format!("/attestations/{}", sample.digest))
        .unwrap();
    assert!(page.text().contains("verdict at leaf"), "{}", page.text());
    assert!(page.text().contains("66 of 200"), "{}", page.text());
    let front = served.wire().get("/?evidence=timed").unwrap();
    assert!(front.text().contains(&sample.digest.to_string()));
    assert!(!front.text().contains(&plain.digest.to_string()));
}

#[test]
fn a_proof_that_misquotes_its_verdict_or_names_none_is_a_claim() {
    let (served, key) = (serve(), key());
    let sound = proven(&served, &key);
    let mut faster = sound.clone();
    for proof in &mut faster.predicate.proofs {
        let elapsed = proof.proven.elapsed_ns / 1000 + 1;
        proof.proven = attest::proof::Proven::of(&proof.work, elapsed);
        assert!(proof.proven.rate > Count(0));
    }
    let mut unknown = sound.clone();
    for proof in &mut unknown.predicate.proofs {
        proof.verdict = Sha256::of(b"no verdict");
    }
    for spoiled in [faster, unknown] {
        let sample = sample_of(&spoiled, &key);
        assert_eq!(served.wire().post(&sample.body).unwrap().status, 201);
    }
    // The sound statement under another key is another's proof.
    let thief = crate::bench::key();
    let stolen = sample_of(&sound, &thief);
    assert_eq!(served.wire().post(&stolen.body).unwrap().status, 201);
    assert_eq!(listed(&served, "evidence=timed").len(), 0);
    assert_eq!(listed(&served, "evidence=claimed").len(), 3);
}
