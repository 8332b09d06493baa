//! How the work is run: records of several paths stand side by side and are never taken for one another.

use serde_json::Value;

use crate::program::{Home, json};

const QUICK: [&str; 7] = [
    "run", "--device", "cpu:0", "--budget", "20ms", "--only", "gemm.f16",
];

fn run_file(home: &Home) -> Value {
    json(&std::fs::read_to_string(home.path("run.json")).expect("the run file was written"))
}

fn paths(run: &Value) -> Vec<&str> {
    let records = run["records"].as_array().expect("records").iter();
    records
        .map(|record| record["path"].as_str().expect("a word"))
        .collect()
}

#[test]
fn a_path_that_is_asked_for_and_not_there_is_a_record_that_says_why() {
    let home = Home::new();
    let ran = home.run(&[&QUICK[..], &["--path", "tuned", "--path", "portable"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let run = run_file(&home);
    assert_eq!(paths(&run), ["portable", "tuned"]);
    assert_eq!(run["asked"]["paths"], serde_json::json!(["tuned", "portable"]));
    let refused = &run["records"][1];
    assert_eq!(refused["status"], "unsupported");
    assert_eq!(refused["reason"], "a processor has no tuned path");
    for words in ["portable", "tuned", "unsupported: a processor has no tuned path"] {
        assert!(ran.out.contains(words), "{words:?} is not in {}", ran.out);
    }
    let page = home.run(&["report", "run.json"]);
    assert!(
        page.out.contains(">256 tuned · ") && page.out.contains(">256 · "),
        "{}",
        page.out
    );
}

#[test]
fn the_vendor_path_says_where_its_library_is_used() {
    let home = Home::new();
    let ran = home.run(&[&QUICK[..], &["--path", "vendor"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let run = run_file(&home);
    assert_eq!(paths(&run), ["vendor"]);
    assert_eq!(
        run["records"][0]["reason"],
        "the vendor path is cuBLASLt on CUDA devices; this is a processor"
    );
    assert!(run["records"][0].get("library").is_none() && run["suite"]["name"] == "custom");
}

#[test]
fn a_device_runs_by_itself_what_it_has() {
    let home = Home::new();
    let ran = home.run(&QUICK);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(paths(&run_file(&home)), ["portable"]);
}

#[test]
fn a_path_that_no_workload_has_is_a_mistake() {
    let home = Home::new();
    home.run(&[
        "run", "--device", "cpu:0", "--only", "mem.copy", "--path", "tuned",
    ])
    .refused(
        2,
        &["--path tuned: no workload that is left of suite smoke has such a path"],
    );
    home.run(&["run", "--path", "fast"])
        .refused(2, &["portable", "tuned", "vendor"]);
}

#[test]
fn a_resumed_run_keeps_its_paths_apart() {
    let home = Home::new();
    let ran = home.run(&[&QUICK[..], &["--path", "portable,tuned"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let whole = run_file(&home);
    for (missing, kept) in [(0, 1), (1, 0)] {
        let mut cut = whole.clone();
        cut["records"].as_array_mut().expect("records").remove(missing);
        home.write("cut.json", &cut.to_string());
        let resumed = home.run(&["run", "--resume", "cut.json", "--out", "run.json"]);
        assert_eq!(resumed.code, 0, "{}", resumed.err);
        let run = run_file(&home);
        assert_eq!(paths(&run), ["portable", "tuned"]);
        assert_eq!(run["records"][kept], whole["records"][kept]);
    }
    let mut gone = whole;
    gone["asked"].as_object_mut().expect("an object").remove("paths");
    home.write("gone.json", &gone.to_string());
    home.run(&["run", "--resume", "gone.json"])
        .refused(4, &["gemm.f16.v1 256 tuned"]);
}
