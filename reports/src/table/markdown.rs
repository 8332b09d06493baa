//! The table as GitHub-flavoured Markdown.

use super::{Row, any_energy, rows};
use crate::plain::markdown as plain;
use crate::{Shown, words};

/// Names and alignment; numbers stand on the right.
const COLUMNS: [(&str, &str); 11] = [
    ("device", "---"),
    ("workload", "---"),
    ("case", "---"),
    ("path", "---"),
    ("time", "--:"),
    ("95 % interval", "--:"),
    ("throughput", "--:"),
    (ENERGY, "--:"),
    ("quality", "---"),
    ("evidence", "---"),
    ("status", "---"),
];

/// A column that is there only when a record has energy.
const ENERGY: &str = "energy";

/// One table of all records, below a line for each attestation.
pub fn markdown(shown: &[Shown<'_>]) -> String {
    let mut out = String::new();
    for one in shown {
        out += &format!("{}\n\n", heading(one));
    }
    let rows = rows(shown);
    let energy = any_energy(&rows);
    let columns: Vec<usize> = (0..COLUMNS.len())
        .filter(|&at| energy || COLUMNS[at].0 != ENERGY)
        .collect();
    let line = |cell: &dyn Fn(usize) -> String, between: &str| {
        columns
            .iter()
            .map(|&at| cell(at))
            .collect::<Vec<_>>()
            .join(between)
    };
    out += &format!("| {} |\n", line(&|at| COLUMNS[at].0.to_owned(), " | "));
    out += &format!("|{}|\n", line(&|at| COLUMNS[at].1.to_owned(), "|"));
    for row in rows {
        let cells = cells(&row);
        out += &format!("| {} |\n", line(&|at| plain(&cells[at]), " | "));
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
    let sessions = match measured.sessions.len() {
        0 => String::new(),
        count => format!(", in {count} sessions"),
    };
    format!(
        "Attestation `{}`, {place}. Suite {} {}{whole}, {} {}, {}{sessions}.",
        one.digest,
        plain(&measured.suite.name),
        measured.suite.version,
        plain(&measured.tool.name),
        plain(&measured.tool.version),
        plain(&measured.measurement_started_at),
    )
}

fn cells(row: &Row) -> [String; 11] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    [
        row.device.label(),
        row.workload.clone(),
        row.case.clone(),
        row.path.as_str().to_owned(),
        or_dash(row.time_text()),
        or_dash(row.interval_text()),
        or_dash(row.throughput_text()),
        or_dash(row.energy_text()),
        or_dash(row.quality_text()),
        words::evidence(row.evidence).to_owned(),
        row.status_text(),
    ]
}
