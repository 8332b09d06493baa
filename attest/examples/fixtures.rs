//! Writes `attest/testdata/must-fail` and the checkpoint vectors anew: `cargo run --release -p hallmark-attest --example fixtures`.
//!
//! Fails when a fixture is not refused for its stated cause.

#[path = "../tests/it/checkpoints.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
mod checkpoints;
#[path = "../tests/it/log.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod log;
#[path = "../tests/it/must_fail/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
mod must_fail;
#[path = "../tests/it/sample.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod sample;

use std::process::ExitCode;
use std::{fs, io};

fn main() -> io::Result<ExitCode> {
    let folder = must_fail::folder();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let vectors = checkpoints::file();
    fs::create_dir_all(vectors.parent().expect("a file lies in a folder"))?;
    fs::write(vectors, checkpoints::written())?;
    let mut complaints = 0;
    for case in must_fail::all() {
        let path = folder.join(case.name);
        fs::create_dir_all(&path)?;
        fs::write(path.join("input"), &case.input)?;
        fs::write(path.join("case.json"), case.manifest())?;
        if let Some(complaint) = must_fail::complaint(&path) {
            eprintln!("{complaint}");
            complaints += 1;
        }
    }
    Ok(if complaints == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
