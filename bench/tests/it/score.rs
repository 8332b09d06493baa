//! Scores against a reference.

use serde_json::Value;

use crate::program::{Home, json};

/// A whole run on the processor, its figures made calm and `percent` of their time: samples of a busy machine would not
/// compare.
pub(crate) fn calm(run: &Value, percent: u64) -> Value {
    let mut run = run.clone();
    for record in run["records"].as_array_mut().expect("records") {
        record["caveats"] = Value::Array(Vec::new());
        record["conditions"] = Value::Array(Vec::new());
        if record["status"] == "unsupported" {
            continue;
        }
        let timing = &mut record["timing"];
        let launches = timing["launchesPerSample"].as_u64().expect("a count");
        let median_ps = timing["summary"]["medianPs"].as_u64().expect("a median");
        let sample = median_ps * launches / 1000 * percent / 100;
        let per_launch = sample * 1000 / launches;
        let samples = vec![sample; 12];
        timing["witness"] = serde_json::json!({"deviceNs": sample * 12, "hostNs": sample * 12});
        timing["summary"] = serde_json::json!(
            {"samples": 12, "medianPs": per_launch, "lowPs": per_launch, "highPs": per_launch});
        timing["samplesNs"] = samples.into();
        timing["stop"] = "converged".into();
        let members = timing.as_object_mut().expect("an object");
        members.remove("throttle");
        members.remove("energyMillijoules");
    }
    run
}

#[test]
fn a_score_is_the_weighted_geometric_mean_of_a_whole_suite() {
    let home = Home::new();
    let ran = home.run(&["run", "--suite", "smoke", "--device", "cpu:0", "--quiet"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let run = json(&std::fs::read_to_string(home.path("run.json")).expect("a run"));
    home.write("reference.json", &calm(&run, 200).to_string());
    home.write("mine.json", &calm(&run, 100).to_string());

    let scored = home.run(&[
        "score",
        "mine.json",
        "--reference",
        "reference.json",
        "--format",
        "json",
    ]);
    assert_eq!(scored.code, 0, "{}", scored.err);
    let answer = json(&scored.out);
    let score = answer["devices"][0]["score"].as_f64().expect("a number");
    assert!((score - 2.0).abs() < 0.01, "{score}");
    let count = |list: &Value| list.as_array().map_or(0, Vec::len);
    assert_eq!(
        count(&answer["devices"][0]["cases"]) + count(&answer["devices"][0]["neither"]),
        count(&run["records"])
    );

    let mut beside = calm(&run, 100);
    let records = beside["records"].as_array_mut().expect("records");
    let mut tuned = { records.iter() }
        .find(|record| record["workload"] == "gemm.f16.v1")
        .expect("in the suite")
        .clone();
    tuned["path"] = "tuned".into();
    records.push(tuned);
    home.write("beside.json", &beside.to_string());
    let portable = home.run(&["score", "beside.json", "--reference", "reference.json"]);
    assert_eq!(portable.code, 0, "{}", portable.err);
    assert!(portable.out.contains("path       portable"), "{}", portable.out);
    let on_tuned = |run| home.run(&["score", run, "--reference", "reference.json", "--path", "tuned"]);
    on_tuned("beside.json").refused(3, &["gemm.f16.v1 256: only B has it"]);
    on_tuned("mine.json").refused(3, &["no device has records of the tuned path"]);
    let itself = home.run(&[
        "score",
        "beside.json",
        "--reference",
        "beside.json",
        "--path",
        "tuned",
    ]);
    assert_eq!(itself.code, 0, "{}", itself.err);
    assert!(itself.out.contains("score 1.00"), "{}", itself.out);

    home.write("weights.toml", "memory = 0\ngemm.i8.v1 = 3\n");
    let weighted = home.run(&[
        "score",
        "mine.json",
        "--reference",
        "reference.json",
        "--weights",
        "weights.toml",
    ]);
    assert_eq!(weighted.code, 0, "{}", weighted.err);
    assert!(!weighted.out.contains("mem.copy.v1"), "{}", weighted.out);
    for word in ["score 2.00", "gemm.i8.v1 3", "reference  "] {
        assert!(weighted.out.contains(word), "{word:?} is not in {}", weighted.out);
    }

    home.write("weights.toml", "memmory = 0\n");
    home.run(&[
        "score",
        "mine.json",
        "--reference",
        "reference.json",
        "--weights",
        "weights.toml",
    ])
    .refused(2, &["memmory", "memory"]);

    let mut shared = calm(&run, 100);
    shared["records"][0]["caveats"] = serde_json::json!(["shared"]);
    home.write("shared.json", &shared.to_string());
    home.run(&["score", "shared.json", "--reference", "reference.json"])
        .refused(3, &["1 case does not compare", "mem.copy.v1", "B is shared"]);

    let mut cut = calm(&run, 100);
    cut["suite"]["complete"] = false.into();
    cut["records"].as_array_mut().expect("records").pop();
    home.write("cut.json", &cut.to_string());
    home.run(&["score", "cut.json", "--reference", "reference.json"])
        .refused(3, &["the run is not complete"]);

    home.measured("custom.json");
    home.run(&["score", "mine.json", "--reference", "custom.json"])
        .refused(3, &["the reference is of suite \"custom\""]);
}
