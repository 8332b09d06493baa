//! Figures of other tools: beside ours, never among them.

use crate::program::{Home, json};

fn fixture(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name);
    path.to_str().expect("a UTF-8 path").to_owned()
}

#[test]
fn imported_figures_have_their_own_section_and_are_no_attestation() {
    let home = Home::new();
    for tool in ["llama-bench", "nvbench", "google-benchmark"] {
        let file = fixture(&format!("{tool}.json"));
        let ran = home.run(&[
            "import",
            "--format",
            tool,
            &file,
            "--out",
            &format!("{tool}.json"),
        ]);
        assert_eq!(ran.code, 0, "{tool}: {}", ran.err);
    }
    home.measured("run.json");
    let files = [
        "run.json",
        "llama-bench.json",
        "nvbench.json",
        "google-benchmark.json",
    ];
    for format in ["text", "markdown", "html", "json"] {
        let report = home.run(&[&["report", "--format", format], &files[..]].concat());
        assert_eq!(report.code, 0, "{format}: {}", report.err);
        for word in ["gemm.i8", "llama-bench", "NVIDIA L40S", "SetInsert", "claimed"] {
            assert!(report.out.contains(word), "{format}: {word}");
        }
    }
    let table = json(
        &home
            .run(&["report", "--format", "json", "run.json", "nvbench.json"])
            .out,
    );
    assert_eq!(table["rows"].as_array().map(Vec::len), Some(1));
    assert_eq!(table["imported"][0]["evidence"], "claimed");
    let alone = home.run(&["report", "--format", "html", "nvbench.json"]);
    assert!(alone.out.contains("not comparable") && !alone.out.contains("There are no records"));

    home.run(&["report", "--format", "csv", "run.json", "nvbench.json"])
        .refused(2, &["CSV", "hint"]);
    home.run(&["compare", "run.json", "nvbench.json"])
        .refused(2, &["another tool", "compare with none"]);
    home.run(&["score", "nvbench.json", "--reference", "run.json"])
        .refused(2, &["another tool"]);
    assert_eq!(home.run(&["keys", "new"]).code, 0);
    home.run(&["sign", "nvbench.json"]).refused(2, &["no run file"]);
    home.run(&["verify", "nvbench.json"])
        .refused(2, &["nvbench.json"]);

    let text = std::fs::read_to_string(home.path("nvbench.json")).expect("the import");
    home.write("proud.json", &text.replace("\"claimed\"", "\"timed\""));
    home.run(&["report", "proud.json"])
        .refused(5, &["cannot be imported"]);
}

#[test]
fn files_of_no_such_tool_are_refused_in_words() {
    let home = Home::new();
    let nvbench = fixture("nvbench.json");
    home.run(&["import", "--format", "llama-bench", &nvbench])
        .refused(2, &["no sound output of llama-bench", "is no list", "-o json"]);
    home.write("cut.json", "{\"context\": {");
    home.run(&["import", "--format", "google-benchmark", "cut.json"])
        .refused(2, &["cut.json", "ends at byte"]);
    home.write("nan.json", "{\"context\": {\"num_cpus\": NaN}}");
    home.run(&["import", "--format", "google-benchmark", "nan.json"])
        .refused(2, &["nan.json"]);
    home.run(&["import", "--format", "nvbench", "missing.json"])
        .refused(6, &["missing.json"]);
    home.run(&["import", "--format", "geekbench", &nvbench])
        .refused(2, &["geekbench"]);
    assert!(!home.path("imported.json").exists());
}
