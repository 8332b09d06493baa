//! `hallmark compare`: two attestations side by side, or the reason why not.

use std::path::Path;

use reports::compare::{Comparison, Counts, compare, compare_devices};

use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::{Document, Trusted};
use crate::exit::{Done, OrFail as _, Outcome, fail};
use crate::{answer, talk};

pub(super) fn run(args: &cli::Compare, config: &Config) -> Done {
    let trusted = Trusted::of(&args.believe, config)?;
    let (_, _, comparison) = paired(&args.baseline, &args.candidate, &trusted)?;
    match args.format {
        Format::Text => answer::print(&reports::compare::text(&comparison, talk::terminal())),
        Format::Markdown => answer::print(&reports::compare::markdown(&comparison)),
        Format::Json => answer::print(&reports::compare::json(&comparison)),
        other => Err(fail!(
            Usage,
            "a comparison is shown as text, json or markdown, not {other:?}"
        )),
    }?;
    verdict(comparison.counts(), args.fail_if_slower)
}

fn verdict(counts: Counts, fail_if_slower: bool) -> Done {
    if counts.faster + counts.slower + counts.indistinguishable == 0 {
        return Err(fail!(
            Inconclusive,
            "nothing in the two compares; the reasons stand beside each case"
        ));
    }
    if fail_if_slower && counts.slower > 0 {
        return Err(fail!(
            VerdictBad,
            "the candidate is slower in {} cases",
            counts.slower
        ));
    }
    Ok(())
}

/// Opens two files and sets their devices beside each other, or those that are picked.
pub(super) fn paired(
    baseline: &str,
    candidate: &str,
    trusted: &Trusted,
) -> Done<(Document, Document, Comparison)> {
    let (baseline, base_device) = split(baseline);
    let (candidate, head_device) = split(candidate);
    let baseline = Document::open(Path::new(baseline), trusted)?;
    let candidate = Document::open(Path::new(candidate), trusted)?;
    let (a, b) = (baseline.statement(), candidate.statement());
    let comparison = match (base_device, head_device) {
        (None, None) => compare(a, b),
        (Some(base), Some(head)) => compare_devices(a, index(&baseline, base)?, b, index(&candidate, head)?)
            .or_fail(Outcome::Usage)?,
        _ => {
            return Err(fail!(Usage, "a device is picked on one side only")
                .hint("write FILE#DEVICE for both or for neither"));
        }
    };
    Ok((baseline, candidate, comparison))
}

/// `receipt.json#cuda:0` names a device of a file.
fn split(argument: &str) -> (&str, Option<&str>) {
    match argument.rsplit_once('#') {
        Some((file, device)) if !file.is_empty() => (file, Some(device)),
        _ => (argument, None),
    }
}

fn index(document: &Document, device: &str) -> Done<usize> {
    let devices = &document.statement().predicate.measured.devices;
    devices
        .iter()
        .position(|known| known.id == device)
        .ok_or_else(|| {
            let known: Vec<&str> = devices.iter().map(|device| &*device.id).collect();
            fail!(Usage, "no device {device:?} in the attestation")
                .hint(format!("it has {}", known.join(", ")))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_is_bad_only_where_asked_and_nothing_comparable_is_no_answer() {
        let slower = Counts {
            slower: 1,
            ..Counts::default()
        };
        assert!(verdict(slower, false).is_ok());
        assert_eq!(
            verdict(slower, true).expect_err("asked").outcome,
            Outcome::VerdictBad
        );
        let none = Counts {
            not_comparable: 3,
            ..Counts::default()
        };
        assert_eq!(
            verdict(none, false).expect_err("no answer").outcome,
            Outcome::Inconclusive
        );
    }

    #[test]
    fn a_device_stands_behind_the_last_hash() {
        assert_eq!(split("a.json#cuda:0"), ("a.json", Some("cuda:0")));
        assert_eq!(split("odd#name.json#cpu:0"), ("odd#name.json", Some("cpu:0")));
        assert_eq!(split("a.json"), ("a.json", None));
    }
}
