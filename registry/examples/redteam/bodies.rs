//! Malformed, huge and slow bodies at every step, while others prove.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::line::Line;
use super::roots::is_ended;
use super::{Crook, Site, WORK, is_proven, is_wrong, slug};
use crate::prover::{Done, Held};
use crate::wire::Answer;

const STEPS: [&str; 5] = ["", "/start", "/commitments/0", "/openings", "/abort"];

/// What a body has to be complete.
const BODY_TIME: Duration = Duration::from_millis(300);

#[derive(Clone, Copy)]
enum Flaw {
    NoJson,
    OtherJson,
    Deep,
    Bytes,
    Huge,
    Slow,
}

const FLAWS: [Flaw; 6] = [
    Flaw::NoJson,
    Flaw::OtherJson,
    Flaw::Deep,
    Flaw::Bytes,
    Flaw::Huge,
    Flaw::Slow,
];

pub(crate) fn lines(trials: usize) -> Vec<Line> {
    let site = Site::open(|config| config.limits.body_timeout = BODY_TIME);
    let (over, others, misjudged) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let caught = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut crook = site.crook();
            while !over.load(Ordering::Acquire) {
                let right = judged_right(&mut crook);
                others.fetch_add(1, Ordering::Relaxed);
                misjudged.fetch_add(usize::from(!right), Ordering::Relaxed);
            }
        });
        let caught = site.tries(trials, super::AT_ONCE, refused);
        over.store(true, Ordering::Release);
        caught
    });
    let (others, misjudged) = (others.into_inner(), misjudged.into_inner());
    site.close();
    vec![
        Line::always(
            "malformed, huge and slow bodies at every step",
            "bounded sizes, times and parsers; the session goes on, or ends by a root that is none",
            trials,
            caught,
        ),
        Line::never(
            "meanwhile: honest and cheating sessions judged wrongly",
            "each session for itself",
            others,
            misjudged,
            "none".to_owned(),
        ),
    ]
}

/// One honest session and one with wrong lanes.
fn judged_right(crook: &mut Crook<'_>) -> bool {
    let honest = crook.prove_honestly().1;
    let (held, seed) = crook.begin(&[WORK]);
    let wrong = crook.prove(&held, Done::compute(&WORK, &seed, 0).spoiled());
    is_proven(&honest) && is_wrong(&wrong, "is not what the work gives")
}

/// Sends one flaw to one step of a session that waits for it, then proves; a whole body in a root's place ends it instead.
fn refused(crook: &mut Crook<'_>) -> bool {
    let step = STEPS[crook.number % STEPS.len()];
    let flaw = FLAWS[crook.number / STEPS.len() % FLAWS.len()];
    let held = Held::open(&mut crook.wire, &crook.key, &[WORK]);
    if step != "/commitments/0" && step != "/openings" {
        let refused = is_refused(&send(crook, &held, step, flaw));
        let seed = crook.start(&held);
        return refused && is_proven(&crook.prove(&held, Done::compute(&WORK, &seed, 0)));
    }
    let seed = crook.start(&held);
    if step == "/commitments/0" && !matches!(flaw, Flaw::Huge | Flaw::Slow) {
        let answer = send(crook, &held, step, flaw);
        return is_ended(crook, &held, &answer, "is none");
    }
    let done = Done::compute(&WORK, &seed, 0);
    let early = step == "/commitments/0" && is_refused(&send(crook, &held, step, flaw));
    assert_eq!(held.commit(&mut crook.wire, &crook.key, 0, &done).status, 200);
    let late = step == "/openings" && is_refused(&send(crook, &held, step, flaw));
    let openings = held.openings(&mut crook.wire, &[done]);
    (early || late) && is_proven(&crook.open(&held, &openings))
}

fn is_refused(answer: &Answer) -> bool {
    (400..500).contains(&answer.status) && !slug(answer).is_empty()
}

/// Over a connection of its own: after some of these it is of no more use.
fn send(crook: &Crook<'_>, held: &Held, step: &str, flaw: Flaw) -> Answer {
    let path = match step {
        "" => "/api/v1/attempts".to_owned(),
        step => held.path(step),
    };
    let body = match flaw {
        Flaw::NoJson | Flaw::Slow => b"{".to_vec(),
        Flaw::OtherJson => br#"{"envelope":7,"root":"","tasks":[[{}]]}"#.to_vec(),
        Flaw::Deep => b"[".repeat(900),
        Flaw::Bytes => (0..=255).cycle().take(777).collect(),
        Flaw::Huge => Vec::new(),
    };
    let length = match flaw {
        Flaw::Huge => u64::MAX / 2,
        Flaw::Slow => 900,
        _ => body.len() as u64,
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n{}Content-Length: {length}\r\n\r\n",
        held.lines()
    );
    let mut wire = crook.site.served.wire();
    wire.send(&[head.as_bytes(), &body].concat()).unwrap();
    wire.answer().unwrap()
}
