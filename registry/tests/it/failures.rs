//! Every step of an entry's way fails, with and without having been done, once and again, and the log goes on.

use std::net::SocketAddr;
use std::time::Duration;

use attest::receipt::Receipt;
use registry::{fsck, start, start_with};

use crate::bench::{config, key};
use crate::flaky::{Break, Point, Switch};
use crate::sample::sample;
use crate::wire::{Answer, Wire};

/// What a client sees while a step is broken.
#[derive(Clone, Copy)]
struct Case {
    broken: Break,
    /// Answer to the submission that meets it.
    status: u16,
    /// Whether reads show the entry meanwhile.
    published: bool,
}

const fn case(point: Point, persisted: bool, status: u16, published: bool) -> Case {
    Case {
        broken: Break { point, persisted },
        status,
        published,
    }
}

const TABLE: [Case; 7] = [
    case(Point::Commit, false, 503, false),
    // The head tells that it was committed after all, and the answer waits for that.
    case(Point::Commit, true, 200, true),
    case(Point::CommitAndHead, false, 503, false),
    case(Point::CommitAndHead, true, 503, false),
    case(Point::Outside, false, 503, false),
    case(Point::Outside, true, 503, false),
    // The commit itself refuses a second identity, so an unreadable index alone stops nothing.
    case(Point::Find, false, 201, true),
];

fn index(answer: &Answer) -> u64 {
    Receipt::parse(&answer.body).unwrap().log_index
}

#[test]
fn every_step_may_fail_done_or_not_and_nothing_is_lost_or_given_out_twice() {
    for case in TABLE {
        for restart in [false, true] {
            for repeats in [1, 2] {
                walk(case, restart, repeats);
            }
        }
    }
}

fn walk(case: Case, restart: bool, repeats: u32) {
    let what = format!("{:?}, restart {restart}, {repeats} times", case.broken);
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let key = key();
    let [first, second, third] = [1, 2, 3].map(|number| sample(number, &key));
    let switch = Switch::default();
    let running = start_with(config.clone(), switch.storage(&config)).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    let before = wire.post(&first.body).unwrap();
    assert_eq!(before.status, 201, "{what}");

    switch.set(Some(case.broken));
    for repeat in 0..repeats {
        let met = wire.post(&second.body).unwrap();
        let expected = if repeat > 0 && case.status == 201 {
            200
        } else {
            case.status
        };
        // Only the lookup knows a repetition, and it is what is broken.
        if case.broken.point != Point::Find || repeat == 0 {
            assert_eq!(met.status, expected, "{what}: {}", met.text());
        }
        if met.status == 503 {
            assert!(met.header("retry-after").is_some(), "{what}");
            assert_eq!(met.json()["type"], "urn:hallmark:problem:not-recorded", "{what}");
        }
    }
    let shown = wire
        .get(&format!("/api/v1/attestations/{}", second.digest))
        .unwrap();
    assert_eq!(shown.status == 200, case.published, "{what}: {}", shown.text());
    let size = if case.published { "2" } else { "1" };
    assert_eq!(
        wire.get("/checkpoint").unwrap().text().lines().nth(1),
        Some(size),
        "{what}"
    );
    switch.set(None);

    let (running, mut wire) = if restart {
        running.stop().unwrap();
        let running = start(config.clone()).unwrap();
        let wire = Wire::connect(running.address()).unwrap();
        (running, wire)
    } else {
        (running, wire)
    };
    let after = wire.post(&second.body).unwrap();
    assert!(matches!(after.status, 200 | 201), "{what}: {}", after.text());
    let last = wire.post(&third.body).unwrap();
    assert_eq!(last.status, 201, "{what}");
    assert_eq!((index(&before), index(&after), index(&last)), (0, 1, 2), "{what}");
    let again = wire.post(&first.body).unwrap();
    assert!(again.status == 200 && again.body == before.body, "{what}");
    assert_eq!(wire.get("/readyz").unwrap().status, 200, "{what}");
    running.stop().unwrap();
    let report = fsck(&config.data).unwrap();
    assert!(report.is_sound() && report.entries == 3, "{what}: {report}");
}

#[test]
fn readiness_tells_while_storage_fails_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let switch = Switch::default();
    let running = start_with(config.clone(), switch.storage(&config)).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    assert_eq!(wire.get("/readyz").unwrap().status, 200);
    switch.set(Some(Break {
        point: Point::Outside,
        persisted: false,
    }));
    assert_eq!(wire.post(&sample(1, &key()).body).unwrap().status, 503);
    let stalled = wire.get("/readyz").unwrap();
    assert_eq!(
        (stalled.status, stalled.json()["type"].as_str()),
        (503, Some("urn:hallmark:problem:storage"))
    );
    assert_eq!(wire.get("/healthz").unwrap().status, 200);
    switch.set(None);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(
        wire.get("/readyz").unwrap().status,
        200,
        "the log settles by itself"
    );
    assert_eq!(wire.get("/checkpoint").unwrap().text().lines().nth(1), Some("1"));
}

#[test]
fn a_full_queue_pushes_back_and_loses_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.limits.queue = 1;
    config.limits.batch = 1;
    let switch = Switch::default();
    switch.delay(Duration::from_millis(150));
    let running = start_with(config.clone(), switch.storage(&config)).unwrap();
    let address = running.address();
    let key = key();
    const CLIENTS: u64 = 12;
    let refusals: u64 = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let body = sample(number, &key).body;
                scope.spawn(move || refusals_until_logged(address, &body))
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert!(refusals > 0, "a queue of one never was full");
    running.stop().unwrap();
    assert_eq!(fsck(&config.data).unwrap().entries, CLIENTS);
}

/// Posts until the envelope is logged, and counts how often the queue was full.
fn refusals_until_logged(address: SocketAddr, body: &[u8]) -> u64 {
    let mut refusals = 0;
    loop {
        let answer = Wire::connect(address).unwrap().post(body).unwrap();
        if answer.status == 201 {
            return refusals;
        }
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json()["type"], "urn:hallmark:problem:queue-full");
        assert_eq!(answer.header("retry-after"), Some("2"));
        refusals += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_clean_stop_answers_what_is_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let switch = Switch::default();
    switch.delay(Duration::from_millis(400));
    let running = start_with(config.clone(), switch.storage(&config)).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    let body = sample(1, &key()).body;
    let client = std::thread::spawn(move || wire.post(&body).unwrap().status);
    std::thread::sleep(Duration::from_millis(100));
    running.stop().unwrap();
    assert_eq!(client.join().unwrap(), 201);
    assert_eq!(fsck(&config.data).unwrap().entries, 1);
}
