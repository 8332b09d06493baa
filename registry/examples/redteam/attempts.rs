//! Two attempts, of which the better one is shown.

use attest::key::SigningKey;

use super::line::Line;
use super::{Site, WORK, is_proven};
use crate::prover::Done;

pub(crate) fn lines(site: &Site, trials: usize) -> Vec<Line> {
    let cheat = "two attempts, the better one shown";
    let by = "both are in the log and in the list of the key's attempts";
    let line = site.always(trials, cheat, by, |crook| {
        crook.key = SigningKey::generate().unwrap();
        let (worse, seed) = crook.begin(&[WORK]);
        if crook.number.is_multiple_of(2) {
            crook.abort(&worse);
        } else {
            crook.prove(&worse, Done::compute(&WORK, &seed, 0).spoiled());
        }
        let (better, verdict) = crook.prove_honestly();
        assert!(is_proven(&verdict));
        let key = crook.key.public().id();
        let listed = crook
            .wire
            .get(&format!("/api/v1/attempts?key={key}"))
            .unwrap()
            .json();
        let page = crook.wire.get(&format!("/attempts?key={key}")).unwrap();
        let ended = |at: usize, id: &attest::digest::Sha256, proven: bool| {
            let one = &listed["attempts"][at];
            one["id"] == id.to_string()
                && one["logIndex"].is_u64()
                && one["verdict"]["logIndex"].is_u64()
                && (one["verdict"]["outcome"] == "proven") == proven
        };
        let shown = |id: &attest::digest::Sha256| page.text().contains(&id.to_string()[..12]);
        ended(0, &better.id, true)
            && ended(1, &worse.id, false)
            && shown(&better.id)
            && shown(&worse.id)
            && page.text().contains("2 in all")
    });
    vec![line]
}
