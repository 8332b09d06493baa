//! Claims that a signature cannot carry, and what was left out without a word.

use serde_json::json;

use super::super::Case;
use super::{case, record};

pub(super) fn cases() -> Vec<Case> {
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
