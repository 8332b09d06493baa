//! Times that the provider would like to be others.

use std::time::{Duration, Instant};

use super::line::Line;
use super::{AT_ONCE, Site, WORK, is_proven};
use crate::prover::{Done, Held, open, request};

/// What the registry that is too slow for late ones allows.
const ALLOWED: Duration = Duration::from_millis(60);

/// How long a provider dawdles.
const DAWDLE: Duration = Duration::from_millis(10);

pub(crate) fn lines(site: &Site, trials: usize) -> Vec<Line> {
    vec![forged(site, trials), late(trials), hours_off(site, trials)]
}

/// Commits with every claim of an earlier time that HTTP and JSON have room for.
fn forged(site: &Site, trials: usize) -> Line {
    site.always(
        trials,
        "forged timers and a back-dated commitment",
        "only the registry's clock counts",
        |crook| {
            let (held, seed) = crook.begin(&[WORK]);
            let began = Instant::now();
            let done = Done::compute(&WORK, &seed, 0);
            std::thread::sleep(DAWDLE);
            let passed = began.elapsed();
            let mut body = serde_json::to_value(done.commitment(&held.id, 0, &crook.key)).unwrap();
            body["elapsedNs"] = 1.into();
            body["committedAt"] = "2001-01-01T00:00:00Z".into();
            let lines = format!("{}Date: Mon, 01 Jan 2001 00:00:00 GMT\r\n", held.lines());
            let body = body.to_string();
            let answer = crook
                .wire
                .post_to(&held.path("/commitments/0"), &lines, body.as_bytes());
            assert_eq!(answer.unwrap().status, 200, "what is claimed besides is not read");
            let openings = held.openings(&mut crook.wire, &[done]);
            let verdict = crook.open(&held, &openings);
            let proven = verdict.tasks[0].proven.as_ref();
            proven.is_some_and(|proven| u128::from(proven.elapsed_ns) >= passed.as_nanos())
        },
    )
}

/// Commits after the limit, with the dates of before.
fn late(trials: usize) -> Line {
    let site = Site::open(|config| config.limits.sessions.commit = ALLOWED);
    let cheat = "committing past the limit, back-dated";
    let line = site.always(
        trials,
        cheat,
        "the registry's clock; the verdict is `late`",
        |crook| {
            let (held, seed) = crook.begin(&[WORK]);
            let done = Done::compute(&WORK, &seed, 0);
            std::thread::sleep(ALLOWED);
            let body = serde_json::to_vec(&done.commitment(&held.id, 0, &crook.key)).unwrap();
            let lines = format!("{}Date: Mon, 01 Jan 2001 00:00:00 GMT\r\n", held.lines());
            let path = held.path("/commitments/0");
            let answer = crook.wire.post_to(&path, &lines, &body).unwrap();
            let shown = held.wait(&mut crook.wire, "ended");
            answer.status != 200 && shown["verdict"]["outcome"] == "late"
        },
    );
    site.close();
    line
}

/// An honest provider whose clock is wrong: nothing depends on it.
fn hours_off(site: &Site, trials: usize) -> Line {
    let dates = [
        "1970-01-01T00:00:00Z",
        "2026-11-22T03:00:00Z",
        "2026-11-23T09:00:00Z",
        "2099-12-31T23:59:59Z",
    ];
    let refused = site.tries(trials, AT_ONCE, |crook| {
        let mut request = request(&mut crook.wire, &[WORK]);
        request.predicate.requested_at = dates[crook.number % dates.len()].to_owned();
        let answer = open(&mut crook.wire, &request, &crook.key);
        if answer.status != 201 {
            return true;
        }
        let held = Held::of(&answer);
        let seed = crook.start(&held);
        let verdict = crook.prove(&held, Done::compute(&WORK, &seed, 0));
        !is_proven(&verdict)
    });
    Line::never(
        "an honest provider whose clock is hours or decades off",
        "nothing depends on its clock",
        trials,
        refused,
        "none refused".to_owned(),
    )
}
