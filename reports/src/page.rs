//! One self-contained HTML page: no script, no request to anywhere, readable in light, dark and print.
//!
//! The parts are offered on their own in [`fragment`], so that a registry's pages and a report look alike; they use
//! [`STYLE`] and no inline styles, which lets a server forbid those.

pub mod fragment;
mod meaning;
mod overview;

use crate::imported::Imported;
use crate::plain::html as esc;
use crate::table::{proofs, rows};
use crate::{Shown, Verdict};

/// The stylesheet of pages and fragments. Custom properties on `:root` hold the colours.
pub const STYLE: &str = include_str!("page/style.css");

/// Nothing may be loaded or run; the stylesheet stands in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A page of all attestations in `shown`.
pub fn html(shown: &[Shown<'_>]) -> String {
    titled("Hallmark report", shown)
}

/// The same with a title of the caller's.
pub fn titled(title: &str, shown: &[Shown<'_>]) -> String {
    page(title, shown, &[])
}

/// A page of attestations, and of figures that other tools measured in a section of their own.
pub fn with_imported(shown: &[Shown<'_>], imported: &[Imported]) -> String {
    page("Hallmark report", shown, imported)
}

fn page(title: &str, shown: &[Shown<'_>], imported: &[Imported]) -> String {
    let title = esc(title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    out += "<header class=\"masthead\">\n<p class=\"mark\" aria-hidden=\"true\">Hallmark</p>\n";
    out += &format!("<h1>{title}</h1>\n</header>\n<main>\n");
    out += &warnings(shown);
    if !shown.is_empty() || imported.is_empty() {
        out += &overview::attestations(shown);
        out += &proven(shown);
        out += &results(shown);
    }
    out += &crate::imported::html(imported);
    for (number, one) in shown.iter().enumerate() {
        out += &support(number + 1, shown.len(), one);
    }
    out + "</main>\n</body>\n</html>\n"
}

/// What must be read before any figure.
fn warnings(shown: &[Shown<'_>]) -> String {
    let mut lines = Vec::new();
    for one in shown {
        let id = crate::table::short(&one.digest);
        let failed = one.checks.iter().filter(|check| check.verdict == Verdict::Failed);
        for check in failed {
            lines.push(format!(
                "Attestation {id} failed a check: {}. {}",
                esc(&check.name),
                esc(&check.detail)
            ));
        }
        if one.checks.is_empty() {
            lines.push(format!("Nothing about attestation {id} has been checked."));
        }
        if !one.statement.predicate.measured.suite.complete {
            lines.push(format!(
                "Attestation {id} is incomplete: its run was cut short or left cases out."
            ));
        }
        for device in software(one) {
            let name = esc(&device);
            lines.push(format!(
                "{name} is a software device: a graphics API computed by the processor. It is not a GPU."
            ));
        }
    }
    let items: String = lines.iter().map(|line| format!("<li>{line}</li>\n")).collect();
    if items.is_empty() {
        items
    } else {
        format!("<ul class=\"warnings\" aria-label=\"Read first\">\n{items}</ul>\n")
    }
}

fn software(one: &Shown<'_>) -> Vec<String> {
    let devices = one
        .statement
        .predicate
        .measured
        .devices
        .iter()
        .take(fragment::MAX_DEVICES);
    let software = devices.filter(|device| device.kind == attest::statement::DeviceKind::Software);
    software
        .map(|device| format!("{} {}", device.id, device.name))
        .collect()
}

fn proven(shown: &[Shown<'_>]) -> String {
    format!(
        "<section aria-labelledby=\"proven\">\n<h2 id=\"proven\">Proven</h2>\n<p class=\"lede\">Work done on a seed that the \
         registry gave, between two moments of the registry’s own clock; outputs were committed to before anyone knew \
         which would be looked at, and those were recomputed exactly. Rates are lower bounds.</p>\n{}</section>\n",
        fragment::proofs_table(&proofs(shown))
    )
}

fn results(shown: &[Shown<'_>]) -> String {
    let rows = rows(shown);
    format!(
        "<section aria-labelledby=\"results\">\n<h2 id=\"results\">Results</h2>\n\
         <p class=\"lede\">Time of one launch and the rate that follows, as the median of all samples. Intervals hold \
         the median with 95 % confidence. All figures are recomputed from the samples.</p>\n{}</section>\n\
         <section aria-labelledby=\"speed\">\n<h2 id=\"speed\">Speed and quality</h2>\n\
         <p class=\"lede\">Further right is faster. The mark at a bar’s end is the 95 % interval; the quality of the very \
         outputs that were timed stands below. Hollow marks are software devices. Where speeds lie too far apart for \
         bars, dots stand on a logarithmic axis.</p>\n{}</section>\n",
        fragment::records_table(&rows),
        fragment::bars(&rows),
    )
}

/// Everything that stands behind the figures of one attestation.
fn support(number: usize, of: usize, one: &Shown<'_>) -> String {
    let suffix = if of > 1 {
        format!(" · attestation {number}")
    } else {
        String::new()
    };
    let section = |id: &str, title: &str, lede: &str, body: String| {
        format!(
            "<section aria-labelledby=\"{id}-{number}\">\n<h2 id=\"{id}-{number}\">{title}{suffix}</h2>\n{lede}{body}</section>\n"
        )
    };
    let lede = |text: &str| format!("<p class=\"lede\">{text}</p>\n");
    [
        section(
            "samples",
            "Samples",
            &lede("Every sample in the order taken, its median with the 95 % interval as a band, and the histogram."),
            fragment::distributions(one),
        ),
        section(
            "roofline",
            "Roofline",
            &lede(
                "What each record reaches, below what this machine was measured to reach: memory by its mem.triad \
                 record, arithmetic by the best matrix product of each type. No figure is from a data sheet. A point \
                 above the slope ran from a cache.",
            ),
            fragment::rooflines(one),
        ),
        section("checks", "Checks", "", fragment::checks(&one.checks)),
        section("meaning", "What this proves, and what not", "", meaning::of(one)),
        section("setting", "Setting", "", overview::setting(one)),
    ]
    .concat()
}
