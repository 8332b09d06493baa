//! `hallmark compare`: two attestations side by side, or the reason why not.

use std::path::Path;

use crate::answer;
use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::{Document, Trusted};
use crate::exit::{Done, Or as _, Outcome, fail};

pub(super) fn run(args: &cli::Compare, config: &Config) -> Done {
    let trusted = Trusted::of(&args.believe, config)?;
    let (baseline, base_device) = split(&args.baseline);
    let (candidate, head_device) = split(&args.candidate);
    let baseline = Document::open(Path::new(baseline), &trusted)?;
    let candidate = Document::open(Path::new(candidate), &trusted)?;
    let (base, head) = (index(&baseline, base_device)?, index(&candidate, head_device)?);
    let comparison =
        reports::compare::compare_devices(baseline.statement(), base, candidate.statement(), head);
    match args.format {
        Format::Text => answer::print(&reports::compare::text(&comparison)),
        Format::Markdown => answer::print(&reports::compare::markdown(&comparison)),
        Format::Json => answer::json(&comparison),
        other => Err(fail!(
            Usage,
            "a comparison is shown as text, json or markdown, not {other:?}"
        )),
    }?;
    if comparison.any_comparable() {
        Ok(())
    } else {
        Err(fail!(
            Inconclusive,
            "nothing in the two compares; the reasons stand beside each case"
        ))
    }
}

/// `receipt.json#cuda:0` names a device of a file.
fn split(argument: &str) -> (&str, Option<&str>) {
    match argument.rsplit_once('#') {
        Some((file, device)) if !file.is_empty() => (file, Some(device)),
        _ => (argument, None),
    }
}

fn index(document: &Document, device: Option<&str>) -> Done<Option<u32>> {
    let Some(device) = device else { return Ok(None) };
    let devices = &document.statement().predicate.measured.devices;
    let found = devices
        .iter()
        .position(|known| known.id == device)
        .ok_or_else(|| {
            let known: Vec<&str> = devices.iter().map(|device| &*device.id).collect();
            anyhow::anyhow!(
                "no device {device:?} in the attestation; it has {}",
                known.join(", ")
            )
        });
    Ok(Some(u32::try_from(found.or(Outcome::Usage)?).or(Outcome::Usage)?))
}
