//! Statements that the provider signed and nobody may accept: figures that do not follow from the samples, references
//! that lead nowhere, claims that a signature cannot carry.

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
        figures(),
        claims(),
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

fn figures() -> Vec<Case> {
    vec![
        record(
            "median-better-than-samples",
            "A median below every sample: nobody may take a summary on trust.",
            0,
            "its summary says 10000000 ps [20017570, 20079190] over 12 samples, its samples give 20057165 ps [20017570, 20079190] over 12 samples",
            |record| record["timing"]["summary"]["medianPs"] = json!(10_000_000),
        ),
        record(
            "too-few-samples",
            "Five samples give no 95 % interval of the median.",
            0,
            "5 samples give no 95 % interval of the median; at least 6 are needed",
            |record| {
                record["timing"]["samplesNs"]
                    .as_array_mut()
                    .expect("a list")
                    .truncate(5);
            },
        ),
        record(
            "flop-inflated",
            "Ten times the operations of the specification's formula: ten times the rate from the same time.",
            0,
            "its flop is 5242880, the specification's formula gives 524288",
            |record| record["timing"]["work"]["flop"] = json!(5_242_880),
        ),
        record(
            "device-clock-not-its-samples",
            "The witness compares another span than the samples.",
            0,
            "the device's clock is written as 1 ns, its samples add up to 24063896 ns",
            |record| record["timing"]["witness"]["deviceNs"] = json!(1),
        ),
        record(
            "clocks-disagree",
            "The device's timer ran at half the speed of the host's clock over more than a second.",
            0,
            "the device's clock counted 1998000000 ns and the host's 3996000000 ns; they may differ by 2 %",
            |record| {
                record["timing"]["samplesNs"] = json!(vec![333_000_000; 6]);
                let per_launch = 3_330_000_000_u64;
                record["timing"]["summary"] =
                    json!({"samples": 6, "medianPs": per_launch, "lowPs": per_launch, "highPs": per_launch});
                record["timing"]["witness"] = json!({"deviceNs": 1_998_000_000, "hostNs": 3_996_000_000_u64});
            },
        ),
        record(
            "samples-shorter-than-the-clock",
            "Samples of four ticks: the timer's resolution decides the result.",
            0,
            "a sample of 2000000 ns is shorter than 1,000 ticks of 500000000 ps",
            |record| record["timing"]["timer"]["tickPs"] = json!(500_000_000),
        ),
        record(
            "clock-of-another-device",
            "A CPU timed by CUDA events.",
            0,
            "CudaEvent is no clock of a device on cpu",
            |record| record["timing"]["timer"]["source"] = json!("cudaEvent"),
        ),
        record(
            "hot-with-rotating-inputs",
            "A hot record whose inputs rotate: it is neither hot nor cold.",
            0,
            "4 input sets do not go with a Hot cache",
            |record| record["timing"]["inputSets"] = json!(4),
        ),
        record(
            "stopped-as-full-early",
            "Called full with twelve samples: the run was stopped when it looked best.",
            0,
            "it stopped as Full with an interval of +-1536 ppm over 12 samples",
            |record| record["timing"]["stop"] = json!("full"),
        ),
        record(
            "error-beyond-tolerance",
            "The outputs were wrong and the record is called complete.",
            2,
            "its worst error is 1000000001 ppb of what is allowed, more than 1,000,000,000",
            |record| record["quality"]["worstOfAllowedPpb"] = json!(1_000_000_001),
        ),
        record(
            "exact-workload-judged-by-tolerance",
            "An exact workload with an error margin.",
            0,
            "its quality is of another class than the specification's",
            |record| {
                record["quality"]["class"] = json!("float");
                record["quality"]["relativeRmsPpb"] = json!(1);
                record["quality"]["worstOfAllowedPpb"] = json!(1);
            },
        ),
        record(
            "outputs-unchecked",
            "No element of the output was compared.",
            0,
            "it checked 0 of 4096 elements; the outputs have 4096",
            |record| record["quality"]["checked"] = json!(0),
        ),
        record(
            "outputs-fewer-than-the-case",
            "Only a part of the output was made.",
            0,
            "it checked 64 of 64 elements; the outputs have 4096",
            |record| {
                record["quality"]["checked"] = json!(64);
                record["quality"]["elements"] = json!(64);
            },
        ),
        record(
            "exact-outputs-differ",
            "Two devices with different outputs of an exact workload: one of them is wrong.",
            1,
            "its outputs have another digest than the same exact case elsewhere in the statement",
            |record| record["quality"]["outputSha256"] = json!("0".repeat(64)),
        ),
    ]
}

