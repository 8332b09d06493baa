//! A transcript in hostile hands: the provider's, the registry's, and anybody's.

use attest::digest::Sha256;
use attest::proof::{Outcome, Transcript, TranscriptError};
use serde_json::Value;

use super::scene::{Scene, mlp, vram};
use crate::log;

fn verify(transcript: &Transcript) -> Result<Outcome, Box<TranscriptError>> {
    let read = Transcript::parse(&transcript.to_json()).map_err(Box::new)?;
    Ok(read
        .verify(&log::trusted_root())
        .map_err(Box::new)?
        .verdict
        .predicate
        .outcome)
}

#[test]
fn a_transcript_bears_out_its_verdict_whatever_it_is() {
    for work in [mlp(), vram()] {
        let scene = Scene::honest(&[work, work]);
        let transcript = scene.transcript(&scene.verdict());
        assert_eq!(verify(&transcript).expect("sound"), Outcome::Proven);
    }
    let mut lost = Scene::honest(&[mlp()]);
    lost.recommit(0, |states| states.iter_mut().for_each(|state| state[1] ^= 1));
    let transcript = lost.transcript(&lost.verdict());
    assert_eq!(verify(&transcript).expect("sound"), Outcome::Wrong);
}

#[test]
fn a_verdict_that_the_session_does_not_give_is_found() {
    let honest = Scene::honest(&[mlp()]);
    let mut cheated = Scene::honest(&[mlp()]);
    cheated.recommit(0, |states| states.iter_mut().for_each(|state| state[1] ^= 1));
    // The registry calls a lost session proven, and a proven one lost.
    for (scene, other) in [(&cheated, &honest), (&honest, &cheated)] {
        let mut verdict = other.verdict();
        verdict.predicate.session = scene.verdict().predicate.session;
        let refused = verify(&scene.transcript(&verdict)).expect_err("another verdict");
        assert!(
            matches!(*refused, TranscriptError::OtherVerdict { .. }),
            "{refused}"
        );
    }
    // It shortens the time, which nobody but its clock knows: bound by the session's digest.
    let mut faster = Scene::honest(&[mlp()]);
    faster.session.commitments[0]
        .as_mut()
        .expect("committed")
        .elapsed_ns /= 2;
    let refused = verify(&faster.transcript(&honest.verdict())).expect_err("another time");
    assert!(matches!(*refused, TranscriptError::OtherVerdict { .. }));
}

/// Every leaf of the JSON, one at a time, replaced by another of its type.
#[test]
fn no_field_can_be_changed() {
    let scene = Scene::honest(&[mlp()]);
    let sound: Value = serde_json::from_slice(&scene.transcript(&scene.verdict()).to_json()).expect("JSON");
    let root = log::trusted_root();
    let mut accepted = Vec::new();
    let paths = leaves(&sound, String::new());
    assert!(paths.len() > 500, "{} fields", paths.len());
    // Each opening is like the others: the first eighty leaves of every member, then each thirteenth.
    for (index, path) in paths.iter().enumerate() {
        if path.contains("/openings/") && index % 13 != 0 {
            continue;
        }
        let mut changed = sound.clone();
        change(changed.pointer_mut(path).expect("a path of the document"));
        let read = Transcript::parse(changed.to_string().as_bytes());
        if read.is_ok_and(|transcript| transcript.verify(&root).is_ok()) {
            accepted.push(path.clone());
        }
    }
    // A hint that decides nothing.
    assert_eq!(accepted, hints(&paths));
}

fn hints(paths: &[String]) -> Vec<String> {
    paths
        .iter()
        .filter(|path| path.ends_with("/keyid"))
        .cloned()
        .collect()
}

fn leaves(value: &Value, path: String) -> Vec<String> {
    match value {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .flat_map(|(index, item)| leaves(item, format!("{path}/{index}")))
                .collect()
        }
        Value::Object(members) => {
            let members = members.iter();
            members
                .flat_map(|(name, member)| leaves(member, format!("{path}/{name}")))
                .collect()
        }
        _ => vec![path],
    }
}

fn change(value: &mut Value) {
    let changed = match &*value {
        Value::Number(number) => (number.as_u64().unwrap_or_default() + 1).into(),
        Value::String(text) => {
            let middle = text.len() / 2;
            let other = if text.as_bytes().get(middle) == Some(&b'1') {
                "2"
            } else {
                "1"
            };
            let mut text = text.clone();
            text.replace_range(middle..(middle + 1).min(text.len()), other);
            text.into()
        }
        other => other.clone(),
    };
    *value = changed;
}

#[test]
fn a_log_of_others_and_a_torn_file_are_refused() {
    let scene = Scene::honest(&[mlp()]);
    let json = scene.transcript(&scene.verdict()).to_json();
    let start = "2026-01-01T00:00:00Z".parse().expect("a time");
    let others =
        attest::trust::TrustedRoot::new(&log::other_keys().trust(log::ORIGIN), start).expect("a log");
    assert!(Transcript::parse(&json).expect("sound").verify(&others).is_err());
    for cut in [0, 1, json.len() / 2, json.len() - 1] {
        assert!(Transcript::parse(&json[..cut]).is_err(), "cut at {cut}");
    }
    assert_ne!(scene.digest(), Sha256::of(b""));
}
