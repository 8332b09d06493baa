//! Envelopes that must not open: damaged, ambiguous, or signed by somebody else or over something else.

use attest::dsse::Envelope;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Case, Kind};
use crate::sample;

pub(crate) fn cases() -> Vec<Case> {
    [damaged(), ambiguous(), signatures(), bombs()].concat()
}

fn case(name: &'static str, why: &'static str, error: impl Into<String>, input: impl Into<Vec<u8>>) -> Case {
    Case {
        name,
        kind: Kind::Envelope,
        why,
        error: error.into(),
        input: input.into(),
    }
}

fn sound() -> Envelope {
    sample::envelope(&sample::small())
}

fn text() -> String {
    String::from_utf8(sound().to_json()).expect("JSON is UTF-8")
}

/// The sound envelope's JSON after a change.
fn edited(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::from_str(&text()).expect("JSON");
    change(&mut value);
    value.to_string().into_bytes()
}

/// The sound envelope with other signature bytes.
fn with_signature(sig: Vec<u8>) -> Vec<u8> {
    Envelope { sig, ..sound() }.to_json()
}

fn not_signed_by_provider() -> String {
    format!(
        "the signature is not by key {} over these bytes",
        sample::provider().public().id()
    )
}

fn damaged() -> Vec<Case> {
    let text = text();
    let half = text.len() / 2;
    let mut flipped = sound();
    let digit = flipped
        .payload
        .iter()
        .rposition(u8::is_ascii_digit)
        .expect("a digit");
    flipped.payload[digit] ^= 1;
    let mut byte = text.clone().into_bytes();
    byte[2] = 0xFF;
    vec![
        case(
            "envelope-truncated",
            "Half of a download: what is missing cannot be signed for.",
            format!(
                "the envelope is not read: the document ends at byte {half}, where a character of a string, control characters escaped should follow"
            ),
            &text[..half],
        ),
        case(
            "envelope-followed-by-another",
            "Two envelopes end to end: one reader would take the first, another the last.",
            format!(
                "the envelope is not read: byte {} follows the end of the document",
                text.len()
            ),
            format!("{text}{text}"),
        ),
        case(
            "envelope-not-utf8",
            "A byte that is no UTF-8: readers replace it by different characters.",
            "the envelope is not read: byte 2 is not UTF-8",
            byte,
        ),
        case(
            "envelope-byte-order-mark",
            "A byte order mark before the document, which RFC 8259 forbids writers and some readers refuse.",
            "the envelope is not read: byte 0 is '\\u{feff}', where an object should stand",
            format!("\u{feff}{text}"),
        ),
        case(
            "payload-one-digit-changed",
            "One digit of the signed statement was changed and the signature kept.",
            not_signed_by_provider(),
            flipped.to_json(),
        ),
        case(
            "payload-base64-of-two-alphabets",
            "The payload mixes the standard and the URL-safe alphabet: readers of one kind see other bytes or none.",
            "\"payload\" of the envelope is no base64 of RFC 4648, standard or URL-safe",
            edited(|envelope| envelope["payload"] = json!("+/+/-_-_")),
        ),
        case(
            "payload-base64-with-spare-bits",
            "The last character carries bits beyond the last byte: the same payload under another text.",
            "\"payload\" of the envelope is no base64 of RFC 4648, standard or URL-safe",
            edited(|envelope| envelope["payload"] = json!("e31=")),
        ),
    ]
}

