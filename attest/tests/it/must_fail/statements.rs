//! Statements that the provider signed and nobody may accept: figures that do not follow from the samples, references
//! that lead nowhere, claims that a signature cannot carry.

mod claims;
mod figures;
mod sittings;

use attest::dsse::Envelope;
use serde_json::{Value, json};

use super::{Case, Kind};
use crate::sample;

pub(crate) fn cases() -> Vec<Case> {
    [
        json_rules(),
        header(),
        devices(),
        references(),
        figures::cases(),
        claims::cases(),
        sittings::cases(),
    ]
    .concat()
}

fn signed(payload: impl Into<Vec<u8>>) -> Vec<u8> {
    Envelope::sign(payload.into(), &sample::provider()).to_json()
}

/// The statement of [`sample::two_devices`] after a change, signed.
fn case(name: &'static str, why: &'static str, error: &str, change: impl FnOnce(&mut Value)) -> Case {
    let mut statement = serde_json::to_value(sample::statement(&sample::two_devices())).expect("JSON");
    change(&mut statement);
    Case {
        name,
        kind: Kind::Envelope,
        why,
        error: error.to_owned(),
        input: signed(statement.to_string()),
    }
}

/// The same of the statement's text.
fn text_case(
    name: &'static str,
    why: &'static str,
    error: &str,
    change: impl FnOnce(String) -> String,
) -> Case {
    let text = sample::statement(&sample::small())
        .to_bytes()
        .expect("a sound statement");
    Case {
        name,
        kind: Kind::Envelope,
        why,
        error: error.to_owned(),
        input: signed(change(String::from_utf8(text).expect("UTF-8"))),
    }
}

/// A case about record `index`, 0 and 1 the exact product on CPU and Vulkan, 2 and 3 the softmax.
fn record(
    name: &'static str,
    why: &'static str,
    index: usize,
    reason: &str,
    change: impl FnOnce(&mut Value),
) -> Case {
    let workload = ["gemm.f32.exact.v1", "softmax.f32.v1"][index / 2];
    let error = format!("record {index} ({workload}): {reason}");
    case(name, why, &error, |statement| {
        change(&mut statement["predicate"]["records"][index]);
    })
}

