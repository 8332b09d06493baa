//! Typical mistakes: each has its exit code and says what to do next.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::program::{Home, path};

#[test]
fn mistakes_on_the_command_line_are_usage() {
    let home = Home::new();
    home.run(&["run", "--suite", "smok"])
        .refused(2, &["smok", "choose one of: smoke"]);
    home.run(&["run", "--seed", "12"])
        .refused(2, &["64 lowercase hexadecimal"]);
    home.run(&["run", "--only", "nothing"])
        .refused(2, &["nothing", "hallmark workloads"]);
    home.run(&["run", "--only", "gemm", "--skip", "gemm"])
        .refused(2, &["nothing", "hallmark workloads"]);
    home.run(&["run", "--budget", "5"]).refused(2, &["ms, s or min"]);
    home.run(&["run", "--budget", "1s", "--time-budget", "1m"])
        .refused(2, &["--time-budget"]);
    home.run(&["run", "--mode", "sustained", "--budget", "1s"])
        .refused(2, &["--mode"]);
    home.run(&["run", "--resume", "run.json", "--only", "gemm"])
        .refused(2, &["--resume"]);
    home.run(&["run", "--resume", "missing.json"])
        .refused(6, &["missing.json"]);
    home.run(&["measure"]).refused(2, &["measure"]);
    home.run(&["sign", "run.json"])
        .refused(2, &["there is no key", "hallmark keys new"]);
    home.run(&["certify"])
        .refused(2, &["no registry is named", "--registry"]);
}

#[test]
fn a_device_that_is_not_here_is_named_and_not_replaced() {
    let home = Home::new();
    home.run(&["run", "--device", "cuda:7"])
        .refused(4, &["cuda:7", "cpu:0"]);
    assert!(!home.path("run.json").exists());
}

#[test]
fn a_key_that_cannot_be_read_or_is_none_is_refused() {
    let home = Home::new();
    home.measured("run.json");
    home.run(&["sign", "run.json", "--key", path(&home.path(""))])
        .refused(6, &["cannot read"]);
    home.write(
        "key.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    home.run(&["sign", "run.json", "--key", "key.pem"])
        .refused(2, &["key", "PKCS#8"]);
    assert!(!home.path("envelope.json").exists());
}

#[test]
fn a_truncated_or_foreign_file_is_refused() {
    let home = Home::new();
    let run = std::fs::read_to_string(home.measured("run.json")).expect("a run file");
    assert_eq!(home.run(&["keys", "new"]).code, 0);
    home.write("cut.json", &run[..run.len() / 2]);
    home.run(&["sign", "cut.json"]).refused(5, &["cut.json"]);
    home.write("other.json", "{\"hello\": 1}");
    home.run(&["sign", "other.json"])
        .refused(2, &["other.json", "hallmark run"]);
    home.run(&["sign", "missing.json"]).refused(6, &["missing.json"]);
    home.run(&["verify", "run.json"])
        .refused(2, &["nobody has signed it"]);
}

#[test]
fn a_run_file_edited_by_hand_is_not_signed() {
    let home = Home::new();
    let run = std::fs::read_to_string(home.measured("run.json")).expect("a run file");
    assert_eq!(home.run(&["keys", "new"]).code, 0);
    let mut edited: serde_json::Value = serde_json::from_str(&run).expect("JSON");
    edited["records"][0]["timing"]["summary"]["medianPs"] = 1.into();
    home.write("edited.json", &edited.to_string());
    home.run(&["sign", "edited.json"])
        .refused(5, &["summary", "measure again"]);
}

#[test]
fn a_registry_that_is_down_or_slow_is_said_to_be() {
    let home = Home::new();
    let other = home.serve("other");
    assert_eq!(home.run(&["keys", "new"]).code, 0);
    home.measured("run.json");
    let closed = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("its address");
    let url = format!("http://{closed}");
    home.run(&[
        "sign",
        "run.json",
        "--registry",
        &url,
        "--trust",
        other.trust(),
        "--timeout",
        "2s",
    ])
    .refused(6, &["hint"]);

    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", deaf.local_addr().expect("its address"));
    home.run(&[
        "sign",
        "run.json",
        "--registry",
        &url,
        "--trust",
        other.trust(),
        "--timeout",
        "1s",
    ])
    .refused(6, &["--timeout"]);
    assert!(!home.path("envelope.json").exists());
}

#[test]
fn a_registry_that_shows_another_logs_checkpoint_is_a_failed_verification() {
    let home = Home::new();
    let (mine, other) = (home.serve("mine"), home.serve("other"));
    assert_eq!(home.run(&["keys", "new"]).code, 0);
    home.measured("run.json");
    home.run(&[
        "sign",
        "run.json",
        "--registry",
        &other.url,
        "--trust",
        mine.trust(),
    ])
    .refused(5, &["hint"]);
    assert!(!home.path("envelope.json").exists());
}

#[test]
fn a_registry_that_answers_nonsense_is_no_crash() {
    let home = Home::new();
    let trusted = home.serve("trusted");
    assert_eq!(home.run(&["keys", "new"]).code, 0);
    home.measured("run.json");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n\xff\xfe\x00abc",
            );
        }
    });
    let ran = home.run(&["sign", "run.json", "--registry", &url, "--trust", trusted.trust()]);
    assert!(ran.code == 5 || ran.code == 6, "{} {}", ran.code, ran.err);
    ran.refused(ran.code, &["error"]);
}
