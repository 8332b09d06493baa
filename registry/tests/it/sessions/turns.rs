//! Steps out of turn, out of time, given up, or by others.

use std::time::Duration;

use attest::proof::{Outcome, Transcript};

use super::{STAGES, Stage, bring, outcome, serve_freely, slug};
use crate::bench::key;

#[test]
fn no_step_is_taken_out_of_turn() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    for stage in STAGES {
        for step in ["/start", "/commitments/0", "/samples", "/openings"] {
            let allowed = match stage {
                Stage::Opened => step == "/start",
                Stage::Started => step == "/commitments/0",
                Stage::Committed => step == "/samples" || step == "/openings",
                Stage::Ended => step == "/samples" || step == "/openings",
            };
            let (held, done) = bring(&mut wire, &key, stage);
            let answer = match (step, done.first()) {
                ("/samples", _) => held.get(&mut wire, step),
                ("/start", _) => held.post(&mut wire, step, b""),
                ("/commitments/0", Some(done)) => held.commit(&mut wire, &key, 0, done),
                ("/commitments/0", None) => {
                    let root = format!("{{\"root\":\"{}\",\"signature\":\"\"}}", held.id);
                    held.post(&mut wire, step, root.as_bytes())
                }
                _ => held.post(&mut wire, step, b"{\"tasks\":[]}"),
            };
            // A root out of turn ends the attempt.
            if step == "/commitments/0" && matches!(stage, Stage::Opened | Stage::Committed) {
                assert_eq!(slug(&answer).1, "wrong-root", "{stage:?}");
                continue;
            }
            if allowed {
                assert_eq!(answer.status, 200, "{stage:?} {step}: {}", answer.text());
            } else {
                assert_eq!(slug(&answer), (409, "wrong-state".to_owned()), "{stage:?} {step}");
                let state = held.shown(&mut wire)["state"].as_str().unwrap().to_owned();
                let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.contains(&state), "{stage:?} {step}: {detail}");
            }
        }
    }
}

#[test]
fn giving_up_is_logged_at_every_stage_and_only_once() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    for stage in STAGES {
        let (held, _) = bring(&mut wire, &key, stage);
        let first = held.post(&mut wire, "/abort", b"");
        if stage == Stage::Ended {
            assert_eq!(slug(&first), (409, "wrong-state".to_owned()));
            continue;
        }
        let given_up = Some("the provider gave up".to_owned());
        assert_eq!(
            outcome(&served, &first),
            (Outcome::Aborted, given_up),
            "{stage:?}"
        );
        let again = held.post(&mut wire, "/abort", b"");
        assert!(again.status == 200 && again.body == first.body, "{stage:?}");
        let openings = held.post(&mut wire, "/openings", b"{\"tasks\":[]}");
        assert_eq!(slug(&openings), (409, "wrong-state".to_owned()), "{stage:?}");
        let transcript = wire.get(&held.path("/transcript")).unwrap();
        Transcript::parse(&transcript.body)
            .unwrap()
            .verify(&served.trust())
            .unwrap();
        let page = wire.get(&format!("/attempts/{}", held.id)).unwrap();
        assert!(page.text().contains("the provider gave up"), "{}", page.text());
    }
    served.stop_sound(8);
}

#[test]
fn only_the_holder_takes_steps_and_anybody_reads() {
    let served = serve_freely(|_| {});
    let (mut wire, key) = (served.wire(), key());
    let (held, _) = bring(&mut wire, &key, Stage::Started);
    let (other, _) = bring(&mut wire, &key, Stage::Started);
    let root = format!("{{\"root\":\"{}\",\"signature\":\"\"}}", held.id);
    for (step, body) in [
        ("/start", ""),
        ("/commitments/0", root.as_str()),
        ("/openings", "{\"tasks\":[]}"),
        ("/abort", ""),
    ] {
        let path = held.path(step);
        let none = wire.post_to(&path, "", body.as_bytes()).unwrap();
        assert_eq!(slug(&none), (401, "no-token".to_owned()), "{step}");
        assert_eq!(none.header("www-authenticate"), Some("Bearer"), "{step}");
        for lines in [
            other.lines(),
            "Authorization: Bearer x\r\n".to_owned(),
            other.lines().to_uppercase().replace("BEARER", "Bearer"),
        ] {
            let wrong = wire.post_to(&path, &lines, body.as_bytes()).unwrap();
            assert_eq!(slug(&wrong), (403, "wrong-token".to_owned()), "{step}: {lines}");
        }
    }
    let samples = wire.get(&held.path("/samples")).unwrap();
    assert_eq!(slug(&samples), (401, "no-token".to_owned()));
    let shown = wire.get(&held.path("")).unwrap();
    assert_eq!(shown.json()["state"], "started", "nothing was taken");
    for secret in [&held.token, "nonce", "secret"] {
        assert!(!shown.text().contains(secret), "{}", shown.text());
    }
    let absent = format!("/api/v1/attempts/{}/start", attest::digest::Sha256::of(b""));
    assert_eq!(wire.post_to(&absent, &held.lines(), b"").unwrap().status, 404);
    assert_eq!(wire.get("/api/v1/attempts/xyz").unwrap().status, 400);
    for early in ["/verdict", "/transcript"] {
        let answer = wire.get(&held.path(early)).unwrap();
        assert_eq!(slug(&answer), (409, "wrong-state".to_owned()), "{early}");
    }
}

#[test]
fn what_comes_late_ends_the_attempt() {
    let served = serve_freely(|config| {
        let sessions = &mut config.limits.sessions;
        sessions.start = Duration::from_millis(200);
        sessions.commit = Duration::from_millis(300);
        sessions.open_lanes = Duration::from_millis(200);
    });
    let (mut wire, key) = (served.wire(), key());
    for (stage, wait, late) in [
        (Stage::Opened, 250, "the nonce was not asked for in time"),
        (Stage::Started, 350, "a commitment did not come in time"),
        (Stage::Committed, 250, "the openings did not come in time"),
    ] {
        let (asked, done) = bring(&mut wire, &key, stage);
        // The first is left alone, and the janitor ends it.
        let (left, _) = bring(&mut wire, &key, stage);
        std::thread::sleep(Duration::from_millis(wait));
        let answer = match stage {
            Stage::Opened => asked.post(&mut wire, "/start", b""),
            Stage::Started => asked.commit(&mut wire, &key, 0, &done[0]),
            _ => {
                let body = asked.openings(&mut wire, &done);
                asked.post(&mut wire, "/openings", &body)
            }
        };
        assert_eq!(slug(&answer), (409, "too-late".to_owned()), "{stage:?}");
        for held in [asked, left] {
            let shown = held.wait(&mut wire, "ended");
            assert_eq!(shown["verdict"]["outcome"], "late", "{stage:?}");
            assert_eq!(shown["verdict"]["reason"], late, "{stage:?}");
            let verdict = wire.get(&held.path("/verdict")).unwrap();
            assert_eq!(outcome(&served, &verdict), (Outcome::Late, Some(late.to_owned())));
        }
    }
    served.stop_sound(12);
}
