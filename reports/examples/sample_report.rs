//! Writes a page of made-up figures: `cargo run --release -p hallmark-reports --example sample_report -- OUT.html`.
//! With `small` after it, a page of a CPU and a software device only.

use std::process::ExitCode;

#[path = "../tests/it/sample/mod.rs"]
mod sample;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: sample_report OUT.html [small]");
        return ExitCode::from(2);
    };
    let statement = match std::env::args().nth(2).as_deref() {
        Some("small") => sample::small(),
        _ => sample::example(),
    };
    let page = reports::page::titled(
        "Sample report: invented figures, no machine was measured",
        &[sample::shown(&statement)],
    );
    match std::fs::write(&path, page) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}: {error}", path.display());
            ExitCode::from(6)
        }
    }
}
