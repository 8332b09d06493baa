//! What one key, and all together, may ask of the registry.

use std::time::Duration;

use attest::digest::Sha256;
use attest::proof::{Outcome, Work};
use registry::Rate;

use super::{Stage, bring, outcome, serve_freely, slug};
use crate::bench::{key, serve_with};
use crate::prover::{Held, SMALL, open, request};

#[test]
fn a_key_and_all_keys_have_so_many_attempts_at_a_time() {
    let served = serve_freely(|config| {
        config.limits.sessions.open_per_key = 2;
        config.limits.sessions.open = 3;
    });
    let mut wire = served.wire();
    let (ours, theirs, third) = (key(), key(), key());
    let first = Held::open(&mut wire, &ours, &[SMALL]);
    Held::open(&mut wire, &ours, &[SMALL]);
    let mut refused = |key| {
        let request = request(&mut wire, &[SMALL]);
        let answer = open(&mut wire, &request, key);
        assert!(answer.header("retry-after").is_some());
        (
            slug(&answer).1,
            answer.json()["detail"].as_str().unwrap().to_owned(),
        )
    };
    let (kind, detail) = refused(&ours);
    assert!(
        kind == "too-many-attempts" && detail.contains("this key has 2"),
        "{detail}"
    );
    Held::open(&mut served.wire(), &theirs, &[SMALL]);
    let (kind, detail) = refused(&third);
    assert!(
        kind == "too-many-attempts" && detail.starts_with("3 attempts"),
        "{detail}"
    );
    assert_eq!(first.post(&mut wire, "/abort", b"").status, 200);
    Held::open(&mut wire, &third, &[SMALL]);
}

