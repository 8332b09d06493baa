//! Old things said again.

use attest::proof::Verdict;

use super::line::Line;
use super::{Site, WORK, is_proven, slug};
use crate::prover::{Done, Held, open, request};

pub(crate) fn lines(site: &Site, trials: usize) -> Vec<Line> {
    vec![old_token(site, trials), session(site, trials)]
}

fn old_token(site: &Site, trials: usize) -> Line {
    site.always(
        trials,
        "token of another session, or none",
        "the token follows from the session's secret",
        |crook| {
            let older = Held::open(&mut crook.wire, &crook.key, &[WORK]);
            let held = Held::open(&mut crook.wire, &crook.key, &[WORK]);
            let other = crook.wire.post_to(&held.path("/start"), &older.lines(), b"");
            let none = crook.wire.post_to(&held.path("/start"), "", b"");
            crook.abort(&older);
            crook.abort(&held);
            slug(&other.unwrap()) == "wrong-token" && slug(&none.unwrap()) == "no-token"
        },
    )
}

/// A proven session once more: the same request, token, root and openings. It gives the old receipt and nothing new.
fn session(site: &Site, trials: usize) -> Line {
    let mut first = site.crook();
    let request = request(&mut first.wire, &[WORK]);
    let held = Held::of(&open(&mut first.wire, &request, &first.key));
    let seed = first.start(&held);
    let done = Done::compute(&WORK, &seed, 0);
    let root = serde_json::to_vec(&done.commitment(&held.id, 0, &first.key)).unwrap();
    assert_eq!(held.post(&mut first.wire, "/commitments/0", &root).status, 200);
    let openings = held.openings(&mut first.wire, &[done]);
    let answer = held.post(&mut first.wire, "/openings", &openings);
    let verdict: Verdict = first.verdict(&answer);
    assert!(is_proven(&verdict));
    let entries = site.entries();
    let mut line = site.always(
        trials,
        "a whole session replayed: request, token, root, openings",
        "each step is taken once; one verdict an attempt",
        |crook| {
            let again = open(&mut crook.wire, &request, &first.key);
            let start = held.post(&mut crook.wire, "/start", b"");
            let commit = held.post(&mut crook.wire, "/commitments/0", &root);
            let verdict = held.post(&mut crook.wire, "/openings", &openings);
            let refused = [again, start, commit]
                .iter()
                .all(|step| slug(step) == "wrong-state");
            refused && verdict.body == answer.body
        },
    );
    if site.entries() != entries {
        line = Line::always("a whole session replayed: new entries were logged", "", trials, 0);
    }
    line
}
