//! Specifications keep their meaning: an id, once listed in its folder's `specs.json`, has one digest for ever.
//!
//! After adding a workload or a new version of one:
//! `HALLMARK_UPDATE=specs cargo test --release -p hallmark-kernels --test it specs`. It adds new ids and changes none.

use std::collections::BTreeMap;
use std::path::PathBuf;

use attest::digest::Sha256;
use attest::jcs;
use attest::spec::Spec;
use kernels::catalogue::WORKLOADS;

/// The list in the folder of `id`'s workload, `gelu_f16` for every version of `gelu.f16`.
fn list(id: &str) -> PathBuf {
    let (name, _version) = id.rsplit_once('.').expect("a version");
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    PathBuf::from_iter([sources, &name.replace('.', "_"), "specs.json"])
}

fn digest(spec: &Spec) -> Sha256 {
    Sha256::of(&jcs::to_vec(spec).expect("a specification is JSON"))
}

#[test]
fn specs_have_the_digests_their_ids_were_given() {
    let update = std::env::var("HALLMARK_UPDATE").is_ok_and(|what| what == "specs");
    for workload in WORKLOADS {
        let (id, list) = (&workload.spec.id, list(&workload.spec.id));
        let text = std::fs::read(&list).unwrap_or_else(|_| b"{}".to_vec());
        let mut digests: BTreeMap<String, Sha256> = serde_json::from_slice(&text).expect("ids and digests");
        let computed = digest(workload.spec);
        if update && !digests.contains_key(id) {
            digests.insert(id.clone(), computed);
            let text = serde_json::to_string_pretty(&digests).expect("a map of text");
            std::fs::write(&list, text + "\n").expect("specs.json is writable");
        }
        let known = digests
            .get(id)
            .unwrap_or_else(|| panic!("{id} is not in {}; see the head of this file", list.display()));
        assert_eq!(
            *known, computed,
            "the specification of {id} changed: results under one id must compare, so give it the next version, then \
             update its list as the head of this file says"
        );
    }
}