fn json_rules() -> Vec<Case> {
    let first = |member: &'static str| move |text: String| text.replacen('{', &format!("{{{member},"), 1);
    vec![
        text_case(
            "statement-key-twice",
            "The signer wrote the subject twice: two readers show two subjects under one good signature.",
            "the statement is not read: key \"subject\" stands twice in one object, again at byte 2294",
            |text| text.replacen('{', "{\"subject\":[],", 1),
        ),
        text_case(
            "statement-integer-beyond-2-53",
            "A signed integer that readers round differently, even in a field this version does not know.",
            "the statement is not read: the integer -9007199254740993 at byte 10 is beyond 2^53-1; larger counts are decimal strings",
            first("\"newer\": -9007199254740993"),
        ),
        text_case(
            "statement-half-a-surrogate-pair",
            "A signed text without a UTF-8 form.",
            "the statement is not read: the escape at byte 10 is half a surrogate pair",
            first("\"newer\":\"\\udc00\""),
        ),
        text_case(
            "statement-truncated",
            "The provider signed a document that was cut off.",
            "the statement is not read: the document ends at byte 100, where a character of a string, control characters escaped should follow",
            |text| text[..100].to_owned(),
        ),
        text_case(
            "statement-not-an-object",
            "A signed list is no statement.",
            "the statement is not read: the document is sound JSON of another shape: invalid length 0, expected struct Statement with 4 elements at line 1 column 2",
            |_| "[]".to_owned(),
        ),
        case(
            "statement-fraction-for-an-integer",
            "Measured numbers are integers; a fraction has several spellings.",
            "the statement is not read: the document is sound JSON of another shape: invalid type: floating point `2000000.5`, expected u64 at line 1 column 1322",
            |statement| statement["predicate"]["records"][0]["timing"]["samplesNs"][0] = json!(2_000_000.5),
        ),
        case(
            "statement-small-count-as-string",
            "A count below 2^53 written as a string: one number must not have two forms.",
            "the statement is not read: the document is sound JSON of another shape: \"524288\" is not a decimal integer between 2^53 and 2^64-1 at line 1 column 1689",
            |statement| statement["predicate"]["records"][0]["timing"]["work"]["flop"] = json!("524288"),
        ),
        case(
            "statement-digest-in-capitals",
            "A digest in capitals compares as another digest.",
            "the statement is not read: the document is sound JSON of another shape: a SHA-256 digest is 64 lowercase hexadecimal digits, not \"F8EBD43DBEF1F029BF4930C65C9B7C5CC76AF476927CEE861FF18FCC73BFC4AB\" at line 1 column 5886",
            |statement| {
                let digest = &mut statement["predicate"]["suite"]["digest"];
                *digest = json!(digest.as_str().expect("a digest").to_uppercase());
            },
        ),
    ]
}

fn header() -> Vec<Case> {
    vec![
        case(
            "statement-type-other",
            "A statement of another in-toto version.",
            "the statement is of type \"https://in-toto.io/Statement/v0.1\", not \"https://in-toto.io/Statement/v1\"",
            |statement| statement["_type"] = json!("https://in-toto.io/Statement/v0.1"),
        ),
        case(
            "predicate-type-other",
            "Signed for another purpose: a predicate of another type does not say what ours says.",
            "the predicate is of type \"https://slsa.dev/provenance/v1\", not \"urn:hallmark:attestation:compute-performance:v1\"",
            |statement| statement["predicateType"] = json!("https://slsa.dev/provenance/v1"),
        ),
        case(
            "subject-lacks-a-device",
            "A device without its subject cannot be checked by whoever sees its UUID.",
            "the statement has 2 subjects for 2 devices; one more than devices is wanted",
            |statement| drop(statement["subject"].as_array_mut().expect("a list").pop()),
        ),
        case(
            "subjects-exchanged",
            "The subjects of two devices under each other's names.",
            "subject 1 is called \"device/1\"; subject 0 is the run file, subject i+1 is device/i",
            |statement| statement["subject"].as_array_mut().expect("a list").swap(1, 2),
        ),
        case(
            "time-without-zone",
            "A local time names no moment.",
            "measurementStartedAt is \"2026-11-22T13:00:00+00:00\" and no RFC 3339 time that ends in Z",
            |statement| statement["predicate"]["measurementStartedAt"] = json!("2026-11-22T13:00:00+00:00"),
        ),
        case(
            "ends-before-it-starts",
            "A measurement that ends before it starts.",
            "the measurement finished at 2026-11-22T12:59:59Z, before it started at 2026-11-22T13:00:00Z",
            |statement| statement["predicate"]["measurementFinishedAt"] = json!("2026-11-22T12:59:59Z"),
        ),
        case(
            "withheld-digests-unsorted",
            "Digests of withheld facts in the order of the facts would tell which is which.",
            "the withheld digests are not sorted, not unique, not SHA-256 in base64url, or not named sha-256",
            |statement| {
                statement["predicate"]["_sd_alg"] = json!("sha-256");
                statement["predicate"]["_sd"] = json!(["b".repeat(43), "a".repeat(43)]);
            },
        ),
    ]
}

fn devices() -> Vec<Case> {
    fn device(statement: &mut Value, index: usize) -> &mut Value {
        &mut statement["predicate"]["devices"][index]
    }
    vec![
        case(
            "software-listed-as-gpu",
            "A Vulkan driver that runs on the processor, sold as a GPU.",
            "device \"vulkan:0\" (\"llvmpipe (LLVM 15.0.6, 256 bits)\") cannot be of kind Gpu",
            |statement| device(statement, 1)["kind"] = json!("gpu"),
        ),
        case(
            "cpu-listed-as-gpu",
            "A processor called a GPU.",
            "device \"cpu:0\" (\"AMD EPYC 7R13\") cannot be of kind Gpu",
            |statement| device(statement, 0)["kind"] = json!("gpu"),
        ),
        case(
            "device-id-of-another-api",
            "A CPU under the id of a CUDA device: tables list it where it does not belong.",
            "device \"cuda:0\" is on cpu and must be called cpu:<number>",
            |statement| device(statement, 0)["id"] = json!("cuda:0"),
        ),
        case(
            "device-listed-twice",
            "One device listed twice doubles what a buyer counts.",
            "device \"cpu:0\" is listed twice",
            |statement| *device(statement, 1) = device(statement, 0).clone(),
        ),
        case(
            "device-name-moves-the-cursor",
            "A name with terminal escapes rewrites the lines a verifier prints.",
            "devices.name holds the control character '\\u{1b}'",
            |statement| device(statement, 0)["name"] = json!("EPYC\u{1b}[1A\u{1b}[2KNVIDIA H200"),
        ),
    ]
}

fn references() -> Vec<Case> {
    vec![
        record(
            "device-out-of-range",
            "A record of a device that the statement does not describe.",
            0,
            "device 2 is beyond the 2 devices of the statement",
            |record| record["device"] = json!(2),
        ),
        case(
            "spec-made-easier",
            "The embedded specification was changed, a tolerance a thousand times wider, and keeps the published digest.",
            "record 2 (softmax.f32.v1): no embedded specification has the digest 480ba36f914272aa60ddcae673b6fbe07cb2477525d4d82f246b52f855a40462",
            |statement| statement["predicate"]["specs"][1]["tolerance"]["relPpt"] = json!(40_000_000_000_u64),
        ),
        case(
            "spec-without-tolerance",
            "A workload of bounded error without the bound: every output would be right.",
            "the specification of \"softmax.f32.v1\" must have a tolerance when it is of class float, and none otherwise",
            |statement| {
                let spec = statement["predicate"]["specs"][1].as_object_mut();
                spec.expect("an object").remove("tolerance");
            },
        ),
        case(
            "exact-output-with-tolerance",
            "An exact workload whose output is given a bound of its own.",
            "the specification of \"gemm.f32.exact.v1\" gives \"c\" a tolerance, which only outputs of class float have",
            |statement| {
                let tolerance = statement["predicate"]["specs"][1]["tolerance"].clone();
                statement["predicate"]["specs"][0]["outputs"][0]["tolerance"] = tolerance;
            },
        ),
        record(
            "spec-of-another-workload",
            "A record under one workload's name with another workload's specification.",
            0,
            "digest 480ba36f914272aa60ddcae673b6fbe07cb2477525d4d82f246b52f855a40462 is that of \"softmax.f32.v1\"",
            |record| {
                record["specDigest"] =
                    json!("480ba36f914272aa60ddcae673b6fbe07cb2477525d4d82f246b52f855a40462");
            },
        ),
        record(
            "case-unknown",
            "A case that the specification does not have: dimensions made up to flatter a device.",
            0,
            "the specification has no case \"64\" of these dimensions and this size",
            |record| record["case"]["dims"]["m"] = json!(65),
        ),
        case(
            "record-twice",
            "The same case twice: the better one would be shown.",
            "record 1 (gemm.f32.exact.v1): another record has the same case, path, device and cache",
            |statement| {
                let first = statement["predicate"]["records"][0].clone();
                statement["predicate"]["records"][1] = first;
            },
        ),
    ]
}