#[test]
fn a_key_has_so_many_attempts_and_so_much_checking_a_minute() {
    let slow = |burst| Rate {
        per_second: 0.1,
        burst,
    };
    let served = serve_with(|config| config.limits.sessions.attempts = slow(1.0));
    let (mut wire, ours) = (served.wire(), key());
    Held::open(&mut wire, &ours, &[SMALL]);
    let second = request(&mut wire, &[SMALL]);
    let answer = open(&mut wire, &second, &ours);
    assert_eq!(slug(&answer), (429, "rate-limited".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("10"));
    Held::open(&mut wire, &key(), &[SMALL]);

    // 66 lanes of 1024 x 1024 a step: 1.15 s of checking for each 250 steps, as it is reckoned.
    let dear = |lanes, steps| Work::Mlp {
        lanes,
        width: 1024,
        layers: 1,
        steps,
    };
    let table = |steps| Work::Vram {
        entries: 256,
        lanes: 66,
        steps,
        rounds: 16,
    };
    let served = serve_with(|config| config.limits.sessions.check_seconds = slow(3.0));
    let mut wire = served.wire();
    Held::open(&mut wire, &ours, &[dear(1 << 16, 500)]);
    let second = request(&mut wire, &[dear(1 << 16, 250)]);
    let answer = open(&mut wire, &second, &ours);
    assert_eq!(slug(&answer), (429, "rate-limited".to_owned()));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    // One lane is recomputed in a tile of six; 22,727 steps of 66 * 16 compressions take 3.0 s at 8 M a second.
    for never in [dear(1 << 16, 750), dear(1, 8250), table(22_728)] {
        let never = request(&mut wire, &[never]);
        let answer = open(&mut wire, &never, &key());
        assert_eq!(slug(&answer), (422, "check-too-dear".to_owned()));
    }
    for just in [dear(1, 7000), table(22_727)] {
        Held::open(&mut wire, &key(), &[just]);
    }
}

#[test]
fn a_request_is_fresh_by_a_checkpoint_that_was_the_newest_a_little_while_ago() {
    let served = serve_freely(|config| config.limits.sessions.freshness = Duration::from_millis(400));
    let (mut wire, key) = (served.wire(), key());
    let refused = |answer: &crate::wire::Answer, want: &str| {
        assert_eq!(slug(answer), (422, "stale-request".to_owned()));
        assert!(answer.text().contains(want), "{}", answer.text());
    };
    let empty = request(&mut wire, &[SMALL]);
    let mut elsewhere = empty.clone();
    elsewhere.predicate.freshness.origin = "elsewhere.test/log".to_owned();
    refused(&open(&mut wire, &elsewhere, &key), "it is for the log");
    let mut invented = empty.clone();
    invented.predicate.freshness.root_hash = Sha256::of(b"invented");
    refused(&open(&mut wire, &invented, &key), "no such checkpoint of 0");
    let mut ahead = empty.clone();
    ahead.predicate.freshness.tree_size = 1 << 40;
    refused(&open(&mut wire, &ahead, &key), "no such checkpoint");
    let replaced = request(&mut wire, &[SMALL]);
    wire.post(&crate::sample::sample(1, &key).body).unwrap();
    assert_eq!(open(&mut wire, &replaced, &key).status, 201, "replaced just now");
    let newest = request(&mut wire, &[SMALL]);
    std::thread::sleep(Duration::from_millis(500));
    refused(&open(&mut wire, &empty, &key), "was replaced");
    assert_eq!(
        open(&mut wire, &newest, &key).status,
        201,
        "old, and still the newest"
    );
}

#[test]
fn openings_that_find_the_queue_full_are_asked_for_again() {
    let served = serve_freely(|config| {
        config.limits.sessions.check_threads = 1;
        config.limits.sessions.checks_queued = 1;
    });
    // A few seconds of checking each.
    let slow = Work::Vram {
        entries: 1 << 10,
        lanes: 66,
        steps: 4000,
        rounds: 16,
    };
    let address = served.running.address();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let proofs: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(move || {
                    let (mut wire, key) = (crate::wire::Wire::connect(address).unwrap(), key());
                    let held = Held::open(&mut wire, &key, &[slow]);
                    let done = held.start(&mut wire, &key, &[slow]);
                    assert_eq!(held.commit(&mut wire, &key, 0, &done[0]).status, 200);
                    let body = held.openings(&mut wire, &done);
                    let mut busy = 0;
                    loop {
                        let answer = held.post(&mut wire, "/openings", &body);
                        if answer.status == 200 {
                            return (busy, answer);
                        }
                        assert_eq!(slug(&answer), (503, "checks-full".to_owned()));
                        assert_eq!(answer.header("retry-after"), Some("2"));
                        busy += 1;
                        std::thread::sleep(Duration::from_millis(50));
                    }
                })
            })
            .collect();
        proofs.into_iter().map(|proof| proof.join().unwrap()).collect()
    });
    assert!(answers.iter().any(|(busy, _)| *busy > 0), "never full");
    for (_, answer) in answers {
        assert_eq!(outcome(&served, &answer).0, Outcome::Proven);
    }
    served.stop_sound(12);
}

#[test]
fn openings_sent_again_while_they_are_checked_wait_for_the_one_verdict() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    let slow = Work::Vram {
        entries: 1 << 10,
        lanes: 66,
        steps: 20_000,
        rounds: 16,
    };
    let held = Held::open(&mut wire, &key, &[slow]);
    let done = held.start(&mut wire, &key, &[slow]);
    assert_eq!(held.commit(&mut wire, &key, 0, &done[0]).status, 200);
    let body = held.openings(&mut wire, &done);
    let mut first = served.wire();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\n\r\n",
        held.path("/openings"),
        held.lines(),
        body.len()
    );
    first.send(&[head.as_bytes(), &body].concat()).unwrap();
    // Both are on the way at once; the first must be there first.
    std::thread::sleep(Duration::from_millis(100));
    let mut statuses = Vec::new();
    let verdict = loop {
        let answer = held.post(&mut wire, "/openings", &body);
        statuses.push(answer.status);
        if answer.status == 200 {
            break answer;
        }
        assert_eq!(slug(&answer), (503, "being-checked".to_owned()));
        let abort = held.post(&mut wire, "/abort", b"");
        assert!(abort.status == 409, "{}", abort.text());
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(
        statuses.contains(&503),
        "the check was over before it was asked about"
    );
    assert!(first.answer().unwrap().body == verdict.body);
    assert_eq!(outcome(&served, &verdict).0, Outcome::Proven);
    let (other, _) = bring(&mut wire, &key, Stage::Opened);
    assert_ne!(other.id, held.id);
    served.stop_sound(3);
}
