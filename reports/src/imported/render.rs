//! Imported figures as terminal text, Markdown and HTML; nothing for none.

use super::{Figure, Imported};
use crate::plain::{self, NAME_CHARS, html as esc, visible};
use crate::table::short;
use crate::text::{Cell, Column, Terminal};
use crate::units::significant;

const TITLE: &str = "Imported from other tools";

const WARNING: &str =
    "Claimed by whoever gave the file: not signed, not checked, not comparable with the records above.";

const COLUMNS: [&str; 7] = [
    "tool",
    "device",
    "benchmark",
    "case",
    "value",
    "samples",
    "evidence",
];

/// Columns of numbers.
const RIGHT: [usize; 2] = [4, 5];

fn cells(imported: &Imported, figure: &Figure) -> [String; 7] {
    let deviation = figure.deviation.map(|deviation| significant(deviation, 2));
    let deviation = deviation.map_or_else(String::new, |deviation| format!(" ± {deviation}"));
    [
        imported.origin.tool.clone(),
        figure.device.clone(),
        figure.name.clone(),
        figure.case.clone(),
        format!(
            "{}{deviation} {} ({})",
            significant(figure.value, 5),
            figure.unit,
            figure.statistic
        ),
        figure
            .samples
            .map_or_else(|| "–".to_owned(), |samples| samples.to_string()),
        "claimed".to_owned(),
    ]
}

fn rows(imported: &[Imported]) -> Vec<[String; 7]> {
    let of_one = |one: &Imported| -> Vec<[String; 7]> {
        one.figures.iter().map(|figure| cells(one, figure)).collect()
    };
    imported.iter().flat_map(of_one).collect()
}

/// `llama-bench 8cf427ff (5163), from bench.json (SHA-256 1a2b3c4d5e6f), measured 2025-04-24T11:58:50Z`
fn source(one: &Imported) -> String {
    let origin = &one.origin;
    let version = origin.version.as_ref().map(|version| format!(" {version}"));
    let measured = origin.measured_at.as_ref().map(|at| format!(", measured {at}"));
    format!(
        "{}{}, from {} (SHA-256 {}){}",
        origin.tool,
        version.unwrap_or_default(),
        origin.file,
        short(&origin.sha256),
        measured.unwrap_or_default()
    )
}

pub fn text(imported: &[Imported], terminal: Terminal) -> String {
    if imported.is_empty() {
        return String::new();
    }
    let columns: Vec<Column> = COLUMNS
        .iter()
        .enumerate()
        .map(|(at, name)| {
            if RIGHT.contains(&at) {
                Column::right(name)
            } else {
                Column::left(name)
            }
        })
        .collect();
    let lines: Vec<Vec<Cell>> = rows(imported)
        .iter()
        .map(|row| {
            row.iter()
                .map(|cell| Cell::plain(visible(cell, NAME_CHARS)))
                .collect()
        })
        .collect();
    let sources: String = imported
        .iter()
        .map(|one| format!("  {}\n", visible(&source(one), 3 * NAME_CHARS)))
        .collect();
    format!(
        "{}\n  {WARNING}\n{}{sources}",
        terminal.bold(TITLE),
        terminal.grid(&columns, &lines)
    )
}

pub fn markdown(imported: &[Imported]) -> String {
    if imported.is_empty() {
        return String::new();
    }
    let mut out = format!("## {TITLE}\n\n{WARNING}\n\n");
    for one in imported {
        out += &format!("- {}\n", plain::markdown(&source(one)));
    }
    let align = |at: usize| if RIGHT.contains(&at) { "--:" } else { "---" };
    let aligned: Vec<&str> = (0..COLUMNS.len()).map(align).collect();
    out += &format!("\n| {} |\n|{}|\n", COLUMNS.join(" | "), aligned.join("|"));
    for row in rows(imported) {
        let cells = row.map(|cell| plain::markdown(&cell));
        out += &format!("| {} |\n", cells.join(" | "));
    }
    out
}

/// A section of a page.
pub fn html(imported: &[Imported]) -> String {
    if imported.is_empty() {
        return String::new();
    }
    let class = |at: usize| {
        if RIGHT.contains(&at) {
            " class=\"number\""
        } else {
            ""
        }
    };
    let heads: String = COLUMNS
        .iter()
        .enumerate()
        .map(|(at, name)| format!("<th scope=\"col\"{}>{name}</th>", class(at)))
        .collect();
    let line = |row: [String; 7]| {
        let cells: String = row
            .iter()
            .enumerate()
            .map(|(at, cell)| {
                format!(
                    "<td data-name=\"{}\"{}>{}</td>",
                    COLUMNS[at],
                    class(at),
                    esc(cell)
                )
            })
            .collect();
        format!("<tr>{cells}</tr>\n")
    };
    let lines: String = rows(imported).into_iter().map(line).collect();
    let sources: String = imported
        .iter()
        .map(|one| format!("<p class=\"note\">{}</p>\n", esc(&source(one))))
        .collect();
    format!(
        "<section aria-labelledby=\"imported\">\n<h2 id=\"imported\">{TITLE}</h2>\n<p class=\"lede\">{WARNING}</p>\n\
         <div class=\"scroll\"><table class=\"records\">\n<caption class=\"hidden\">{TITLE}</caption>\n\
         <thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table></div>\n{sources}</section>\n"
    )
}
