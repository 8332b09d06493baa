//! The table as GitHub-flavoured Markdown.

use super::{Row, rows};
use crate::plain::markdown as plain;
use crate::{Shown, words};

const COLUMNS: [&str; 10] = [
    "device",
    "workload",
    "case",
    "path",
    "time",
    "95 % interval",
    "throughput",
    "quality",
    "evidence",
    "status",
];

/// One table of all records, below a line for each attestation.
pub fn markdown(shown: &[Shown<'_>]) -> String {
    let mut out = String::new();
    for one in shown {
        out += &format!("{}\n\n", heading(one));
    }
    out += &format!("| {} |\n", COLUMNS.join(" | "));
    // Numbers align right: time and throughput.
    out += "|---|---|---|---|--:|--:|--:|---|---|---|\n";
    for row in rows(shown) {
        let cells = cells(&row).map(|cell| plain(&cell));
        out += &format!("| {} |\n", cells.join(" | "));
    }
    out += "\nTimes are medians of one launch with the 95 % interval of the median, recomputed from the samples.\n";
    out
}

fn heading(one: &Shown<'_>) -> String {
    let measured = &one.statement.predicate.measured;
    let place = match &one.log {
        Some(log) => format!(
            "leaf {} of {} in {}",
            log.index,
            log.tree_size,
            plain(&log.origin)
        ),
        None => "in no log".to_owned(),
    };
    let whole = if measured.suite.complete {
        ""
    } else {
        ", incomplete"
    };
    format!(
        "Attestation `{}`, {place}. Suite {} {}{whole}, {} {}, {}.",
        one.digest,
        plain(&measured.suite.name),
        measured.suite.version,
        plain(&measured.tool.name),
        plain(&measured.tool.version),
        plain(&measured.measurement_started_at),
    )
}

fn cells(row: &Row) -> [String; 10] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    [
        row.device.label(),
        row.workload.clone(),
        row.case.clone(),
        words::path(row.path).to_owned(),
        or_dash(row.time_text()),
        or_dash(row.interval_text()),
        or_dash(row.throughput_text()),
        or_dash(row.quality_text()),
        words::evidence(row.evidence).to_owned(),
        row.status_text(),
    ]
}
