//! Lists, caches, and the description of the interface.

use std::collections::BTreeSet;

use crate::bench::{ORIGIN, key, serve};
use crate::sample::{CPU, SOFTWARE, sample, sample_of, statement};
use crate::sessions::{Stage, bring};

#[test]
fn pages_of_a_list_cover_every_entry_once_while_the_log_grows() {
    let served = serve();
    let key = key();
    let mut wire = served.wire();
    for number in 0..23 {
        wire.post(&sample(number, &key).body).unwrap();
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/attestations?limit=5".to_owned();
    loop {
        let page = wire.get(&path).unwrap().json();
        assert_eq!(page["tree"]["origin"], ORIGIN);
        seen.extend(
            page["attestations"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["logIndex"].as_u64().unwrap()),
        );
        wire.post(&sample(1_000 + seen.len() as u64, &key).body).unwrap();
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/attestations?limit=5&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (0..23).rev().collect::<Vec<u64>>());
}

#[test]
fn lists_filter_by_device_workload_and_key_together() {
    let served = serve();
    let (ours, theirs) = (key(), key());
    let mut wire = served.wire();
    let mut special = statement(5);
    special.predicate.measured.devices[0].name = "Rare CPU".to_owned();
    wire.post(&sample(1, &ours).body).unwrap();
    wire.post(&sample(2, &theirs).body).unwrap();
    wire.post(&sample_of(&special, &theirs).body).unwrap();
    let mut indices = |query: &str| -> Vec<u64> {
        let page = wire.get(&format!("/api/v1/attestations?{query}")).unwrap().json();
        page["attestations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["logIndex"].as_u64().unwrap())
            .collect()
    };
    let (our_id, their_id) = (ours.public().id(), theirs.public().id());
    assert_eq!(indices("device=Rare%20CPU"), [2]);
    assert_eq!(indices("device=llvmpipe/sample"), [2, 1, 0]);
    assert_eq!(indices("workload=mem.copy.v1"), [2, 1, 0]);
    assert_eq!(indices("workload=gemm.f32.v1"), [0; 0]);
    assert_eq!(indices(&format!("key={our_id}")), [0]);
    assert_eq!(
        indices(&format!(
            "device=llvmpipe/sample&workload=mem.copy.v1&key={their_id}"
        )),
        [2, 1]
    );
    assert_eq!(
        indices(&format!(
            "device=llvmpipe/sample&workload=mem.copy.v1&key={their_id}&cursor=2"
        )),
        [1]
    );
    assert_eq!(indices(&format!("device=Rare+CPU&key={our_id}")), [0; 0]);
    assert_eq!(indices("device=%27%20OR%201=1"), [0; 0]);
    let front = wire.get("/?device=&workload=&key=").unwrap();
    assert!(front.status == 200 && front.text().contains("Rare CPU") && front.text().contains(SOFTWARE));
    assert!(!front.text().contains(CPU), "escaped");
}

#[test]
fn reads_have_strong_etags_that_change_with_the_content() {
    let served = serve();
    let key = key();
    let first = sample(1, &key);
    let mut wire = served.wire();
    wire.post(&first.body).unwrap();
    let paths = [
        "/".to_owned(),
        "/log".to_owned(),
        "/checkpoint".to_owned(),
        "/trusted_root.json".to_owned(),
        "/tile/0/000.p/1".to_owned(),
        "/tile/entries/000.p/1".to_owned(),
        "/api/v1/attestations".to_owned(),
        "/api/v1/openapi.json".to_owned(),
        "/assets/hallmark.css".to_owned(),
        format!("/attestations/{}", first.digest),
        format!("/api/v1/attestations/{}", first.digest),
        format!("/api/v1/attestations/{}/envelope", first.digest),
        format!("/api/v1/attestations/{}/receipt", first.digest),
    ];
    let mut tags = Vec::new();
    for path in &paths {
        let whole = wire.get(path).unwrap();
        let tag = whole.header("etag").unwrap().to_owned();
        assert!(
            whole.status == 200 && tag.starts_with('"') && tag.ends_with('"'),
            "{path}: {tag}"
        );
        let kept = wire
            .get_with(path, &format!("If-None-Match: \"x\", {tag}\r\n"))
            .unwrap();
        assert_eq!(
            (kept.status, kept.body.len(), kept.header("etag")),
            (304, 0, Some(tag.as_str())),
            "{path}"
        );
        tags.push(tag);
    }
    wire.post(&sample(2, &key).body).unwrap();
    for (path, tag) in paths.iter().zip(&tags) {
        let asked = wire.get_with(path, &format!("If-None-Match: {tag}\r\n")).unwrap();
        let changes = ["/", "/log", "/checkpoint", "/api/v1/attestations"].contains(&path.as_str())
            // The page names the size of the tree that it was checked against.
            || path.starts_with("/attestations/");
        assert_eq!(asked.status, if changes { 200 } else { 304 }, "{path}");
    }
}

#[test]
fn the_description_of_the_interface_is_the_one_in_the_snapshot() {
    let served = serve();
    let document = served.wire().get("/api/v1/openapi.json").unwrap().json();
    insta::assert_json_snapshot!("openapi", document);
}

#[test]
fn every_described_read_is_answered() {
    let served = serve();
    let sample = sample(1, &key());
    let mut wire = served.wire();
    wire.post(&sample.body).unwrap();
    let attempt = bring(&mut wire, &key(), Stage::Ended).0;
    let document = wire.get("/api/v1/openapi.json").unwrap().json();
    let mut ids = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{operation}"
            );
            if method != "get" {
                continue;
            }
            let filled = path
                .replace("{digest}", &sample.digest.to_string())
                .replace("{id}", &attempt.id.to_string())
                .replace("{name}", "llvmpipe%2Fsample")
                .replace("{tile}", "0/000.p/1")
                .replace("{file}", "hallmark.css");
            let answer = wire.get_with(&filled, &attempt.lines()).unwrap();
            assert_eq!(answer.status, 200, "{filled}: {}", answer.text());
            let described = &operation["responses"]["200"]["content"];
            let media_type = answer.header("content-type").unwrap();
            assert!(
                described.get(media_type).is_some(),
                "{filled} answers {media_type}, not {described}"
            );
        }
    }
}

#[test]
fn metrics_count_what_happened() {
    let served = serve();
    let key = key();
    let mut wire = served.wire();
    let sample = sample(1, &key);
    for _ in 0..2 {
        wire.post(&sample.body).unwrap();
    }
    wire.post(b"{}").unwrap();
    let metrics = wire.get("/metrics").unwrap();
    for line in [
        "hallmark_tree_size 1",
        "hallmark_queue_length 0",
        "hallmark_submissions_total{outcome=\"logged\"} 1",
        "hallmark_submissions_total{outcome=\"known\"} 1",
        "hallmark_submissions_total{outcome=\"bad-body\"} 1",
        "hallmark_requests_total{route=\"/api/v1/attestations\",status=\"201\"} 1",
        "hallmark_batch_entries_count 1",
    ] {
        assert!(
            metrics.text().lines().any(|found| found == line),
            "{line} in\n{}",
            metrics.text()
        );
    }
}
