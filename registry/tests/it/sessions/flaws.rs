//! Wrong work, wrong bodies, slow bodies.

use std::time::Duration;

use attest::proof::Outcome;

use super::{Stage, bring, outcome, serve_freely, slug};
use crate::bench::key;
use crate::prover::{Held, SMALL};

#[test]
fn wrong_lanes_other_lanes_and_paths_that_lead_elsewhere_are_caught() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 6] = [
        ("other lanes were opened", |tasks| {
            tasks[0].as_array_mut().unwrap().pop();
        }),
        ("other lanes were opened", |tasks| {
            tasks[0].as_array_mut().unwrap().swap(0, 1);
        }),
        ("not under the committed root", |tasks| {
            tasks[0][3]["path"] = tasks[0][4]["path"].clone();
        }),
        ("not under the committed root", |tasks| {
            tasks[0][3]["state"] = tasks[0][4]["state"].clone();
        }),
        ("a state of 3 bytes, not 64", |tasks| {
            tasks[0][0]["state"] = "AAAA".into();
        }),
        ("0 task(s) were opened, 1 committed", |tasks| {
            *tasks = serde_json::json!([]);
        }),
    ];
    for (want, change) in changes {
        let (held, done) = bring(&mut wire, &key, Stage::Committed);
        let mut body: serde_json::Value = serde_json::from_slice(&held.openings(&mut wire, &done)).unwrap();
        change(&mut body["tasks"]);
        let answer = held.post(&mut wire, "/openings", body.to_string().as_bytes());
        let (outcome, reason) = outcome(&served, &answer);
        let reason = reason.unwrap();
        assert!(
            outcome == Outcome::Wrong && reason.contains(want),
            "{want}: {reason}"
        );
    }
    let held = Held::open(&mut wire, &key, &[SMALL]);
    let done = held.start(&mut wire, &key, &[SMALL]).remove(0).spoiled();
    assert_eq!(held.commit(&mut wire, &key, 0, &done).status, 200);
    let body = held.openings(&mut wire, &[done]);
    let answer = held.post(&mut wire, "/openings", &body);
    let (outcome, reason) = outcome(&served, &answer);
    assert_eq!(outcome, Outcome::Wrong);
    assert!(reason.unwrap().contains("is not what the work gives"));
    let shown = held.shown(&mut wire);
    assert!(shown["verdict"]["tasks"][0]["proven"].is_null(), "{shown}");
    served.stop_sound(14);
}

#[test]
fn a_malformed_body_is_refused_by_name_and_the_session_goes_on() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    let (held, _) = bring(&mut wire, &key, Stage::Opened);
    assert_eq!(slug(&held.post(&mut wire, "/start", b"{}")).1, "body-too-large");
    assert_eq!(slug(&held.post(&mut wire, "/abort", b"x")).1, "body-too-large");
    let done = held.start(&mut wire, &key, &[SMALL]);
    assert_eq!(held.commit(&mut wire, &key, 0, &done[0]).status, 200);
    let good = held.openings(&mut wire, &done);
    for body in [
        &b""[..],
        b"{}",
        b"{\"tasks\":1}",
        b"{\"tasks\":[[{}]]}",
        &good[..good.len() - 1],
    ] {
        let answer = held.post(&mut wire, "/openings", body);
        assert_eq!(slug(&answer), (400, "bad-body".to_owned()));
    }
    let mut huge = served.wire();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\n\r\n",
        held.path("/openings"),
        held.lines(),
        attest::proof::MAX_OPENINGS_BYTES + 1
    );
    huge.send(head.as_bytes()).unwrap();
    assert_eq!(slug(&huge.answer().unwrap()), (413, "body-too-large".to_owned()));
    let answer = held.post(&mut wire, "/openings", &good);
    assert_eq!(outcome(&served, &answer).0, Outcome::Proven);
}

#[test]
fn a_request_that_is_no_request_opens_nothing() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    let sound = crate::prover::request(&mut wire, &[SMALL, SMALL]);
    let mut twins = sound.clone();
    twins.subject[1].digest = twins.subject[0].digest.clone();
    let mut renamed = sound.clone();
    renamed.subject[1].name = "device/7".to_owned();
    for request in [twins, renamed] {
        let answer = crate::prover::open(&mut wire, &request, &key);
        assert_eq!(slug(&answer), (422, "bad-statement".to_owned()));
    }
    let attestation = crate::sample::sample(1, &key).body;
    let answer = wire.post_to("/api/v1/attempts", "", &attestation).unwrap();
    assert_eq!(slug(&answer), (422, "bad-statement".to_owned()));
    let body = crate::sample::body(&crate::prover::signed(&sound, &key), &crate::bench::key());
    let answer = wire.post_to("/api/v1/attempts", "", &body).unwrap();
    assert_eq!(slug(&answer), (422, "bad-signature".to_owned()));
    assert_eq!(
        wire.post(&crate::sample::body(&crate::prover::signed(&sound, &key), &key))
            .unwrap()
            .status,
        422
    );
    served.stop_sound(0);
}

#[test]
fn a_slow_body_is_cut_off_at_every_step_and_the_clock_waits_for_its_last_byte() {
    let served = serve_freely(|config| config.limits.body_timeout = Duration::from_millis(600));
    let (mut wire, key) = (served.wire(), key());
    let held = Held::open(&mut wire, &key, &[SMALL]);
    let slow = |path: &str, sent: &[u8]| {
        let mut wire = served.wire();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n{}Content-Length: 400\r\n\r\n",
            held.lines()
        );
        wire.send(&[head.as_bytes(), sent].concat()).unwrap();
        wire
    };
    let paths = ["/commitments/0", "/openings"].map(|step| held.path(step));
    for path in paths.iter().map(String::as_str).chain(["/api/v1/attempts"]) {
        let answer = slow(path, b"{").answer().unwrap();
        assert_eq!(slug(&answer), (408, "body-timeout".to_owned()), "{path}");
    }
    let done = held.start(&mut wire, &key, &[SMALL]);
    let body = serde_json::to_string(&done[0].commitment(&held.id, 0, &key)).unwrap();
    let padded = format!("{body}{}", " ".repeat(400 - body.len()));
    let mut wire = slow(&paths[0], &padded.as_bytes()[..399]);
    std::thread::sleep(Duration::from_millis(300));
    wire.send(b" ").unwrap();
    let answer = wire.answer().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["elapsedNs"].as_u64().unwrap() >= 300_000_000);
}