fn claims() -> Vec<Case> {
    vec![
        record(
            "evidence-claimed-by-the-signer",
            "The provider calls its own figures bounded by the registry's clock.",
            0,
            "evidence Timed cannot be shown by a signed statement alone",
            |record| record["evidence"] = json!("timed"),
        ),
        case(
            "evidence-note-claimed-by-the-signer",
            "The provider calls its devices backed by a hardware quote that is not there.",
            "the evidence of \"records\" is Rooted, which a signed statement alone cannot show",
            |statement| statement["predicate"]["evidence"][0]["level"] = json!("rooted"),
        ),
        case(
            "complete-with-a-partial-record",
            "An interrupted run called complete.",
            "the suite is called complete but record 0 is partial",
            |statement| {
                let record = &mut statement["predicate"]["records"][0];
                record["status"] = json!("partial");
                record["reason"] = json!("interrupted");
                record["caveats"] = json!(["partial"]);
            },
        ),
        case(
            "complete-without-records",
            "A complete suite in which nothing was measured.",
            "the suite is called complete but has no record",
            |statement| statement["predicate"]["records"] = json!([]),
        ),
        record(
            "portable-by-a-library",
            "The vendor's library called a portable kernel of ours.",
            0,
            "it names a library, which only a record of the vendor path has",
            |record| record["library"] = json!({"name": "cuBLASLt", "version": "12.8.4", "algorithm": "66"}),
        ),
        record(
            "library-without-a-name",
            "A vendor's record by a library that has a field for its name and no name.",
            0,
            "its text \"library.name\" is empty or holds a control character",
            |record| {
                record["path"] = json!("vendor");
                record["library"] = json!({"name": "", "version": "12.8.4", "algorithm": "66"});
            },
        ),
        record(
            "complete-without-samples",
            "A complete record without a single sample.",
            0,
            "a Complete record must carry its samples",
            |record| drop(record.as_object_mut().expect("an object").remove("timing")),
        ),
        record(
            "unsupported-without-reason",
            "A case left out without a word.",
            0,
            "a Unsupported record must give its reason",
            |record| {
                let record = record.as_object_mut().expect("an object");
                record.remove("timing");
                record.remove("quality");
                record.insert("status".into(), json!("unsupported"));
            },
        ),
        record(
            "throttled-without-caveat",
            "The device said it was throttled; the record compares as if it had not been.",
            0,
            "the caveat Throttled is missing though the record gives the reason for it",
            |record| record["conditions"][0]["throttle"] = json!(["hwSlowdown"]),
        ),
        record(
            "noisy-without-caveat",
            "An interval of 100 % of the median, and the record compares as if it were sharp.",
            0,
            "the caveat Noisy is missing though the record gives the reason for it",
            |record| {
                record["timing"]["samplesNs"] =
                    json!([2_000_000, 2_000_000, 2_000_000, 4_000_000, 4_000_000, 4_000_000]);
                record["timing"]["summary"] =
                    json!({"samples": 6, "medianPs": 30_000_000, "lowPs": 20_000_000, "highPs": 40_000_000});
                record["timing"]["witness"] = json!({"deviceNs": 18_000_000, "hostNs": 18_000_000});
                record["timing"]["stop"] = json!("budget");
            },
        ),
    ]
}
