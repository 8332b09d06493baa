//! Roots that come early, twice or wrong: each ends its attempt, and the transcript says why.

use std::time::Duration;

use attest::digest::Sha256;
use attest::key::SigningKey;
use attest::proof::{Outcome, SignedRoot, Transcript};
use registry::start_with;

use super::{Stage, bring, free, outcome, serve_freely, slug};
use crate::bench::{Served, config, key};
use crate::flaky::{Break, Point, Switch};
use crate::prover::{Done, Held, SMALL};
use crate::wire::{Answer, Wire};

fn root(held: &Held, task: usize, key: &SigningKey) -> Vec<u8> {
    let signed = SignedRoot::sign(&held.id, task, Sha256::of(b"root"), key);
    serde_json::to_vec(&signed).unwrap()
}

/// Holds an attempt to having ended as wrong for this reason, by the answer, the verdict and the transcript.
fn ended(served: &Served, held: &Held, answer: &Answer, reason: &str) {
    assert_eq!(slug(answer), (422, "wrong-root".to_owned()), "{reason}");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(reason), "{reason}: {detail}");
    let mut wire = served.wire();
    let shown = held.shown(&mut wire);
    assert_eq!(shown["state"], "ended", "{shown}");
    let (outcome, told) = outcome(served, &wire.get(&held.path("/verdict")).unwrap());
    let told = told.unwrap();
    assert!(outcome == Outcome::Wrong && told.contains(reason), "{told}");
    let transcript = wire.get(&held.path("/transcript")).unwrap();
    let verified = Transcript::parse(&transcript.body)
        .unwrap()
        .verify(&served.trust())
        .unwrap();
    assert_eq!(verified.verdict.predicate.reason, Some(told));
    let page = wire.get(&format!("/attempts/{}", held.id)).unwrap();
    assert!(page.text().contains(reason), "{}", page.text());
    let late = held.post(&mut wire, "/openings", b"{\"tasks\":[]}");
    assert_eq!(slug(&late), (409, "wrong-state".to_owned()), "{reason}");
}

#[test]
fn a_root_that_is_no_root_or_not_this_task_s_ends_the_attempt() {
    let served = serve_freely(|_| {});
    let (mut wire, key, stranger) = (served.wire(), key(), key());
    let good = |held: &Held| String::from_utf8(root(held, 0, &key)).unwrap();
    let deep = format!("{{\"a\":{}1{},", "[".repeat(100), "]".repeat(100));
    type Body<'a> = Box<dyn Fn(&Held) -> Vec<u8> + 'a>;
    let text = |change: fn(String) -> String| -> Body<'_> { Box::new(move |held| change(good(held)).into()) };
    let (none, foreign) = ("is none", "did not sign");
    let cases: Vec<(&str, &str, Body<'_>)> = vec![
        ("0", none, text(|_| String::new())),
        ("0", none, text(|_| "{".to_owned())),
        ("0", none, text(|_| "[]".to_owned())),
        ("0", none, text(|good| good.replace("root", "toor"))),
        (
            "0",
            none,
            text(|good| good.replace("\"root\":\"", "\"root\":\"A")),
        ),
        ("0", none, text(|good| good + "x")),
        ("0", none, text(|good| good.replacen('{', "{\"root\":\"\",", 1))),
        (
            "0",
            none,
            Box::new(|held| good(held).replacen('{', &deep, 1).into()),
        ),
        ("0", none, Box::new(|_| (0..=255).collect())),
        ("0", foreign, Box::new(|held| root(held, 0, &stranger))),
        ("0", foreign, Box::new(|held| root(held, 1, &key))),
        ("1", "does not have", Box::new(|held| root(held, 1, &key))),
    ];
    let count = cases.len() as u64;
    for (task, reason, body) in cases {
        let (held, _) = bring(&mut wire, &key, Stage::Started);
        let answer = held.post(&mut wire, &format!("/commitments/{task}"), &body(&held));
        ended(&served, &held, &answer, reason);
    }
    served.stop_sound(2 * count);
}

#[test]
fn a_root_of_another_attempt_ends_this_one_and_not_the_other() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    let (other, _) = bring(&mut wire, &key, Stage::Started);
    let (held, _) = bring(&mut wire, &key, Stage::Started);
    let answer = held.post(&mut wire, "/commitments/0", &root(&other, 0, &key));
    ended(&served, &held, &answer, "did not sign");
    assert_eq!(other.shown(&mut wire)["state"], "started");
}

#[test]
fn a_second_root_ends_the_attempt_whatever_it_is() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    let works = [SMALL, SMALL];
    for both in [false, true] {
        for what in ["the same", "another", "none"] {
            let held = Held::open(&mut wire, &key, &works);
            let done = held.start(&mut wire, &key, &works);
            for (task, done) in done.iter().enumerate().take(1 + usize::from(both)) {
                assert_eq!(held.commit(&mut wire, &key, task, done).status, 200);
            }
            let answer = match what {
                "the same" => held.commit(&mut wire, &key, 0, &done[0]),
                "another" => held.post(&mut wire, "/commitments/0", &root(&held, 0, &key)),
                _ => held.post(&mut wire, "/commitments/0", b""),
            };
            ended(&served, &held, &answer, "task 0: a second root");
        }
    }
    served.stop_sound(12);
}

