//! An envelope in hostile hands: every byte changed, every cut, and the few bytes that nothing trusts.

use std::ops::Range;

use attest::digest::Sha256;
use attest::dsse::{Envelope, EnvelopeError, MAX_ENVELOPE_BYTES};
use attest::json::JsonError;
use attest::key::{P256, SignatureError};
use attest::statement::{MAX_STATEMENT_BYTES, Statement, StatementError};

use crate::sample;

/// What a reader takes from an envelope: the signed bytes, their digest and the statement read from them.
#[derive(Debug, PartialEq)]
struct Content {
    payload: Vec<u8>,
    digest: Sha256,
    statement: Statement,
}

fn read(bytes: &[u8]) -> Result<Content, String> {
    let verified = Envelope::parse(bytes)
        .and_then(|envelope| envelope.open(sample::provider().public(), &P256))
        .map_err(|error| error.to_string())?;
    let statement = Statement::read(&verified).map_err(|error| error.to_string())?;
    Ok(Content {
        payload: verified.payload().to_vec(),
        digest: verified.pae_digest(),
        statement: statement.into_inner(),
    })
}

fn sound() -> String {
    let envelope = sample::envelope(&sample::small());
    String::from_utf8(envelope.to_json()).expect("JSON is UTF-8")
}

/// Where `part` stands in `text`.
fn place(text: &str, part: &str) -> Range<usize> {
    let start = text.find(part).expect("a part of the envelope");
    start..start + part.len()
}

/// The bytes that nothing trusts: name and value of the key hint. A change there leaves the content the same.
fn untrusted(text: &str) -> [Range<usize>; 2] {
    let hint = sample::provider().public().id().to_string();
    [place(text, "keyid"), place(text, &hint)]
}

