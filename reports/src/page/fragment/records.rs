//! The table of records.

use attest::statement::Status;

use super::{MAX_ROWS, left_out};
use crate::plain::html as esc;
use crate::table::{Row, any_energy, short};
use crate::words;

/// A column that is there only when a record has energy.
const ENERGY: &str = "Energy";

const COLUMNS: [(&str, &str); 10] = [
    ("Workload", ""),
    ("Case", ""),
    ("Path", ""),
    ("Time", "number"),
    ("95 % interval", "number"),
    ("Throughput", "number"),
    (ENERGY, "number"),
    ("Quality", ""),
    ("Evidence", ""),
    ("Status", ""),
];

/// The records, grouped by device; on a narrow screen each record becomes a block of named values.
pub fn records_table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "<p class=\"note\">There are no records.</p>\n".to_owned();
    }
    let shown = &rows[..rows.len().min(MAX_ROWS)];
    let several = rows.iter().any(|row| row.attestation != rows[0].attestation);
    let energy = any_energy(shown);
    let columns = || COLUMNS.iter().filter(|(name, _)| energy || *name != ENERGY);
    let heads: String = columns()
        .map(|(name, class)| format!("<th scope=\"col\"{}>{name}</th>", class_of(class)))
        .collect();
    let mut out = format!(
        "<div class=\"scroll\"><table class=\"records\">\n<caption class=\"hidden\">Records by device</caption>\n\
         <thead><tr>{heads}</tr></thead>\n"
    );
    for group in shown.chunk_by(|a, b| (a.attestation, a.device.index) == (b.attestation, b.device.index)) {
        out += &group_of(group, several, energy);
    }
    out + "</table></div>\n" + &left_out(rows.len(), MAX_ROWS, "records")
}

fn group_of(group: &[Row], several: bool, energy: bool) -> String {
    let device = &group[0].device;
    let kind = format!(
        "<span class=\"badge{}\">{}</span>",
        if device.software { " software" } else { "" },
        words::kind(device.kind)
    );
    let place = if several {
        format!(
            " <span class=\"unit\">attestation {}</span>",
            short(&group[0].attestation)
        )
    } else {
        String::new()
    };
    let lines: String = group.iter().map(|row| line(row, energy)).collect();
    format!(
        "<tbody>\n<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"{}\">{} {kind}{place}</th></tr>\n{lines}</tbody>\n",
        COLUMNS.len() - usize::from(!energy),
        esc(&format!("{} {}", device.id, device.name)),
    )
}

fn line(row: &Row, energy: bool) -> String {
    let dims = words::dims(&row.dims);
    let values = [
        format!("<span title=\"{}\">{}</span>", esc(&dims), esc(&row.case)),
        row.path.as_str().to_owned(),
        number(row.time_text().as_deref()),
        number(row.interval_text().as_deref()),
        number(row.throughput_text().as_deref()),
        number(row.energy_text().as_deref()),
        row.quality_text()
            .map_or_else(|| "–".to_owned(), |text| esc(&text).replace(" %", "\u{a0}%")),
        format!(
            "<span class=\"evidence\">{}</span>",
            words::evidence(row.evidence)
        ),
        status(row),
    ];
    let cells = values
        .iter()
        .zip(&COLUMNS[1..])
        .filter(|(_, (name, _))| energy || *name != ENERGY)
        .map(|(value, (name, class))| format!("<td data-name=\"{name}\"{}>{value}</td>", class_of(class)));
    format!(
        "<tr><th scope=\"row\">{}</th>{}</tr>\n",
        esc(&row.workload),
        cells.collect::<String>()
    )
}

fn class_of(class: &str) -> String {
    if class.is_empty() {
        String::new()
    } else {
        format!(" class=\"{class}\"")
    }
}

/// The number in full ink, its unit in a lighter one.
fn number(text: Option<&str>) -> String {
    match text.and_then(|text| text.rsplit_once(' ')) {
        Some((value, unit)) => format!("{value} <span class=\"unit\">{unit}</span>"),
        None => "–".to_owned(),
    }
}

fn status(row: &Row) -> String {
    let class = match (row.status, row.caveats.is_empty() && row.implausible.is_none()) {
        (Status::Complete, true) => "good",
        (Status::Complete | Status::Partial, _) => "open",
        (Status::Unsupported, _) => "none",
        (Status::Failed, _) => "bad",
    };
    let text = row.status_text();
    let (word, rest) = text
        .find([':', ';'])
        .map_or((text.as_str(), ""), |end| text.split_at(end));
    format!(
        "<span class=\"verdict {class}\">{}</span>{}",
        esc(word),
        esc(rest)
    )
}
