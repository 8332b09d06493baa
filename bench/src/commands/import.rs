//! `hallmark import`: figures of another tool as a file that reports show in a section of their own.

use attest::digest::Sha256;
use reports::imported::{Imported, Origin};
use serde_json::Value;

use crate::cli;
use crate::document::{MAX_FILE_BYTES, file_name};
use crate::exit::{Done, OrFail as _, Outcome, fail};
use crate::{answer, files, talk};

pub(super) fn run(args: &cli::Import) -> Done {
    let name = args.file.display().to_string();
    let bytes = files::read(&args.file)?;
    let tool = args.format;
    let refused = |reason: String| {
        fail!(Usage, "{name} is no sound output of {}: {reason}", tool.as_str()).hint(match tool {
            crate::import::Tool::LlamaBench => "write it with llama-bench -o json",
            crate::import::Tool::Nvbench => "write it with --json FILE",
            crate::import::Tool::GoogleBenchmark => "write it with --benchmark_format=json",
        })
    };
    let file: Value =
        attest::json::from_slice(&bytes, MAX_FILE_BYTES).map_err(|error| refused(error.to_string()))?;
    let found = tool.read(&file).map_err(|odd| refused(odd.to_string()))?;
    let origin = Origin {
        tool: tool.as_str().to_owned(),
        file: file_name(&name),
        sha256: Sha256::of(&bytes),
        version: found.version,
        measured_at: found.measured_at,
    };
    let imported = Imported::new(origin, found.figures).map_err(|error| refused(error.to_string()))?;
    let mut written = serde_json::to_vec_pretty(&imported).or_fail(Outcome::Io)?;
    written.push(b'\n');
    files::write(&args.out, &written)?;
    let count = imported.figures.len();
    talk::say(&format!(
        "{count} figures, claimed; show them with hallmark report"
    ));
    answer::print(&args.out.display().to_string())
}