#[test]
fn every_changed_byte_is_refused_or_is_one_that_nothing_trusts() {
    let text = sound();
    let content = read(text.as_bytes()).expect("a sound envelope");
    let untrusted = untrusted(&text);
    let payload = place(&text, "payload\":\"").end..place(&text, "\",\"payloadType").start;
    let check = |position: usize| {
        // All bits of what frames the payload; inside it one change within the base64 alphabet, one of case, one out of ASCII.
        let masks: &[u8] = if payload.contains(&position) {
            &[1, 0x20, 0xFF]
        } else {
            &[1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xFF]
        };
        for mask in masks {
            let mut bytes = text.clone().into_bytes();
            bytes[position] ^= mask;
            match read(&bytes) {
                Err(message) => assert!(!message.is_empty()),
                Ok(other) => {
                    assert!(
                        untrusted.iter().any(|range| range.contains(&position)),
                        "byte {position} with mask {mask:#x} was accepted"
                    );
                    assert_eq!(other, content, "byte {position} with mask {mask:#x}");
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for part in 0..2 {
            let (text, check) = (&text, &check);
            scope.spawn(move || (part..text.len()).step_by(2).for_each(check));
        }
    });
}

#[test]
fn some_changes_of_the_key_hint_are_accepted() {
    let text = sound();
    let content = read(text.as_bytes()).expect("a sound envelope");
    for range in untrusted(&text) {
        let mut bytes = text.clone().into_bytes();
        bytes[range.start] = b'x';
        assert_eq!(read(&bytes).as_ref(), Ok(&content));
    }
}

#[test]
fn every_truncation_is_refused() {
    let text = sound();
    for length in 0..text.len() {
        let message = read(&text.as_bytes()[..length]).expect_err("a part is no envelope");
        assert!(
            message.starts_with("the envelope is not read: the document ends at byte"),
            "{length}: {message}"
        );
    }
}

#[test]
fn other_spellings_of_the_same_envelope_have_the_same_content() {
    let text = sound();
    let content = read(text.as_bytes()).expect("a sound envelope");
    let envelope = Envelope::parse(text.as_bytes()).expect("a sound envelope");
    let in_base64 = |change: fn(&str) -> String| {
        let payload = place(&text, "payload\":\"").end..place(&text, "\",\"payloadType").start;
        let sig = place(&text, "\"sig\":\"").end..place(&text, "\"}]}").start;
        let (first, between, last) = (
            &text[..payload.start],
            &text[payload.end..sig.start],
            &text[sig.end..],
        );
        format!(
            "{first}{}{between}{}{last}",
            change(&text[payload]),
            change(&text[sig.clone()])
        )
    };
    for (what, other) in [
        (
            "white space",
            text.replace(':', " : ")
                .replace(',', "\n,\t")
                .replace('{', "{\r\n"),
        ),
        (
            "URL-safe base64",
            in_base64(|payload| payload.replace('+', "-").replace('/', "_")),
        ),
        (
            "base64 without padding",
            in_base64(|payload| payload.trim_end_matches('=').to_owned()),
        ),
        (
            "escapes in base64",
            in_base64(|payload| payload.replacen('e', "\\u0065", 3)),
        ),
        ("escapes in keys", text.replace("payload", "p\\u0061yload")),
        (
            "unknown fields",
            text.replacen('{', "{\"new\":[{\"a\":1.5e3}],", 1)
                .replace("{\"keyid", "{\"cert\":null,\"keyid"),
        ),
        (
            "no key hint",
            String::from_utf8(
                Envelope {
                    keyid: None,
                    ..envelope
                }
                .to_json(),
            )
            .expect("UTF-8"),
        ),
    ] {
        assert_ne!(other, text, "{what} changes something");
        assert_eq!(read(other.as_bytes()).as_ref(), Ok(&content), "{what}");
    }
}

#[test]
fn the_mirrored_signature_is_the_same_entry() {
    let envelope = sample::envelope(&sample::small());
    let signature = p256::ecdsa::Signature::from_der(&envelope.sig).expect("DER");
    let (r, s) = signature.split_scalars();
    let mirrored = p256::ecdsa::Signature::from_scalars(r, -s).expect("r and n - s");
    let other = Envelope {
        sig: mirrored.to_der().as_bytes().to_vec(),
        ..envelope.clone()
    };
    assert_ne!(other.sig, envelope.sig);
    assert_eq!(read(&other.to_json()), read(&envelope.to_json()));
}

#[test]
fn size_bombs_are_refused_before_they_are_read() {
    let bomb = vec![b' '; MAX_ENVELOPE_BYTES + 1];
    assert_eq!(
        Envelope::parse(&bomb),
        Err(EnvelopeError::Json(JsonError::TooLarge {
            bytes: MAX_ENVELOPE_BYTES + 1,
            limit: MAX_ENVELOPE_BYTES
        }))
    );
    let key = sample::provider();
    let padded = Envelope::sign(vec![b' '; MAX_STATEMENT_BYTES + 1], &key);
    let verified = Envelope::parse(&padded.to_json())
        .and_then(|envelope| envelope.open(key.public(), &P256))
        .expect("a sound envelope");
    assert!(matches!(
        Statement::read(&verified),
        Err(StatementError::Json(JsonError::TooLarge { .. }))
    ));
}

#[test]
fn the_largest_statement_fits_its_envelope() {
    let key = sample::provider();
    let largest = Envelope::sign(vec![b' '; MAX_STATEMENT_BYTES], &key);
    assert!(Envelope::parse(&largest.to_json()).is_ok());
}

#[test]
fn another_key_opens_nothing() {
    let envelope = sample::envelope(&sample::small());
    let stranger = sample::stranger();
    assert_eq!(
        envelope.open(stranger.public(), &P256).err(),
        Some(EnvelopeError::Signature(SignatureError::Wrong {
            key_id: stranger.public().id()
        }))
    );
}

#[test]
fn a_newer_field_changes_no_verdict() {
    let mut statement = serde_json::to_value(sample::statement(&sample::small())).expect("JSON");
    statement["predicate"]["records"][0]["newer"] = serde_json::json!({"by": ["a", "later", "version"]});
    let key = sample::provider();
    let with = Envelope::sign(statement.to_string().into_bytes(), &key);
    let read = read(&with.to_json()).expect("unknown fields are ignored");
    assert_eq!(read.statement, sample::statement(&sample::small()));
}

#[test]
fn a_statement_full_of_samples_is_read_whole() {
    let run = sample::with_samples(512);
    let read = read(&sample::envelope(&run).to_json()).expect("a sound envelope");
    assert_eq!(read.statement.predicate.measured, run.measured);
}
