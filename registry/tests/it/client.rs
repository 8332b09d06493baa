//! The client against registries that are down, slow, refusing or lying.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use attest::digest::Sha256;
use registry::client::{Client, ClientError, ListQuery};

use crate::bench::{ORIGIN, key, serve};
use crate::sample::sample;

const PATIENCE: Duration = Duration::from_secs(5);

/// A server that gives these bytes, in turn, to whoever connects. It serves until the program ends.
fn scripted(answers: Vec<Vec<u8>>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let answer = answers[counter.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)].clone();
            std::thread::spawn(move || {
                let mut request = vec![0; 1 << 20];
                let mut read = 0;
                // A whole request: its head and as many bytes as that announces.
                loop {
                    let Ok(more) = stream.read(&mut request[read..]) else {
                        return;
                    };
                    read += more;
                    let text = String::from_utf8_lossy(&request[..read]).to_ascii_lowercase();
                    let Some(end) = text.find("\r\n\r\n") else {
                        continue;
                    };
                    let length = text
                        .split("content-length: ")
                        .nth(1)
                        .and_then(|rest| rest.split('\r').next()?.parse().ok());
                    if more == 0 || read >= end + 4 + length.unwrap_or(0) {
                        break;
                    }
                }
                let _ = stream.write_all(&answer);
                if answer.is_empty() {
                    std::thread::sleep(Duration::from_secs(20));
                }
            });
        }
    });
    (address, asked)
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn client(address: SocketAddr, timeout: Duration) -> Client {
    Client::new(&format!("http://{address}"), timeout).unwrap()
}

#[test]
fn a_submission_comes_back_verified_and_again_as_known() {
    let served = serve();
    let client = client(served.running.address(), PATIENCE);
    let trust = client.trusted_root().unwrap();
    assert_eq!(trust, served.trust());
    let key = key();
    let sample = sample(1, &key);
    let first = client.submit(&sample.envelope, key.public(), &trust).unwrap();
    assert!(first.new && first.verified.log_index == 0 && first.verified.statement.digest() == sample.digest);
    let again = client.submit(&sample.envelope, key.public(), &trust).unwrap();
    assert!(!again.new && again.receipt == first.receipt);
    assert_eq!(client.receipt(&sample.digest, &trust).unwrap().0, first.receipt);
    assert_eq!(client.checkpoint(&trust.log(ORIGIN).unwrap()).unwrap().size, 1);
    assert_eq!(client.attestation(&sample.digest).unwrap()["logIndex"], 0);
    let query = ListQuery {
        device: Some("llvmpipe/sample".to_owned()),
        limit: Some(1),
        ..ListQuery::default()
    };
    assert_eq!(
        client.list(&query).unwrap()["attestations"][0]["digest"],
        sample.digest.to_string()
    );
}

#[test]
fn a_registry_that_is_down_is_called_down() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client(free, Duration::from_millis(900))
        .trusted_root()
        .unwrap_err();
    assert!(error.is_down(), "{error}");
    assert!(error.to_string().contains("is down"), "{error}");
}

#[test]
fn a_registry_that_never_answers_is_called_slow_in_time() {
    let (address, _) = scripted(vec![Vec::new()]);
    let started = Instant::now();
    let key = key();
    let error = client(address, Duration::from_millis(500))
        .submit(&sample(1, &key).envelope, key.public(), &serve().trust())
        .unwrap_err();
    assert!(error.is_slow(), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );

    let (address, _) = scripted(vec![
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec(),
    ]);
    let error = client(address, Duration::from_millis(700))
        .trusted_root()
        .unwrap_err();
    assert!(!error.is_lie() && !error.is_down(), "{error}");
}

#[test]
fn a_refusal_is_passed_on_in_the_registrys_words() {
    let served = serve();
    let (key, other) = (key(), key());
    let error = client(served.running.address(), PATIENCE)
        .submit(&sample(1, &key).envelope, other.public(), &served.trust())
        .unwrap_err();
    let ClientError::Refused(refusal) = &error else {
        panic!("{error}")
    };
    assert_eq!((refusal.status, refusal.slug.as_str()), (422, "bad-signature"));
    assert!(
        error.to_string().contains("not made by this public key"),
        "{error}"
    );
}

