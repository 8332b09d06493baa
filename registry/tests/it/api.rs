use attest::digest::Sha256;
use attest::merkle;
use attest::tile;
use attest::verify::verify_receipt;

use crate::bench::{ORIGIN, key, serve};
use crate::sample::{CPU, SOFTWARE, sample};

#[test]
fn an_accepted_attestation_has_a_receipt_that_verifies_offline() {
    let served = serve();
    let key = key();
    let sample = sample(1, &key);
    let answer = served.wire().post(&sample.body).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("application/vnd.dev.sigstore.bundle.v0.3+json")
    );
    let receipt = verify_receipt(&answer.body, &served.trust(), Some(key.public())).unwrap();
    assert_eq!((receipt.log_index, receipt.tree_size), (0, 1));
    assert_eq!(receipt.origin, ORIGIN);
    assert_eq!(receipt.statement.digest(), sample.digest);
}

#[test]
fn the_same_statement_by_the_same_key_is_logged_once() {
    let served = serve();
    let (ours, theirs) = (key(), key());
    let first = served.wire().post(&sample(1, &ours).body).unwrap();
    let other = served.wire().post(&sample(1, &theirs).body).unwrap();
    for number in 2..20 {
        served.wire().post(&sample(number, &ours).body).unwrap();
    }
    let again = served.wire().post(&sample(1, &ours).body).unwrap();
    assert_eq!((first.status, other.status, again.status), (201, 201, 200));
    assert!(first.body == again.body, "the same receipt, byte for byte");
    assert_ne!(first.body, other.body);
    let checkpoint = served.wire().get("/checkpoint").unwrap();
    assert_eq!(checkpoint.text().lines().nth(1), Some("20"));
}

#[test]
fn what_was_accepted_is_read_back_by_digest() {
    let served = serve();
    let key = key();
    let sample = sample(7, &key);
    let receipt = served.wire().post(&sample.body).unwrap();
    let mut wire = served.wire();
    let base = format!("/api/v1/attestations/{}", sample.digest);
    let shown = wire.get(&base).unwrap().json();
    assert_eq!(shown["logIndex"], 0);
    assert_eq!(shown["keyId"], key.public().id().to_string());
    assert_eq!(shown["statement"]["predicate"]["suite"]["name"], "smoke");
    assert_eq!(shown["devices"][1]["kind"], "software");
    assert_eq!(
        wire.get(&format!("{base}/envelope")).unwrap().body,
        sample.envelope
    );
    assert_eq!(wire.get(&format!("{base}/receipt")).unwrap().body, receipt.body);
    let absent = wire
        .get(&format!("/api/v1/attestations/{}", Sha256::of(b"absent")))
        .unwrap();
    assert_eq!(absent.status, 404);
    assert_eq!(absent.header("content-type"), Some("application/problem+json"));
}

#[test]
fn the_tiles_add_up_to_the_checkpoint() {
    let served = serve();
    let key = key();
    let mut wire = served.wire();
    for number in 0..300 {
        assert_eq!(wire.post(&sample(number, &key).body).unwrap().status, 201);
    }
    let trust = served.trust().log(ORIGIN).unwrap();
    let checkpoint = attest::checkpoint::open(wire.get("/checkpoint").unwrap().text(), &trust).unwrap();
    assert_eq!(checkpoint.size, 300);
    let mut leaves = Vec::new();
    for (index, width) in [(0, 256), (1, 44)] {
        let hashes = wire.get(&format!("/{}", tile::path(0, index, width))).unwrap();
        assert!(hashes.header("cache-control").unwrap().contains("immutable"));
        let hashes = tile::decode(&hashes.body, width).unwrap();
        let bundle = wire
            .get(&format!("/{}", tile::entries_path(index, width)))
            .unwrap();
        let entries = tile::decode_entries(&bundle.body, width).unwrap();
        assert!(
            entries
                .iter()
                .zip(&hashes)
                .all(|(entry, hash)| merkle::leaf_hash(entry) == *hash)
        );
        leaves.extend(hashes);
    }
    assert_eq!(merkle::root(&leaves), checkpoint.root);
    let top = wire.get(&format!("/{}", tile::path(1, 0, 1))).unwrap();
    assert_eq!(top.body, merkle::root(&leaves[..256]).0);
    for beyond in [
        "/tile/0/001.p/45",
        "/tile/0/002",
        "/tile/1/000",
        "/tile/entries/001.p/45",
        "/tile/0/1",
    ] {
        assert_eq!(wire.get(beyond).unwrap().status, 404, "{beyond}");
    }
}

#[test]
fn pages_read_without_javascript_and_name_a_software_device_as_such() {
    let served = serve();
    let key = key();
    let sample = sample(1, &key);
    served.wire().post(&sample.body).unwrap();
    let mut wire = served.wire();
    let device = "/devices/llvmpipe%2Fsample";
    for path in ["/", &format!("/attestations/{}", sample.digest), device] {
        let page = wire.get(path).unwrap();
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'"),
            "{policy}"
        );
        assert!(page.text().contains(SOFTWARE), "{path}");
        assert!(
            page.text().contains("software, runs on the processor: not a GPU"),
            "{path}"
        );
        assert!(!page.text().contains(CPU), "{path}: a name stands escaped");
        assert!(!page.text().contains("does NOT hold"), "{path}");
    }
    assert!(wire.get(device).unwrap().text().contains("It is not a GPU."));
    let attestation = wire.get(&format!("/attestations/{}", sample.digest)).unwrap();
    assert_eq!(
        attestation.text().matches("<li class=\"good\">").count(),
        3,
        "{}",
        attestation.text()
    );
    let log = wire.get("/log").unwrap();
    assert!(
        log.text().contains(ORIGIN) && log.text().contains("tile/0/000.p/1"),
        "{}",
        log.text()
    );
    for asset in ["/assets/hallmark.css", "/assets/verify.js"] {
        assert_eq!(wire.get(asset).unwrap().status, 200);
    }
}