fn ambiguous() -> Vec<Case> {
    let twice = |key: &str| {
        let other = STANDARD.encode(b"{}");
        text().replacen('{', &format!("{{\"{key}\":\"{other}\","), 1)
    };
    let repeated = |name: &'static str, why: &'static str, input: String| {
        let again = input.rfind("\"payload\":").expect("the payload");
        let error = format!(
            "the envelope is not read: key \"payload\" stands twice in one object, again at byte {again}"
        );
        case(name, why, error, input)
    };
    vec![
        repeated(
            "payload-twice",
            "Two payloads: the signature covers one, a reader may show the other.",
            twice("payload"),
        ),
        repeated(
            "payload-twice-by-escape",
            "Two payloads, one key spelled with an escape: the same key to a JSON reader, not to a comparison of bytes.",
            twice("p\\u0061yload"),
        ),
        case(
            "payload-missing",
            "No payload: nothing was signed.",
            "the envelope has no \"payload\"",
            edited(|envelope| drop(envelope.as_object_mut().expect("an object").remove("payload"))),
        ),
        case(
            "payload-type-other",
            "The payload is declared to be something else; a statement's rules do not apply to it.",
            "the payload is of type \"application/json\", not \"application/vnd.in-toto+json\"",
            edited(|envelope| envelope["payloadType"] = json!("application/json")),
        ),
        case(
            "payload-not-a-string",
            "The payload is an object and not base64 of the bytes that were signed.",
            "the envelope is not read: byte 11 is '{', where a string should stand",
            edited(|envelope| envelope["payload"] = json!({})),
        ),
        case(
            "envelope-half-a-surrogate-pair",
            "A key that is half a surrogate pair has no UTF-8 form: readers replace it or fail.",
            "the envelope is not read: the escape at byte 2 is half a surrogate pair",
            text().replacen('{', "{\"\\ud800\":0,", 1),
        ),
    ]
}

fn signatures() -> Vec<Case> {
    let sound = sound();
    let raw = p256::ecdsa::Signature::from_der(&sound.sig)
        .expect("DER")
        .to_bytes()
        .to_vec();
    let not_der = "the signature is not ASN.1 DER of two integers below the order of P-256";
    let mut trailing = sound.sig.clone();
    trailing.push(0);
    let mut long_length = sound.sig.clone();
    long_length.insert(1, 0x81);
    vec![
        case(
            "signatures-two",
            "Two signatures: which of them was checked would be left to the reader.",
            "the envelope carries 2 signatures; exactly one is read",
            edited(|envelope| {
                let first = envelope["signatures"][0].clone();
                envelope["signatures"].as_array_mut().expect("a list").push(first);
            }),
        ),
        case(
            "signatures-none",
            "An empty list of signatures must not count as all of them being good.",
            "the envelope carries 0 signatures; exactly one is read",
            edited(|envelope| envelope["signatures"] = json!([])),
        ),
        case(
            "signature-missing",
            "A signature object without the signature.",
            "the envelope has no \"sig\"",
            edited(|envelope| envelope["signatures"] = json!([{"keyid": "x"}])),
        ),
        case(
            "signature-raw",
            "The same numbers as a raw r||s pair: one signature must not have two forms.",
            "the signature is a raw r||s pair of 64 bytes; only ASN.1 DER is read",
            with_signature(raw),
        ),
        case(
            "signature-trailing-byte",
            "A byte after the signature's DER, which lax readers skip.",
            not_der,
            with_signature(trailing),
        ),
        case(
            "signature-ber-length",
            "BER and not DER: the length is written longer than need be.",
            not_der,
            with_signature(long_length),
        ),
        case(
            "signature-by-stranger",
            "A sound signature by a key that is not the provider's, under the provider's key hint.",
            not_signed_by_provider(),
            with_signature(Envelope::sign(sound.payload.clone(), &sample::stranger()).sig),
        ),
        case(
            "signature-over-payload-alone",
            "The provider signed the payload's bytes in another protocol, without type and lengths before them.",
            not_signed_by_provider(),
            with_signature(sample::provider().sign(&sound.payload)),
        ),
        case(
            "signature-of-another-statement",
            "A sound signature of the provider, moved from another statement.",
            not_signed_by_provider(),
            with_signature(sample::envelope(&sample::two_devices()).sig),
        ),
    ]
}

fn bombs() -> Vec<Case> {
    let first = |member: &str| text().replacen('{', &format!("{{\"x\":{member},"), 1);
    vec![
        case(
            "envelope-depth-bomb",
            "Ten thousand lists inside one another overflow the stack of a recursive reader, in a field nobody reads.",
            "the envelope is not read: byte 36 opens level 33; at most 32 levels are read",
            first(&format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))),
        ),
        case(
            "envelope-number-beyond-binary64",
            "A number that is infinite to some readers, in a field nobody reads.",
            "the envelope is not read: the number 1e400 at byte 5 is beyond the range of binary64",
            first("1e400"),
        ),
        case(
            "envelope-integer-beyond-2-53",
            "An integer that many readers round, in a field nobody reads.",
            "the envelope is not read: the integer 9007199254740993 at byte 5 is beyond 2^53-1; larger counts are decimal strings",
            first("9007199254740993"),
        ),
    ]
}