#[test]
fn a_busy_registry_is_asked_again_and_a_stopped_one_is_not() {
    let served = serve();
    let key = key();
    let sample = sample(1, &key);
    let receipt = served.wire().post(&sample.body).unwrap().body;
    let problem = |slug: &str| {
        format!("{{\"type\":\"urn:hallmark:problem:{slug}\",\"title\":\"t\",\"detail\":\"d\"}}").into_bytes()
    };
    let busy = http(
        "503 Service Unavailable",
        "Retry-After: 0\r\n",
        &problem("queue-full"),
    );
    let good = http("201 Created", "", &receipt);
    let (address, asked) = scripted(vec![busy.clone(), b"cut".to_vec(), good]);
    let done = client(address, PATIENCE).submit(&sample.envelope, key.public(), &served.trust());
    assert!(done.is_ok(), "{done:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 3);

    let (address, asked) = scripted(vec![http("503 Service Unavailable", "", &problem("log-stopped"))]);
    let error = client(address, PATIENCE)
        .submit(&sample.envelope, key.public(), &served.trust())
        .unwrap_err();
    assert!(
        matches!(&error, ClientError::Refused(refusal) if refusal.slug == "log-stopped"),
        "{error}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    let late = http(
        "503 Service Unavailable",
        "Retry-After: 3600\r\n",
        &problem("queue-full"),
    );
    let (address, asked) = scripted(vec![late]);
    let started = Instant::now();
    assert!(client(address, PATIENCE).trusted_root().is_err());
    assert!(started.elapsed() < Duration::from_secs(2) && asked.load(Ordering::SeqCst) == 1);
}

#[test]
fn every_lie_about_a_receipt_is_called_one() {
    let (served, stranger) = (serve(), serve());
    let (key, other) = (key(), key());
    let [ours, second] = [1, 2].map(|number| sample(number, &key));
    let mut wire = served.wire();
    let good = wire.post(&ours.body).unwrap().body;
    let swapped = wire.post(&second.body).unwrap().body;
    let by_other = wire.post(&sample(1, &other).body).unwrap().body;
    let other_log = stranger.wire().post(&ours.body).unwrap().body;
    let changed = |pointer: &str, value: serde_json::Value| {
        let mut receipt: serde_json::Value = serde_json::from_slice(&swapped).unwrap();
        *receipt.pointer_mut(pointer).unwrap() = value;
        receipt.to_string().into_bytes()
    };
    let entry = "/verificationMaterial/tlogEntries/0";
    let lies: Vec<(&str, Vec<u8>)> = vec![
        ("another statement's receipt", swapped.clone()),
        ("another signer's receipt", by_other),
        ("another log's receipt", other_log),
        (
            "a wrong root",
            changed(&format!("{entry}/inclusionProof/rootHash"), "A".repeat(43).into()),
        ),
        ("a wrong index", changed(&format!("{entry}/logIndex"), "7".into())),
        (
            "a wrong proof",
            changed(
                &format!("{entry}/inclusionProof/hashes/0"),
                format!("{}=", "A".repeat(43)).into(),
            ),
        ),
        (
            "no checkpoint",
            changed(
                &format!("{entry}/inclusionProof/checkpoint"),
                serde_json::json!({}),
            ),
        ),
        ("half a receipt", good[..good.len() / 2].to_vec()),
        ("an empty object", b"{}".to_vec()),
        ("no JSON", b"<html>".to_vec()),
    ];
    for (what, lie) in lies {
        let (address, _) = scripted(vec![http("201 Created", "", &lie)]);
        let sent = if what.starts_with("a wrong") || what == "no checkpoint" {
            &second
        } else {
            &ours
        };
        let error = client(address, PATIENCE)
            .submit(&sent.envelope, key.public(), &served.trust())
            .unwrap_err();
        assert!(error.is_lie(), "{what}: {error}");
        assert!(error.to_string().contains(" lies: "), "{what}: {error}");
    }
    let (address, _) = scripted(vec![http("200 OK", "", &swapped)]);
    let error = client(address, PATIENCE)
        .receipt(&ours.digest, &served.trust())
        .unwrap_err();
    assert!(error.is_lie(), "{error}");
    let (address, _) = scripted(vec![http(
        "200 OK",
        "",
        stranger.wire().get("/checkpoint").unwrap().text().as_bytes(),
    )]);
    let trust = served.trust().log(ORIGIN).unwrap();
    assert!(client(address, PATIENCE).checkpoint(&trust).unwrap_err().is_lie());
}

#[test]
fn answers_that_are_endless_or_of_something_else_are_no_answers() {
    let endless = [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(),
        vec![b'x'; 9 << 20],
    ]
    .concat();
    let (address, _) = scripted(vec![endless]);
    let error = client(address, PATIENCE).trusted_root().unwrap_err();
    assert!(error.to_string().contains("longer than 8388608 bytes"), "{error}");
    let (address, _) = scripted(vec![http("200 OK", "", b"<html>hello</html>")]);
    let error = client(address, PATIENCE)
        .attestation(&Sha256::of(b""))
        .unwrap_err();
    assert!(matches!(error, ClientError::Garbled { .. }), "{error}");
    let (address, _) = scripted(vec![http("302 Found", "Location: http://example.test/\r\n", b"")]);
    assert!(matches!(
        client(address, PATIENCE).trusted_root().unwrap_err(),
        ClientError::Refused(_)
    ));
    let evil = http(
        "418 \u{1b}[2J",
        "",
        b"{\"title\":\"\\u001b[2J\",\"detail\":\"x\"}",
    );
    let (address, _) = scripted(vec![evil]);
    let error = client(address, PATIENCE).trusted_root().unwrap_err().to_string();
    assert!(!error.contains('\u{1b}'), "{error:?}");
}

#[test]
fn an_address_that_is_none_is_refused_at_once() {
    for url in ["", "registry", "ftp://host/", "http://"] {
        assert!(
            matches!(Client::new(url, PATIENCE), Err(ClientError::Url { .. })),
            "{url:?}"
        );
    }
    assert!(Client::new("https://registry.test/hallmark", PATIENCE).is_ok());
}
