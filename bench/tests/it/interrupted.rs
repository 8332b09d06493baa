//! Ctrl-C and worse keep what was measured, and a run goes on from there.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::program::{Home, Ran, json};

#[test]
#[allow(unsafe_code, reason = "sending a signal to a child is a system call")]
fn an_interrupted_run_is_kept_and_says_so() {
    let home = Home::new();
    // A sustained record lasts a minute, so it is surely cut short; six of its samples take a second and a half.
    let mut child = home
        .command(&[
            "run",
            "--device",
            "cpu:0",
            "--only",
            "gemm.i8",
            "--mode",
            "sustained",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    std::thread::sleep(Duration::from_millis(5_000));
    let pid = i32::try_from(child.id()).expect("a process id");
    // SAFETY: the child has not been waited for, so the id is still its own.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    let began = Instant::now();
    let ran = Ran::of(wait(&mut child, Duration::from_secs(20)));
    ran.refused(130, &["kept", "partial"]);
    assert!(began.elapsed() < Duration::from_secs(20));

    let run = read(&home);
    assert_eq!(run["suite"]["complete"], false);
    let record = &run["records"][0];
    assert_eq!(
        (&record["status"], &record["timing"]["mode"]),
        (&"partial".into(), &"sustained".into()),
        "{record}"
    );
    let report = home.run(&["report", "run.json", "--format", "text"]);
    assert_eq!(report.code, 0, "{}", report.err);
    assert!(report.out.contains("sustained"), "{}", report.out);
}

fn read(home: &Home) -> serde_json::Value {
    json(&std::fs::read_to_string(home.path("run.json")).expect("the run file was written"))
}

/// Starts a run of some records and kills it without warning after the first.
fn killed(home: &Home) -> serde_json::Value {
    let mut child = home
        .command(&[
            "run",
            "--device",
            "cpu:0",
            "--only",
            "gemm,mem",
            "--skip",
            "mem.gather",
            "--budget",
            "500ms",
            "--quiet",
        ])
        .spawn()
        .expect("it runs");
    let began = Instant::now();
    while !home.path("run.json").exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "no record was kept");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it still runs");
    child.wait().expect("it ended");
    let run = read(home);
    assert_eq!(run["suite"]["complete"], false);
    run
}

#[test]
fn a_killed_run_goes_on_where_it_was_and_says_so() {
    let home = Home::new();
    let before = killed(&home);
    let kept = before["records"].as_array().expect("records");
    let first = home.run(&["run", "--resume", "run.json", "--quiet"]);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(
        first.out.contains("Resumed: measured in 2 sessions"),
        "{}",
        first.out
    );
    let run = read(&home);
    let records = run["records"].as_array().expect("records");
    let expected = home.run(&["workloads", "--format", "json"]);
    let wanted =
        |id: &str| (id.starts_with("gemm") || id.starts_with("mem")) && !id.starts_with("mem.gather");
    let catalogue = json(&expected.out);
    let ids: Vec<&str> = catalogue
        .as_array()
        .expect("workloads")
        .iter()
        .filter_map(|one| one["spec"]["id"].as_str())
        .filter(|id| wanted(id))
        .collect();
    let measured: Vec<&str> = records
        .iter()
        .filter_map(|record| record["workload"].as_str())
        .collect();
    assert_eq!(measured, ids);
    assert_eq!(&records[..kept.len()], kept, "what was measured stays as it was");
    let sessions = &run["sessions"];
    assert_eq!(sessions[0]["records"], kept.len());
    assert_eq!(sessions[1]["records"], records.len() - kept.len());
    assert_eq!(sessions[0]["startedAt"], before["measurementStartedAt"]);
    assert_eq!(sessions[0]["finishedAt"], before["measurementFinishedAt"]);
    assert_eq!(run["measurementStartedAt"], before["measurementStartedAt"]);

    let again = home.run(&["run", "--resume", "run.json"]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(again.err.contains("nothing is missing"), "{}", again.err);
    assert_eq!(read(&home), run);
}

#[test]
fn a_record_that_was_cut_short_is_measured_anew() {
    let home = Home::new();
    let mut before = killed(&home);
    let kept = before["records"].as_array().expect("records").len();
    let last = &mut before["records"][kept - 1];
    last["status"] = "partial".into();
    last["reason"] = "interrupted".into();
    last["caveats"] = serde_json::json!(["partial", "noisy", "shared"]);
    home.write("run.json", &before.to_string());
    let ran = home.run(&["run", "--resume", "run.json", "--out", "whole.json", "--quiet"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(read(&home), before, "the file that was resumed stays");
    let whole = json(&std::fs::read_to_string(home.path("whole.json")).expect("the new file"));
    assert_eq!(whole["sessions"][0]["records"], kept - 1);
    assert_eq!(whole["records"][kept - 1]["status"], "complete");
}

#[test]
fn a_run_of_another_program_machine_or_seed_is_not_resumed() {
    let home = Home::new();
    let run = killed(&home);
    let edits: [(&str, &str, serde_json::Value); 5] = [
        ("/tool/digest/sha256", "the program", "00".repeat(32).into()),
        ("/suite/digest", "suite smoke", "00".repeat(32).into()),
        ("/asked/seed", "the seed", "00".repeat(32).into()),
        ("/environment/kernel", "environment kernel", "6.6.6".into()),
        ("/devices/0/memoryBytes", "device cpu:0", 1_u64.into()),
    ];
    for (place, word, value) in edits {
        let mut edited = run.clone();
        *edited.pointer_mut(place).expect("a member") = value;
        home.write("edited.json", &edited.to_string());
        home.run(&["run", "--resume", "edited.json"])
            .refused(4, &[word, "cannot be resumed", "hint"]);
    }
    let mut silent = run;
    silent.as_object_mut().expect("an object").remove("asked");
    home.write("edited.json", &silent.to_string());
    home.run(&["run", "--resume", "edited.json"])
        .refused(2, &["what was asked"]);
}

fn wait(child: &mut std::process::Child, limit: Duration) -> std::process::Output {
    let began = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        assert!(
            began.elapsed() < limit,
            "the interrupted run did not end within {limit:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut output = std::process::Output {
        status: child.wait().expect("it ended"),
        stdout: Vec::new(),
        stderr: Vec::new(),
    };
    let streams: [(Option<&mut dyn std::io::Read>, &mut Vec<u8>); 2] = [
        (
            child.stdout.as_mut().map(|stream| stream as _),
            &mut output.stdout,
        ),
        (
            child.stderr.as_mut().map(|stream| stream as _),
            &mut output.stderr,
        ),
    ];
    for (stream, bytes) in streams {
        stream.expect("piped").read_to_end(bytes).expect("its output");
    }
    output
}
