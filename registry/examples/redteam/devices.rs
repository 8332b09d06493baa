//! Devices that are not what they are called, or fewer than are listed.

use attest::proof::Work;

use super::line::Line;
use super::{AT_ONCE, Crook, Site, WORK, is_proven, median, slug};
use crate::prover::{Done, Held, open, request};

/// Takes a core a while, so that the time of one task shows in the other's.
const LONG: Work = Work::Mlp {
    lanes: 8192,
    width: 256,
    layers: 2,
    steps: 8,
};

/// Pairs are slow and their ratio is steady.
const PAIRS: usize = 20;

pub(crate) fn lines(site: &Site, trials: usize) -> Vec<Line> {
    vec![
        one_after_the_other(site, trials.min(PAIRS)),
        fake_name(site, trials),
        twice(site, trials),
    ]
}

fn fake_name(site: &Site, trials: usize) -> Line {
    let caught = site.tries(trials, AT_ONCE, |crook| {
        let mut request = request(&mut crook.wire, &[WORK]);
        let device = &mut request.predicate.devices[0];
        device.name = "NVIDIA B300 Ultra".to_owned();
        device.memory_bytes = 1 << 50;
        let answer = open(&mut crook.wire, &request, &crook.key);
        assert_eq!(answer.status, 201, "{}", answer.text());
        let held = Held::of(&answer);
        let seed = crook.start(&held);
        let verdict = crook.prove(&held, Done::compute(&WORK, &seed, 0));
        let proven = verdict.tasks[0].proven.as_ref();
        // What is proven is what was held, whatever is claimed.
        assert_eq!(
            proven.map(|proven| proven.resident_bytes.0),
            Some(WORK.resident_bytes())
        );
        !is_proven(&verdict)
    });
    Line::never(
        "fake device name and memory size",
        "nothing: names and sizes are claimed; the verdict proves the bytes that the work held",
        trials,
        caught,
        "none, by design".to_owned(),
    )
}

/// One device under two names, and one entry with two tasks.
fn twice(site: &Site, trials: usize) -> Line {
    let cheat = "one device listed as two: the same identity twice";
    site.always(trials, cheat, "one identity, one task", |crook| {
        let mut request = request(&mut crook.wire, &[WORK, WORK]);
        if crook.number.is_multiple_of(2) {
            request.subject[1].digest = request.subject[0].digest.clone();
        } else {
            request.predicate.tasks[1].device = 0;
        }
        slug(&open(&mut crook.wire, &request, &crook.key)) == "bad-statement"
    })
}

/// Two invented identities, served by one prover one after the other.
fn one_after_the_other(site: &Site, trials: usize) -> Line {
    let (mut later, mut both, mut caught) = (Vec::new(), Vec::new(), 0);
    let mut crook = site.crook();
    for _ in 0..trials {
        let alone = rates(&mut crook, 1)[0];
        let pair = rates(&mut crook, 2);
        later.push(pair[1] / alone);
        both.push((pair[0] + pair[1]) / alone);
        // A half, unless one of the two took twice as long as the other.
        caught += usize::from(pair[1] < pair[0] * 2.0 / 3.0);
    }
    let (later, both) = (median(&mut later), median(&mut both));
    let expected = format!(
        "the later one's proven rate is halved: median {later:.2} of the device alone; both added {both:.2}, not 2"
    );
    // Single pairs suffer from whatever else runs; their middle does not.
    let holds = (0.35..0.65).contains(&later);
    Line::measured(
        "one device listed as two: two identities, served one after the other",
        "all tasks run on one clock",
        trials,
        caught,
        expected,
        holds,
    )
}

/// Proven rates of `count` tasks that one thread does in turn, each committed as soon as it is done.
fn rates(crook: &mut Crook<'_>, count: usize) -> Vec<f64> {
    let (held, seed) = crook.begin(&vec![LONG; count]);
    let mut done = Vec::new();
    for task in 0..count {
        let one = Done::compute(&LONG, &seed, task);
        let answer = held.commit(&mut crook.wire, &crook.key, task, &one);
        assert_eq!(answer.status, 200, "{}", answer.text());
        done.push(one);
    }
    let openings = held.openings(&mut crook.wire, &done);
    let verdict = crook.open(&held, &openings);
    assert!(is_proven(&verdict), "{:?}", verdict.reason);
    let proven = verdict.tasks.iter().flat_map(|task| &task.proven);
    proven.map(|proven| proven.rate.0 as f64).collect()
}
