//! Tables for a terminal.

use unicode_width::UnicodeWidthStr;

use crate::plain::{NAME_CHARS, SENTENCE_CHARS, visible};
use crate::table::{Row, rows};
use crate::{Shown, words};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Columns of one line.
    pub width: usize,
    /// False under `NO_COLOR` or when the output is no terminal.
    pub colour: bool,
}

/// Wide enough for every column: what a table gets that is written to a file or a pipe.
pub const UNLIMITED: usize = 100_000;

/// Narrowest table; a smaller terminal wraps it.
const MIN_WIDTH: usize = 40;

/// The records of `shown`, grouped by device. Where the terminal is too narrow for a line per record, each record takes
/// two or more; nothing is left out.
pub fn table(shown: &[Shown<'_>], terminal: Terminal) -> String {
    let rows = rows(shown);
    let mut out = String::new();
    for group in rows.chunk_by(|a, b| (a.attestation, a.device.index) == (b.attestation, b.device.index)) {
        if !out.is_empty() {
            out.push('\n');
        }
        out += &terminal.bold(&visible(&group[0].device.label(), NAME_CHARS));
        out.push('\n');
        let cells: Vec<Vec<Cell>> = group.iter().map(cells).collect();
        out += &terminal.grid(&HEADER, &cells);
    }
    out
}

const HEADER: [Column; 9] = [
    Column::left("workload"),
    Column::left("case"),
    Column::left("path"),
    Column::right("time"),
    Column::right("95 % interval"),
    Column::right("throughput"),
    Column::left("quality"),
    Column::left("evidence"),
    Column::left("status"),
];

fn cells(row: &Row) -> Vec<Cell> {
    let or_dash = |text: Option<String>| Cell::plain(text.unwrap_or_else(|| "–".to_owned()));
    let sound = row.figures.is_some() && row.caveats.is_empty();
    vec![
        Cell::plain(visible(&row.workload, NAME_CHARS)),
        Cell::plain(visible(&row.case, NAME_CHARS)),
        Cell::plain(words::path(row.path)),
        or_dash(row.time_text()),
        or_dash(row.interval_text()),
        or_dash(row.throughput_text()),
        or_dash(row.quality_text()),
        Cell::plain(words::evidence(row.evidence)),
        Cell {
            text: visible(&row.status_text(), SENTENCE_CHARS),
            tone: if sound { Tone::Good } else { Tone::Bad },
        },
    ]
}

#[derive(Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    right: bool,
}

impl Column {
    pub(crate) const fn left(name: &'static str) -> Self {
        Self { name, right: false }
    }

    pub(crate) const fn right(name: &'static str) -> Self {
        Self { name, right: true }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Doubtful,
}

impl Cell {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            tone: Tone::Plain,
        }
    }
}

impl Terminal {
    /// Aligned columns. A line that is too long breaks between cells and goes on indented.
    pub(crate) fn grid(self, header: &[Column], rows: &[Vec<Cell>]) -> String {
        let widths: Vec<usize> = (0..header.len())
            .map(|column| {
                let cells = rows.iter().map(|row| row[column].text.width());
                cells.max().unwrap_or(0).max(header[column].name.width())
            })
            .collect();
        let names: Vec<Cell> = header.iter().map(|column| Cell::plain(column.name)).collect();
        let mut out = self.dim(&self.line(header, &widths, &names));
        for row in rows {
            out += &self.line(header, &widths, row);
        }
        out
    }

    fn line(self, header: &[Column], widths: &[usize], cells: &[Cell]) -> String {
        const INDENT: usize = 2;
        const GAP: usize = 2;
        let limit = self.width.max(MIN_WIDTH);
        let (mut out, mut used) = (" ".repeat(INDENT), INDENT);
        let mut pending = 0;
        for ((column, &width), cell) in header.iter().zip(widths).zip(cells) {
            let own = cell.text.width();
            // The last column is not padded, so only its own text must fit.
            let needed = if column.right { width } else { own };
            if used > INDENT && used + pending + needed > limit {
                out.push('\n');
                out += &" ".repeat(2 * INDENT);
                (used, pending) = (2 * INDENT, 0);
            }
            let before = pending + if column.right { width - own } else { 0 };
            out += &" ".repeat(before);
            out += &self.toned(&cell.text, cell.tone);
            used += before + own;
            pending = GAP + if column.right { 0 } else { width - own };
        }
        out.push('\n');
        out
    }

    fn toned(self, text: &str, tone: Tone) -> String {
        match tone {
            Tone::Plain => text.to_owned(),
            Tone::Good => self.code("32", text),
            Tone::Bad => self.code("31", text),
            Tone::Doubtful => self.code("33", text),
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.code("2", text)
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
