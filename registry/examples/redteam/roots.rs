//! Roots that a task does not take. Each ends its attempt, in the log, for a reason that anybody finds again.

use attest::digest::Sha256;
use attest::key::SigningKey;
use attest::proof::{SignedRoot, Transcript};

use super::line::Line;
use super::{Crook, Site, WORK, is_proven, is_wrong, slug};
use crate::prover::{Done, Held};
use crate::wire::Answer;

/// Ends an attempt by what it sends, and says whether it did.
type Try = fn(&mut Crook<'_>) -> bool;

const TRIES: [(&str, &str, Try); 6] = [
    ("no root where a root belongs", "it ends the attempt", malformed),
    (
        "root signed by another key",
        "its signature; it ends the attempt",
        stranger,
    ),
    (
        "commitment of an older session, replayed",
        "its signature binds the attempt; it ends this one",
        older,
    ),
    (
        "root of another task",
        "its signature binds the task; it ends the attempt",
        other_task,
    ),
    (
        "a second root, after the first is taken",
        "each task takes one; it ends the attempt",
        second,
    ),
    ("a root before the nonce", "it ends the attempt", early),
];

pub(crate) fn lines(site: &Site, trials: usize) -> Vec<Line> {
    let ending = TRIES.map(|(cheat, by, cheats)| site.always(trials, cheat, by, cheats));
    let mut lines = Vec::from(ending);
    lines.push(site.always(
        trials,
        "others' roots to an honest session, without its token",
        "the token; the session goes on",
        outsiders,
    ));
    lines
}

fn malformed(crook: &mut Crook<'_>) -> bool {
    const BODIES: [&[u8]; 5] = [
        b"",
        b"{",
        b"[]",
        b"\xff\x00",
        b"{\"root\":\"\",\"signature\":\"\"}",
    ];
    let (held, _) = crook.begin(&[WORK]);
    let answer = send(crook, &held, BODIES[crook.number % BODIES.len()]);
    is_ended(crook, &held, &answer, "is none")
}

fn stranger(crook: &mut Crook<'_>) -> bool {
    let (held, _) = crook.begin(&[WORK]);
    let key = SigningKey::generate().unwrap();
    let answer = send(crook, &held, &root(&held.id, 0, &key));
    is_ended(crook, &held, &answer, "did not sign")
}

fn older(crook: &mut Crook<'_>) -> bool {
    let older = Held::open(&mut crook.wire, &crook.key, &[WORK]);
    let (held, _) = crook.begin(&[WORK]);
    let answer = send(crook, &held, &root(&older.id, 0, &crook.key));
    crook.abort(&older);
    is_ended(crook, &held, &answer, "did not sign")
}

fn other_task(crook: &mut Crook<'_>) -> bool {
    let (held, _) = crook.begin(&[WORK]);
    let answer = send(crook, &held, &root(&held.id, 1, &crook.key));
    is_ended(crook, &held, &answer, "did not sign")
}

/// The same, another, and none, in turn.
fn second(crook: &mut Crook<'_>) -> bool {
    let (held, seed) = crook.begin(&[WORK]);
    let done = Done::compute(&WORK, &seed, 0);
    assert_eq!(held.commit(&mut crook.wire, &crook.key, 0, &done).status, 200);
    let again = match crook.number % 3 {
        0 => serde_json::to_vec(&done.commitment(&held.id, 0, &crook.key)).unwrap(),
        1 => root(&held.id, 0, &crook.key),
        _ => b"{".to_vec(),
    };
    let answer = send(crook, &held, &again);
    is_ended(crook, &held, &answer, "a second root")
}

fn early(crook: &mut Crook<'_>) -> bool {
    let held = Held::open(&mut crook.wire, &crook.key, &[WORK]);
    let answer = send(crook, &held, &root(&held.id, 0, &crook.key));
    is_ended(crook, &held, &answer, "before the nonce")
}

fn outsiders(crook: &mut Crook<'_>) -> bool {
    let (held, seed) = crook.begin(&[WORK]);
    let other = Held::open(&mut crook.wire, &crook.key, &[WORK]);
    let path = held.path("/commitments/0");
    let body = root(&held.id, 0, &crook.key);
    let none = crook.wire.post_to(&path, "", &body).unwrap();
    let wrong = crook.wire.post_to(&path, &other.lines(), b"{").unwrap();
    crook.abort(&other);
    let refused = slug(&none) == "no-token" && slug(&wrong) == "wrong-token";
    refused && is_proven(&crook.prove(&held, Done::compute(&WORK, &seed, 0)))
}

fn root(attempt: &Sha256, task: usize, key: &SigningKey) -> Vec<u8> {
    let signed = SignedRoot::sign(attempt, task, Sha256::of(b"root"), key);
    serde_json::to_vec(&signed).unwrap()
}

fn send(crook: &mut Crook<'_>, held: &Held, body: &[u8]) -> Answer {
    held.post(&mut crook.wire, "/commitments/0", body)
}

/// Whether the root ended the attempt for this reason: by the answer, the logged verdict, and the transcript.
pub(crate) fn is_ended(crook: &mut Crook<'_>, held: &Held, answer: &Answer, reason: &str) -> bool {
    let verdict = crook.wire.get(&held.path("/verdict")).unwrap();
    let transcript = crook.wire.get(&held.path("/transcript")).unwrap();
    let recomputed = Transcript::parse(&transcript.body).is_ok_and(|read| {
        let verified = read.verify(&crook.site.trust);
        verified.is_ok_and(|verified| is_wrong(&verified.verdict.predicate, reason))
    });
    slug(answer) == "wrong-root"
        && verdict.status == 200
        && is_wrong(&crook.verdict(&verdict), reason)
        && recomputed
}
