//! SIGKILL at random moments.

use std::path::Path;
use std::process::Command;

use crate::{bench, campaign};

/// Names the folder to serve; set by the tests that start this program again as a server.
const FOLDER: &str = "HALLMARK_TEST_SERVE";

/// This test program as a server of `folder`.
pub(crate) fn server(folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "kill::serve_for_another_process",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder);
    command
}

#[test]
#[ignore = "a server for the other tests, not a test"]
fn serve_for_another_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let mut config = bench::config(&temporary);
    config.data = folder.into();
    crate::sessions::free(&mut config);
    registry::serve(config, |running| {
        use std::io::Write as _;
        let mut out = std::io::stdout();
        writeln!(out, "listening {}", running.address()).unwrap();
        out.flush().unwrap();
    })
    .unwrap();
}

#[test]
fn ten_kills_under_load_lose_no_acknowledged_entry_and_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let tally = campaign::run(10, &folder.path().join("data"), &server).unwrap();
    assert!(
        tally.acknowledged > 0 && tally.checkpoints > 0 && tally.attempts > 0,
        "{tally}"
    );
}

#[test]
fn sigterm_ends_a_server_well() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (mut child, address) = campaign::launch(&mut server(&data)).unwrap().unwrap();
    let body = crate::sample::sample(1, &bench::key()).body;
    assert_eq!(
        crate::wire::Wire::connect(address)
            .unwrap()
            .post(&body)
            .unwrap()
            .status,
        201
    );
    let kill = Command::new("kill")
        .arg("-TERM")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(kill.success());
    assert!(child.wait().unwrap().success());
    assert!(registry::fsck(&data).unwrap().is_sound());
}
