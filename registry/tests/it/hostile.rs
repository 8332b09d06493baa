//! Requests that are late, huge, malformed or too many.

use std::time::{Duration, Instant};

use attest::dsse::Envelope;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::Rate;

use crate::bench::{key, serve, serve_with};
use crate::sample::{body, sample, sample_of, statement};

/// Replaces the first occurrence, which must exist.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn a_submission_malformed_at_any_step_is_refused_by_name() {
    let served = serve();
    let (key, stranger) = (key(), key());
    let good = sample(1, &key);
    let text = std::str::from_utf8(&good.body).unwrap();
    let payload = |change: &dyn Fn(&str) -> String| {
        let envelope = Envelope::parse(&good.envelope).unwrap();
        let payload = change(std::str::from_utf8(&envelope.payload).unwrap()).into_bytes();
        body(&Envelope::sign(payload, &key).to_json(), &key)
    };
    let spki = STANDARD.encode(key.public().spki_der());
    let mut unsigned = statement(1);
    unsigned.predicate.measured.devices[0].name = "n".repeat(300);
    let cases: Vec<(&str, u16, &str, Vec<u8>)> = vec![
        ("empty", 400, "bad-body", Vec::new()),
        ("no JSON", 400, "bad-body", b"{".to_vec()),
        ("an array", 400, "bad-body", b"[]".to_vec()),
        (
            "no key",
            400,
            "bad-body",
            replaced(&good.body, "publicKey", "publikKey"),
        ),
        (
            "cut short",
            400,
            "bad-body",
            good.body[..good.body.len() - 3].to_vec(),
        ),
        (
            "a key twice",
            400,
            "bad-body",
            replaced(&good.body, "{\"envelope\"", "{\"publicKey\":\"\",\"envelope\""),
        ),
        ("trailing bytes", 400, "bad-body", format!("{text}x").into_bytes()),
        ("not UTF-8", 400, "bad-body", [&good.body[..], &[0xff]].concat()),
        (
            "too deep",
            400,
            "bad-body",
            format!("{{\"envelope\":{}{}}}", "[".repeat(200), "]".repeat(200)).into_bytes(),
        ),
        (
            "key not base64",
            400,
            "bad-key",
            replaced(&good.body, &spki, "@@@"),
        ),
        (
            "key not SPKI",
            400,
            "bad-key",
            replaced(&good.body, &spki, "AAAA"),
        ),
        (
            "no payload",
            400,
            "bad-envelope",
            replaced(&good.body, "\"payload\"", "\"payloda\""),
        ),
        (
            "no signature",
            400,
            "bad-envelope",
            replaced(&good.body, "\"sig\"", "\"gis\""),
        ),
        ("other key", 422, "bad-signature", body(&good.envelope, &stranger)),
        (
            "other payload type",
            400,
            "bad-envelope",
            replaced(&good.body, "application/vnd.in-toto+json", "text/plain"),
        ),
        (
            "payload no JSON",
            422,
            "bad-statement",
            payload(&|_| "hello".to_owned()),
        ),
        (
            "other predicate",
            422,
            "bad-statement",
            payload(&|text| text.replace("compute-performance", "else")),
        ),
        (
            "a wrong summary",
            422,
            "bad-statement",
            payload(&|text| text.replace("\"medianPs\":", "\"medianPs\":1")),
        ),
        (
            "a duplicate key",
            422,
            "bad-statement",
            payload(&|text| text.replacen('{', "{\"_type\":\"x\",", 1)),
        ),
        (
            "a long name",
            422,
            "bad-statement",
            sample_of(&unsigned, &key).body,
        ),
    ];
    let mut wire = served.wire();
    for (what, status, slug, body) in cases {
        let answer = wire.post(&body).unwrap();
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{what}"
        );
        let problem = answer.json();
        assert_eq!(
            problem["type"],
            format!("urn:hallmark:problem:{slug}"),
            "{what}: {problem}"
        );
        assert_eq!(problem["status"], status, "{what}");
        assert!(
            problem["detail"].as_str().unwrap().len() > 10,
            "{what}: {problem}"
        );
    }
    assert_eq!(
        wire.get("/checkpoint").unwrap().text().lines().nth(1),
        Some("0"),
        "nothing was logged"
    );
    assert_eq!(
        wire.post(&good.body).unwrap().status,
        201,
        "and the connection is still good"
    );
}

#[test]
fn a_flipped_byte_anywhere_in_a_submission_is_refused_or_changes_nothing() {
    let served = serve();
    let key = key();
    let good = sample(1, &key);
    let mut wire = served.wire();
    assert_eq!(wire.post(&good.body).unwrap().status, 201);
    let step = good.body.len() / 257;
    for at in (0..good.body.len()).step_by(step.max(1)) {
        let mut flipped = good.body.clone();
        flipped[at] ^= 1;
        let answer = wire.post(&flipped).unwrap();
        assert!(
            matches!(answer.status, 200 | 400 | 422),
            "byte {at}: {} {}",
            answer.status,
            answer.text()
        );
    }
    assert_eq!(wire.get("/checkpoint").unwrap().text().lines().nth(1), Some("1"));
}

