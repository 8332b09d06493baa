//! `hallmark run`: measure a suite and write a run file.

use std::path::Path;

use attest::run::Run;
use attest::statement::{Record, Status};

use crate::cli;
use crate::document::Document;
use crate::exit::{Done, Failure, OrFail as _, Outcome, fail};
use crate::runner::Plan;
use crate::{answer, files, interrupt, resume, selection, talk};

pub(super) fn run(args: &cli::Run, quiet: bool) -> Done {
    interrupt::listen();
    let plan = match &args.resume {
        None => selection::plan(&args.selection, quiet)?.0,
        Some(file) => resume::plan(file, quiet)?,
    };
    let out = args.out.as_deref().or(args.resume.as_deref());
    let out = out.unwrap_or(Path::new("run.json"));
    let name = out.display().to_string();
    if let Some(file) = &args.resume
        && plan.missing()? == 0
    {
        talk::say(&format!("nothing is missing in {}", file.display()));
        return shown(&file.display().to_string(), &files::read(file)?, args.format);
    }
    let (run, bytes) = kept(plan, out)?;
    shown(&name, &bytes, args.format)?;
    talk::say(&format!("run file: {name}"));
    verdict(&run)
}

fn shown(name: &str, bytes: &[u8], format: cli::Format) -> Done {
    let document = Document::of_run(name, bytes)?;
    answer::print(&super::report::render(&[document], format))
}

/// Runs the plan. The run file is written after each record, so that it holds what was done whatever happens.
pub(super) fn kept(plan: Plan, path: &Path) -> Done<(Run, Vec<u8>)> {
    let run = plan.run(&mut |run| write(run, path).map(drop))?;
    let bytes = write(&run, path)?;
    Ok((run, bytes))
}

/// Writes the run file and gives back its bytes: they are what the statement names by digest.
fn write(run: &Run, path: &Path) -> Done<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(run).or_fail(Outcome::Io)?;
    bytes.push(b'\n');
    files::write(path, &bytes)?;
    Ok(bytes)
}

/// An interrupted run and a failed record end the program with their own code, after everything was kept.
pub(super) fn verdict(run: &Run) -> Done {
    if interrupt::asked() {
        return Err(fail!(
            Interrupted,
            "interrupted; what was measured is kept and marked partial"
        ));
    }
    let failed: Vec<&Record> = run
        .measured
        .records
        .iter()
        .filter(|record| record.status == Status::Failed)
        .collect();
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(refused(run, failed.len(), first)),
    }
}

fn refused(run: &Run, count: usize, first: &Record) -> Failure {
    let device = run
        .measured
        .devices
        .get(first.device as usize)
        .map_or("?", |device| &device.id);
    let reason = first.reason.as_deref().unwrap_or("no reason given");
    fail!(
        Unfit,
        "{count} of {} records were refused; {device} {}: {reason}",
        run.measured.records.len(),
        first.workload
    )
    .hint("rerun with --device cpu:0 to see whether the driver is at fault, or on a quiet machine")
}

/// Bytes for people, in binary units.
pub(super) fn unit_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = (0..UNITS.len() - 1)
        .take_while(|&step| bytes >> (10 * (step + 1)) > 0)
        .count();
    let scaled = bytes as f64 / (1u64 << (10 * step)) as f64;
    if step == 0 {
        format!("{bytes} B")
    } else {
        format!("{scaled:.1} {}", UNITS[step])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_the_largest_unit_below() {
        assert_eq!(unit_bytes(0), "0 B");
        assert_eq!(unit_bytes(1023), "1023 B");
        assert_eq!(unit_bytes(1536), "1.5 KiB");
        assert_eq!(unit_bytes(80 << 30), "80.0 GiB");
    }
}
