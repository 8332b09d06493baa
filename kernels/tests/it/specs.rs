//! Specifications keep their meaning: an id, once listed in `specs.json`, has one digest for ever.
//!
//! After adding a workload or a new version of one:
//! `HALLMARK_UPDATE=specs cargo test --release -p hallmark-kernels --test it specs`. It adds new ids and changes none.

use std::collections::BTreeMap;

use attest::digest::Sha256;
use attest::jcs;
use kernels::catalogue::WORKLOADS;

const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/specs.json");

fn listed() -> BTreeMap<String, Sha256> {
    let text = std::fs::read(LIST).expect("kernels/specs.json");
    serde_json::from_slice(&text).expect("ids and digests")
}

fn computed() -> BTreeMap<String, Sha256> {
    let digest = |spec| Sha256::of(&jcs::to_vec(spec).expect("a specification is JSON"));
    WORKLOADS
        .iter()
        .map(|workload| (workload.spec.id.clone(), digest(&**workload.spec)))
        .collect()
}

#[test]
fn specs_have_the_digests_their_ids_were_given() {
    let mut list = listed();
    let update = std::env::var("HALLMARK_UPDATE").is_ok_and(|what| what == "specs");
    for (id, digest) in computed() {
        let known = match update {
            true => *list.entry(id.clone()).or_insert(digest),
            false => *list
                .get(&id)
                .unwrap_or_else(|| panic!("{id} is not in specs.json; see the head of this file")),
        };
        assert_eq!(
            known, digest,
            "the specification of {id} changed: results under one id must compare, so give it the next version, then \
             update specs.json as the head of this file says"
        );
    }
    if update {
        let text = serde_json::to_string_pretty(&list).expect("a map of text");
        std::fs::write(LIST, text + "\n").expect("specs.json is writable");
    }
}
