//! Ctrl-C keeps what was measured.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::program::{Home, Ran, json};

#[test]
#[allow(unsafe_code, reason = "sending a signal to a child is a system call")]
fn an_interrupted_run_is_kept_and_says_so() {
    let home = Home::new();
    let mut child = home
        .command(&["run", "--device", "cpu:0", "--only", "gemm", "--budget", "3s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    std::thread::sleep(Duration::from_millis(1_500));
    let pid = i32::try_from(child.id()).expect("a process id");
    // SAFETY: the child has not been waited for, so the id is still its own.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    let began = Instant::now();
    let ran = Ran::of(wait(&mut child, Duration::from_secs(20)));
    ran.refused(130, &["kept", "partial"]);
    assert!(began.elapsed() < Duration::from_secs(20));

    let run = json(&std::fs::read_to_string(home.path("run.json")).expect("the run file was written"));
    assert_eq!(run["suite"]["complete"], false);
    let records = run["records"].as_array().expect("records");
    assert!(
        records.iter().any(|record| record["status"] == "partial"),
        "{}",
        run["records"]
    );
    let report = home.run(&["report", "run.json", "--format", "text"]);
    assert_eq!(report.code, 0, "{}", report.err);
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
