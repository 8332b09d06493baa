use super::*;
use crate::checkpoint::LogKeys;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn log(origin: &str) -> LogTrust {
    LogKeys::generate().unwrap().trust(origin)
}

fn sample() -> TrustedRoot {
    TrustedRoot::new(&log("log.example/2026"), time("2026-01-01T00:00:00Z")).unwrap()
}

#[test]
fn a_trusted_root_reads_back_as_written() {
    let first = sample();
    let second = first
        .rotate(&log("log.example/2027"), time("2027-01-01T00:00:00Z"))
        .unwrap();
    for root in [first, second] {
        assert_eq!(TrustedRoot::parse(&root.to_json()).unwrap(), root);
    }
}

#[test]
fn rotation_freezes_the_old_log_and_keeps_it_known() {
    let first = sample();
    let next = log("log.example/2027");
    let rotated = first.rotate(&next, time("2027-01-01T00:00:00Z")).unwrap();
    assert_eq!(rotated.origins(), ["log.example/2026", "log.example/2027"]);
    assert_eq!(rotated.current(), ["log.example/2027"]);
    assert_eq!(rotated.log("log.example/2026"), first.log("log.example/2026"));
    assert_eq!(rotated.log("log.example/2027"), Some(next));
    assert_eq!(
        rotated.retired("log.example/2026"),
        Some(time("2027-01-01T00:00:00Z"))
    );
    assert_eq!(rotated.retired("log.example/2027"), None);
    let again = rotated
        .rotate(&log("log.example/2028"), time("2028-01-01T00:00:00Z"))
        .unwrap();
    assert_eq!(
        again.retired("log.example/2026"),
        rotated.retired("log.example/2026")
    );
}

#[test]
fn rotation_refuses_old_origins_old_keys_and_times_before_the_start() {
    let first = sample();
    let at = time("2027-01-01T00:00:00Z");
    let same_origin = log("log.example/2026");
    assert!(matches!(
        first.rotate(&same_origin, at),
        Err(TrustError::OriginReused { .. })
    ));
    let same_keys = LogTrust {
        origin: "log.example/2027".to_owned(),
        ..first.log("log.example/2026").unwrap()
    };
    assert!(matches!(
        first.rotate(&same_keys, at),
        Err(TrustError::KeyReused { .. })
    ));
    let early = first.rotate(&log("log.example/2027"), time("2025-01-01T00:00:00Z"));
    assert!(matches!(early, Err(TrustError::EndsBeforeStart { .. })));
}

#[test]
fn damaged_documents_are_refused_by_the_field_at_fault() {
    let text = String::from_utf8(sample().to_json()).unwrap();
    for (from, to, cause) in [
        ("version=0.1", "version=0.2", "mediaType"),
        ("https://log", "http://log", "tlogs[0].baseUrl"),
        ("https://log.example", "https://log example", "tlogs[0].baseUrl"),
        ("SHA2_256", "SHA2_512", "tlogs[0].hashAlgorithm"),
        ("PKIX_ED25519", "PKIX_ML_DSA_65", "tlogs[1].publicKey.keyDetails"),
        (
            "PKIX_ED25519",
            "PKIX_ECDSA_P256_SHA_256",
            "tlogs[1].publicKey.rawBytes",
        ),
        (
            "\"rawBytes\": \"",
            "\"rawBytes\": \"AAAA",
            "tlogs[0].publicKey.rawBytes",
        ),
        ("\"keyId\": \"", "\"keyId\": \"AAAA", "tlogs[0].logId"),
        (
            "\"start\": \"2026",
            "\"start\": \"yesterday",
            "tlogs[0].publicKey.validFor.start",
        ),
        (
            "\"start\"",
            "\"end\": \"2025-01-01T00:00:00Z\",\n\"start\"",
            "before its start",
        ),
        ("\"mediaType\"", "\"tlogs\": [], \"mediaType\"", "stands twice"),
        ("\"logId\"", "\"logID\"", "logId"),
    ] {
        let damaged = text.replacen(from, to, 1);
        let error = TrustedRoot::parse(damaged.as_bytes())
            .expect_err(cause)
            .to_string();
        assert!(error.contains(cause), "{from} -> {to}: {error}");
    }
    // An Ed25519 key's id depends on the origin.
    let renamed = text.replace("log.example/2026", "log.example/2025");
    let error = TrustedRoot::parse(renamed.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("tlogs[1].logId"), "{error}");
}

#[test]
fn an_empty_list_and_a_key_listed_twice_are_refused() {
    let root = sample();
    let empty = String::from_utf8(root.to_json()).unwrap();
    let start = empty.find("\"tlogs\": [").unwrap() + "\"tlogs\": [".len();
    let end = empty.find("],\n  \"certificateAuthorities\"").unwrap();
    let elements = &empty[start..end];
    let twice = empty.replace(elements, &format!("{elements},{elements}"));
    assert!(matches!(
        TrustedRoot::parse(twice.as_bytes()),
        Err(TrustError::DuplicateKey { .. })
    ));
    let none = empty.replace(elements, "");
    assert!(matches!(
        TrustedRoot::parse(none.as_bytes()),
        Err(TrustError::Empty)
    ));
}

#[test]
fn an_unnameable_origin_is_refused() {
    assert!(matches!(
        TrustedRoot::new(&log("two words"), time("2026-01-01T00:00:00Z")),
        Err(TrustError::Origin(_))
    ));
}