#[test]
fn a_slow_body_is_cut_off_and_others_are_served_meanwhile() {
    let served = serve_with(|config| config.limits.body_timeout = Duration::from_millis(300));
    let mut slow = served.wire();
    let started = Instant::now();
    slow.send(
        b"POST /api/v1/attestations HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    )
    .unwrap();
    assert_eq!(served.wire().post(&sample(1, &key()).body).unwrap().status, 201);
    let answer = slow.answer().unwrap();
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert_eq!(answer.json()["type"], "urn:hallmark:problem:body-timeout");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_slow_head_loses_its_connection() {
    let served = serve_with(|config| config.limits.head_timeout = Duration::from_millis(300));
    let mut slow = served.wire();
    slow.send(b"GET / HTTP/1.1\r\nHost:").unwrap();
    let started = Instant::now();
    // hyper may say 408 before it closes.
    if let Ok(answer) = slow.answer() {
        assert_eq!(answer.status, 408);
    }
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_huge_body_is_refused_declared_or_not() {
    let served = serve();
    let mut declared = served.wire();
    declared
        .send(b"POST /api/v1/attestations HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n")
        .unwrap();
    let answer = declared.answer().unwrap();
    assert_eq!(
        (answer.status, answer.json()["type"].as_str()),
        (413, Some("urn:hallmark:problem:body-too-large"))
    );

    let mut chunked = served.wire();
    chunked
        .send(b"POST /api/v1/attestations HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    for _ in 0..40 {
        if chunked.send(&chunk).is_err() {
            break;
        }
    }
    // The answer may be lost when the server resets the connection under our unread bytes.
    if let Ok(answer) = chunked.answer() {
        assert_eq!(answer.status, 413);
    }
    assert_eq!(served.wire().get("/healthz").unwrap().status, 200);
}

#[test]
fn the_largest_statement_is_accepted_and_a_larger_one_is_not() {
    let served = serve();
    let key = key();
    let mut statement = statement(1);
    let room = |statement: &attest::statement::Statement| {
        attest::statement::MAX_STATEMENT_BYTES - attest::jcs::to_vec(statement).unwrap().len()
    };
    let environment = |statement: &mut attest::statement::Statement, bytes| {
        statement
            .predicate
            .measured
            .environment
            .insert("filler".to_owned(), "x".repeat(bytes));
    };
    environment(&mut statement, 1);
    let bytes = room(&statement) + 1;
    environment(&mut statement, bytes);
    assert_eq!(room(&statement), 0);
    assert_eq!(
        served
            .wire()
            .post(&sample_of(&statement, &key).body)
            .unwrap()
            .status,
        201
    );
    environment(&mut statement, bytes + 1);
    let payload = attest::jcs::to_vec(&statement).unwrap();
    let larger = body(&Envelope::sign(payload, &key).to_json(), &key);
    assert_eq!(served.wire().post(&larger).unwrap().status, 422);
}

#[test]
fn another_media_type_method_or_path_is_a_problem_too() {
    let served = serve();
    let mut wire = served.wire();
    wire.send(b"POST /api/v1/attestations HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}")
        .unwrap();
    assert_eq!(wire.answer().unwrap().status, 415);
    let mut wire = served.wire();
    wire.send(b"DELETE /api/v1/attestations HTTP/1.1\r\nHost: test\r\n\r\n")
        .unwrap();
    let answer = wire.answer().unwrap();
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (405, Some("application/problem+json"))
    );
    let answer = served.wire().get("/nowhere").unwrap();
    assert_eq!(
        (answer.status, answer.json()["status"].as_u64()),
        (404, Some(404))
    );
    for path in [
        "/?colour=red",
        "/api/v1/attestations?limit=0",
        "/api/v1/attestations?key=xyz",
        "/api/v1/attestations?cursor=x",
    ] {
        let answer = served.wire().get(path).unwrap();
        assert_eq!(
            (answer.status, answer.json()["type"].as_str()),
            (400, Some("urn:hallmark:problem:bad-query")),
            "{path}"
        );
    }
    assert_eq!(served.wire().get("/api/v1/attestations/ABC").unwrap().status, 400);
}

#[test]
fn too_many_requests_of_one_peer_are_told_when_to_come_back() {
    let served = serve_with(|config| {
        config.limits.submissions = Some(Rate {
            per_second: 0.5,
            burst: 2.0,
        });
    });
    let mut wire = served.wire();
    let key = key();
    let statuses: Vec<u16> = (0..3)
        .map(|number| wire.post(&sample(number, &key).body).unwrap().status)
        .collect();
    assert_eq!(statuses, [201, 201, 429]);
    let answer = wire.post(&sample(9, &key).body).unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("2")));
    assert_eq!(
        wire.get("/").unwrap().status,
        200,
        "reads have their own allowance"
    );
    let metrics = wire.get("/metrics").unwrap();
    assert!(
        metrics.text().contains("hallmark_rate_limited_total 2"),
        "{}",
        metrics.text()
    );
}

#[test]
fn request_ids_are_echoed_when_plain_and_made_when_not() {
    let served = serve();
    let mut wire = served.wire();
    let kept = wire.get_with("/healthz", "X-Request-Id: run-7\r\n").unwrap();
    assert_eq!(kept.header("x-request-id"), Some("run-7"));
    let made = wire.get_with("/healthz", "X-Request-Id: a b{}\r\n").unwrap();
    assert_eq!(made.header("x-request-id").map(str::len), Some(16));
}
