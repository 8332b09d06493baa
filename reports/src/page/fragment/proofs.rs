//! The table of proofs.

use super::{MAX_ROWS, left_out};
use crate::plain::html as esc;
use crate::table::ProofRow;
use crate::words;

const COLUMNS: [(&str, &str); 7] = [
    ("Device and proof", ""),
    ("Proven rate, at least", "number"),
    ("Resident", "number"),
    ("Time", "number"),
    ("Lanes opened", "number"),
    ("A tenth wrong stays unseen", "number"),
    ("Evidence", ""),
];

/// What was proven, one line for each; nothing at all where there is none.
pub fn proofs_table(rows: &[ProofRow]) -> String {
    if rows.is_empty() {
        return "<p class=\"note\">Nothing was proven on a registry’s clock.</p>\n".to_owned();
    }
    let shown = &rows[..rows.len().min(MAX_ROWS)];
    let heads = COLUMNS.map(|(name, class)| format!("<th scope=\"col\" class=\"{class}\">{name}</th>"));
    format!(
        "<div class=\"scroll\"><table class=\"records proofs\">\n<caption class=\"hidden\">Proofs</caption>\n\
         <thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n{}",
        heads.concat(),
        shown.iter().map(line).collect::<String>(),
        left_out(rows.len(), MAX_ROWS, "proofs")
    )
}

fn line(row: &ProofRow) -> String {
    let software = match row.device.software {
        true => " <span class=\"badge software\">software</span>",
        false => "",
    };
    let values = [
        row.rate_text(),
        row.resident_text(),
        row.elapsed_text(),
        row.opened_text(),
        row.missed_text(),
        format!(
            "<span class=\"evidence\">{}</span> <span class=\"unit\">{}</span>",
            words::evidence(row.support),
            esc(&row.because)
        ),
    ];
    let cells = values.iter().zip(&COLUMNS[1..]);
    let cells = cells
        .map(|(value, (name, class))| format!("<td data-name=\"{name}\" class=\"{class}\">{value}</td>"));
    format!(
        "<tr><th scope=\"row\">{} {}{software}</th>{}</tr>\n",
        esc(&row.device.id),
        esc(row.proof.work.workload()),
        cells.collect::<String>()
    )
}
