//! Full disks and shared folders: nothing is lost and nothing is half written.

use std::process::Command;

use crate::program::{Home, Ran, path};

/// Runs a shell script where a small file system is mounted at `full`, in name spaces of its own.
fn on_a_full_disk(home: &Home, script: &str) -> Ran {
    let full = home.path("full");
    std::fs::create_dir_all(&full).expect("a mount point");
    let mounted = format!("mount -t tmpfs -o size=64k none '{}' && {script}", path(&full));
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &mounted]);
    command
        .current_dir(home.path(""))
        .env("HOME", home.path(""))
        .env("HALLMARK_KEY_PASSWORD", "correct horse");
    let ran = Ran::of(command.output().expect("unshare is part of util-linux"));
    assert!(
        !ran.err.contains("unshare:") && !ran.err.contains("mount:"),
        "no full disk could be made: {}",
        ran.err
    );
    ran
}

#[test]
fn a_full_disk_keeps_the_old_file_and_leaves_no_part() {
    let home = Home::new();
    home.measured("run.json");
    let program = env!("CARGO_BIN_EXE_hallmark");
    let script = format!(
        "echo old >full/report.html; head -c 50k /dev/zero >full/ballast; \
         '{program}' report run.json --out full/report.html; code=$?; cat full/report.html; ls -A full >&2; exit $code"
    );
    let ran = on_a_full_disk(&home, &script);
    ran.refused(6, &["full/report.html", "No space left", "nothing was changed"]);
    assert_eq!(ran.out, "old\n");
    assert!(!ran.err.contains(".part"), "{}", ran.err);
}

#[test]
fn a_second_registry_on_the_same_data_is_refused() {
    let home = Home::new();
    let _first = home.serve("data");
    home.run(&["serve", "--data", "data", "--listen", "127.0.0.1:0"])
        .refused(6, &["data"]);
}

#[test]
fn a_registry_that_cannot_listen_says_where() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    home.run(&["serve", "--data", "data", "--listen", &address])
        .refused(6, &[&address]);
}

#[test]
fn a_damaged_registry_is_found() {
    let home = Home::new();
    drop(home.serve("data"));
    assert_eq!(home.run(&["fsck", "data"]).code, 0);
    std::fs::write(home.path("data/checkpoint"), "not a checkpoint\n").expect("a writable file");
    let ran = home.run(&["fsck", "data"]);
    assert_eq!(ran.code, 5, "{} {}", ran.out, ran.err);
}
