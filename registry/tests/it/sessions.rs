//! Proofs over the wire: whole, and many at once.

mod flaws;
mod limits;
mod restarts;
mod roots;
mod turns;

use attest::proof::{Outcome, Stated, Transcript, Verdict, Work, registry_signed};
use registry::Config;

use crate::bench::{Served, key, serve, serve_with};
use crate::prover::{Held, SMALL, open, request};
use crate::wire::{Answer, Wire};

pub(crate) const VRAM: Work = Work::Vram {
    entries: 256,
    lanes: 100,
    steps: 164,
    rounds: 16,
};

/// A registry without allowances, which tests of other things would use up.
pub(crate) fn serve_freely(change: impl FnOnce(&mut Config)) -> Served {
    serve_with(|config| {
        free(config);
        change(config);
    })
}

pub(crate) fn free(config: &mut Config) {
    let plenty = registry::Rate {
        per_second: 1e6,
        burst: 1e6,
    };
    config.limits.sessions.attempts = plenty;
    config.limits.sessions.check_seconds = plenty;
    config.limits.sessions.open_per_key = 1000;
}

pub(crate) fn slug(answer: &Answer) -> (u16, String) {
    let problem = answer.json();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let slug = problem["type"]
        .as_str()
        .unwrap()
        .strip_prefix("urn:hallmark:problem:");
    (answer.status, slug.unwrap().to_owned())
}

/// The outcome in a verdict's receipt, which must verify.
pub(crate) fn outcome(served: &Served, answer: &Answer) -> (Outcome, Option<String>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let logged = registry_signed(&answer.body, &served.trust()).unwrap();
    let verdict = Stated::<Verdict>::read(&logged.envelope).unwrap().predicate;
    (verdict.outcome, verdict.reason)
}

/// Where an attempt may be brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Opened,
    Started,
    Committed,
    Ended,
}

pub(crate) const STAGES: [Stage; 4] = [Stage::Opened, Stage::Started, Stage::Committed, Stage::Ended];

/// An attempt brought to a stage, and what ends it: the body of its openings.
pub(crate) fn bring(
    wire: &mut Wire,
    key: &attest::key::SigningKey,
    stage: Stage,
) -> (Held, Vec<crate::prover::Done>) {
    let held = Held::open(wire, key, &[SMALL]);
    if stage == Stage::Opened {
        return (held, Vec::new());
    }
    let done = held.start(wire, key, &[SMALL]);
    if stage != Stage::Started {
        assert_eq!(held.commit(wire, key, 0, &done[0]).status, 200);
    }
    if stage == Stage::Ended {
        let body = held.openings(wire, &done);
        assert_eq!(held.post(wire, "/openings", &body).status, 200);
    }
    (held, done)
}

#[test]
fn a_proof_of_both_kinds_on_two_devices_is_timed_judged_and_logged() {
    for works in [vec![SMALL, SMALL], vec![VRAM, VRAM]] {
        let served = serve_freely(|_| {});
        let (mut wire, key) = (served.wire(), key());
        let held = Held::open(&mut wire, &key, &works);
        let done = held.start(&mut wire, &key, &works);
        for (task, done) in done.iter().enumerate() {
            let answer = held.commit(&mut wire, &key, task, done);
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(answer.json()["elapsedNs"].as_u64().unwrap() > 0);
        }
        let body = held.openings(&mut wire, &done);
        let verdict = held.post(&mut wire, "/openings", &body);
        assert_eq!(outcome(&served, &verdict), (Outcome::Proven, None));
        let again = held.post(&mut wire, "/openings", &body);
        assert!(again.status == 200 && again.body == verdict.body);
        for (step, want) in [
            ("/verdict", &verdict.body),
            ("/receipt", &held_receipt(&mut wire, &held)),
        ] {
            assert_eq!(wire.get(&held.path(step)).unwrap().body, *want, "{step}");
        }
        let transcript = wire.get(&held.path("/transcript")).unwrap();
        let verified = Transcript::parse(&transcript.body)
            .unwrap()
            .verify(&served.trust())
            .unwrap();
        assert_eq!((verified.attempt_index, verified.verdict_index), (0, 1));
        let shown = held.shown(&mut wire);
        assert_eq!(shown["state"], "ended");
        assert_eq!(shown["verdict"]["outcome"], "proven");
        assert_eq!(shown["verdict"]["digest"], verified.verdict_digest.to_string());
        let page = wire.get(&format!("/attempts/{}", held.id)).unwrap();
        assert!(
            page.status == 200 && page.text().contains("proven"),
            "{}",
            page.text()
        );
        assert!(
            page.text().contains("≥ ") && !page.text().contains("<80GB>"),
            "{}",
            page.text()
        );
        served.stop_sound(2);
    }
}

fn held_receipt(wire: &mut Wire, held: &Held) -> Vec<u8> {
    wire.get(&held.path("/receipt")).unwrap().body
}