#[test]
fn a_root_before_the_nonce_ends_the_attempt() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    let (held, _) = bring(&mut wire, &key, Stage::Opened);
    let answer = held.post(&mut wire, "/commitments/0", &root(&held, 0, &key));
    ended(&served, &held, &answer, "before the nonce");
    assert_eq!(slug(&held.post(&mut wire, "/start", b"")).1, "wrong-state");
    served.stop_sound(2);
}

#[test]
fn a_root_without_the_token_ends_nothing() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    let (held, done) = bring(&mut wire, &key, Stage::Started);
    let (other, _) = bring(&mut wire, &key, Stage::Started);
    let path = held.path("/commitments/0");
    for body in [root(&held, 0, &key), b"{".to_vec()] {
        let none = wire.post_to(&path, "", &body).unwrap();
        assert_eq!(slug(&none), (401, "no-token".to_owned()));
        let wrong = wire.post_to(&path, &other.lines(), &body).unwrap();
        assert_eq!(slug(&wrong), (403, "wrong-token".to_owned()));
    }
    proves(&served, &held, &done, &key);
}

#[test]
fn what_did_not_come_whole_or_is_refused_for_its_head_ends_nothing() {
    let served = serve_freely(|config| config.limits.body_timeout = Duration::from_millis(200));
    let (mut wire, key) = (served.wire(), key());
    let (held, done) = bring(&mut wire, &key, Stage::Started);
    let good = root(&held, 0, &key);
    let sent = |step: &str, kind: &str, length: usize, body: &[u8]| {
        let mut wire = served.wire();
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: test\r\nContent-Type: {kind}\r\n{}Content-Length: {length}\r\n\r\n",
            held.path(step),
            held.lines()
        );
        wire.send(&[head.as_bytes(), body].concat()).unwrap();
        wire
    };
    let (step, json) = ("/commitments/0", "application/json");
    let (whole, half) = (good.len(), &good[..good.len() / 2]);
    for (step, kind, length, body, want) in [
        (step, json, whole, half, (408, "body-timeout")),
        (step, json, 1025, &good[..], (413, "body-too-large")),
        (step, "text/plain", whole, &good[..], (415, "wrong-media-type")),
        ("/commitments/-1", json, whole, &good[..], (404, "not-found")),
        (
            "/commitments/4294967296",
            json,
            whole,
            &good[..],
            (404, "not-found"),
        ),
    ] {
        let answer = sent(step, kind, length, body).answer().unwrap();
        assert_eq!(
            slug(&answer),
            (want.0, want.1.to_owned()),
            "{step} {kind} {length}"
        );
    }
    // Cut off in the middle: there is nobody to answer.
    drop(sent(step, json, whole, half));
    std::thread::sleep(Duration::from_millis(300));
    proves(&served, &held, &done, &key);
}

/// Holds a started attempt to being as it was, and proves.
fn proves(served: &Served, held: &Held, done: &[Done], key: &SigningKey) {
    let mut wire = served.wire();
    let shown = held.shown(&mut wire);
    assert_eq!(shown["state"], "started", "{shown}");
    assert_eq!(shown["commitments"], serde_json::json!([null]));
    let answer = held.commit(&mut wire, key, 0, &done[0]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let taken = &held.shown(&mut wire)["commitments"][0];
    assert_eq!(taken["root"], done[0].root().to_string());
    assert_eq!(taken["elapsedNs"], answer.json()["elapsedNs"]);
    let openings = held.openings(&mut wire, done);
    let verdict = held.post(&mut wire, "/openings", &openings);
    assert_eq!(outcome(served, &verdict).0, Outcome::Proven);
}

#[test]
fn a_wrong_root_ends_the_attempt_once_when_the_store_or_the_log_fails() {
    for (point, persisted) in [(Point::Swap, false), (Point::Swap, true), (Point::Outside, false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        free(&mut config);
        let (switch, key) = (Switch::default(), key());
        let running = start_with(config.clone(), switch.storage(&config)).unwrap();
        let mut wire = Wire::connect(running.address()).unwrap();
        let (held, _) = bring(&mut wire, &key, Stage::Started);
        switch.set(Some(Break { point, persisted }));
        let answer = held.post(&mut wire, "/commitments/0", b"{");
        assert_eq!(answer.status, 503, "{point:?}: {}", answer.text());
        switch.set(None);
        // What was not kept was not heard; the attempt goes on, and so may the provider.
        if point == Point::Swap && !persisted {
            assert_eq!(
                slug(&held.post(&mut wire, "/commitments/0", b"{")).1,
                "wrong-root"
            );
        }
        let shown = held.wait(&mut wire, "ended");
        assert_eq!(shown["verdict"]["outcome"], "wrong", "{point:?}: {shown}");
        running.stop().unwrap();
        let report = registry::fsck(&config.data).unwrap();
        assert!(report.is_sound() && report.entries == 2, "{report}");
    }
}