#[test]
fn a_request_opens_one_attempt_however_often_it_comes() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    let request = request(&mut wire, &[SMALL]);
    let first = open(&mut wire, &request, &key);
    let held = Held::of(&first);
    let again = open(&mut wire, &request, &key);
    assert_eq!((first.status, again.status), (201, 200));
    assert!(first.body == again.body, "the same receipt");
    let same = Held::of(&again);
    assert_eq!((same.id, &same.token), (held.id, &held.token));
    assert_eq!(held.post(&mut wire, "/start", b"").status, 200);
    assert_eq!(open(&mut wire, &request, &key).status, 200, "started, not ended");
    assert_eq!(held.post(&mut wire, "/abort", b"").status, 200);
    let replayed = open(&mut wire, &request, &key);
    assert_eq!(slug(&replayed), (409, "wrong-state".to_owned()));
    assert!(replayed.header("hallmark-session").is_none());
    let theirs = crate::bench::key();
    let other = open(&mut wire, &request, &theirs);
    assert_eq!(other.status, 201, "another key's request is another request");
    served.stop_sound(3);
}

#[test]
fn twenty_proofs_at_once_each_get_their_own_verdict() {
    let served = serve_freely(|_| {});
    let address = served.running.address();
    std::thread::scope(|scope| {
        let proofs: Vec<_> = (0..20)
            .map(|at| {
                scope.spawn(move || {
                    let (mut wire, key) = (Wire::connect(address).unwrap(), key());
                    let held = Held::open(&mut wire, &key, &[SMALL]);
                    let mut done = held.start(&mut wire, &key, &[SMALL]);
                    if at % 4 == 3 {
                        done = done.into_iter().map(crate::prover::Done::spoiled).collect();
                    }
                    assert_eq!(held.commit(&mut wire, &key, 0, &done[0]).status, 200);
                    let body = held.openings(&mut wire, &done);
                    (at, held.post(&mut wire, "/openings", &body))
                })
            })
            .collect();
        for proof in proofs {
            let (at, answer) = proof.join().unwrap();
            let want = if at % 4 == 3 {
                Outcome::Wrong
            } else {
                Outcome::Proven
            };
            assert_eq!(outcome(&served, &answer).0, want, "{at}");
        }
    });
    let metrics = served.wire().get("/metrics").unwrap();
    for line in [
        "hallmark_verdicts_total{outcome=\"proven\"} 15",
        "hallmark_verdicts_total{outcome=\"wrong\"} 5",
        "hallmark_attempts{state=\"committed\"} 0",
        "hallmark_checks_queued 0",
        "hallmark_check_seconds_count 20",
    ] {
        assert!(
            metrics.text().lines().any(|found| found == line),
            "{line}\n{}",
            metrics.text()
        );
    }
    served.stop_sound(40);
}

#[test]
fn failed_attempts_stand_in_lists_and_pages_beside_the_others() {
    let served = serve();
    let (mut wire, ours, theirs) = (served.wire(), key(), key());
    let proven = bring(&mut wire, &ours, Stage::Ended).0;
    let given_up = bring(&mut wire, &ours, Stage::Started).0;
    assert_eq!(given_up.post(&mut wire, "/abort", b"").status, 200);
    let foreign = bring(&mut wire, &theirs, Stage::Opened).0;
    wire.post(&crate::sample::sample(1, &ours).body).unwrap();
    let mut ids = |query: &str| -> Vec<String> {
        let page = wire.get(&format!("/api/v1/attempts{query}")).unwrap().json();
        let attempts = page["attempts"].as_array().unwrap();
        attempts
            .iter()
            .map(|each| each["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let [proven, given_up, foreign] = [proven, given_up, foreign].map(|held| held.id.to_string());
    assert_eq!(ids(""), [foreign.clone(), given_up.clone(), proven.clone()]);
    assert_eq!(ids("?limit=1"), [foreign]);
    assert_eq!(ids("?cursor=3&limit=1"), [given_up.as_str()]);
    let by_ours = format!("?key={}", ours.public().id());
    assert_eq!(ids(&by_ours), [given_up.clone(), proven.clone()]);
    let page = wire.get(&format!("/attempts{by_ours}")).unwrap();
    for text in [&given_up[..12], &proven[..12], "aborted", "2 in all"] {
        assert!(page.text().contains(text), "{text}\n{}", page.text());
    }
    let kinds = |wire: &mut Wire, query: &str| -> Vec<String> {
        let page = wire.get(&format!("/api/v1/attestations{query}")).unwrap().json();
        let entries = page["attestations"].as_array().unwrap();
        entries
            .iter()
            .map(|each| each["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kinds(&mut wire, ""), ["attestation"]);
    assert_eq!(kinds(&mut wire, "?kind=verdict"), ["verdict", "verdict"]);
    assert_eq!(kinds(&mut wire, "?kind=any").len(), 6);
    assert_eq!(wire.get("/api/v1/attestations?kind=x").unwrap().status, 400);
    assert_eq!(
        wire.get(&format!("/api/v1/attestations/{proven}"))
            .unwrap()
            .status,
        404,
        "an attempt is no attestation"
    );
    let digest = crate::sample::sample(1, &ours).digest;
    let page = wire.get(&format!("/attestations/{digest}")).unwrap();
    assert!(
        page.text().contains("Attempts by this key</a>: 2"),
        "{}",
        page.text()
    );
    served.stop_sound(6);
}
