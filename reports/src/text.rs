//! Tables for a terminal.

use attest::statement::{Evidence, Session};
use unicode_width::UnicodeWidthStr;

use crate::plain::{NAME_CHARS, SENTENCE_CHARS, visible};
use crate::table::{ProofRow, Row, any_energy, proofs, rows};
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

const INDENT: usize = 2;
const GAP: usize = 2;

/// What the last column gets at least before it moves to a line of its own.
const WRAPPED_WIDTH: usize = 24;

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
        let energy = any_energy(group);
        let header: Vec<Column> = HEADER
            .into_iter()
            .filter(|column| energy || column.name != ENERGY)
            .collect();
        let cells: Vec<Vec<Cell>> = group.iter().map(|row| cells(row, energy)).collect();
        out += &terminal.grid(&header, &cells);
    }
    out + &resumed(shown, terminal) + &proven(shown, terminal)
}

/// The sittings of runs that were not made in one.
fn resumed(shown: &[Shown<'_>], terminal: Terminal) -> String {
    let of_one = |one: &Shown<'_>| {
        let sessions = &one.statement.predicate.measured.sessions;
        let sitting = |session: &Session| {
            let span = format!("{} to {}", session.started_at, session.finished_at);
            format!(
                "  {} records, {}\n",
                session.records,
                visible(&span, SENTENCE_CHARS)
            )
        };
        let lines: String = sessions.iter().map(sitting).collect();
        if lines.is_empty() {
            return lines;
        }
        let head = format!("Resumed: measured in {} sessions", sessions.len());
        format!("\n{}\n{lines}", terminal.bold(&head))
    };
    shown.iter().map(of_one).collect()
}

/// What was proven, where anything was.
fn proven(shown: &[Shown<'_>], terminal: Terminal) -> String {
    let rows = proofs(shown);
    if rows.is_empty() {
        return String::new();
    }
    let cells: Vec<Vec<Cell>> = rows.iter().map(proof_cells).collect();
    let head = terminal.bold("Proven on the registry's clock, at least");
    format!("\n{head}\n{}", terminal.grid(&PROOF_HEADER, &cells))
}

const PROOF_HEADER: [Column; 7] = [
    Column::left("device"),
    Column::left("proof"),
    Column::right("rate"),
    Column::right("resident"),
    Column::right("time"),
    Column::left("lanes opened"),
    Column::left("evidence"),
];

fn proof_cells(row: &ProofRow) -> Vec<Cell> {
    let timed = row.support == Evidence::Timed;
    let evidence = format!("{}: {}", words::evidence(row.support), row.because);
    vec![
        Cell::plain(visible(&row.device.label(), NAME_CHARS)),
        Cell::plain(row.proof.work.workload()),
        Cell::plain(row.rate_text()),
        Cell::plain(row.resident_text()),
        Cell::plain(row.elapsed_text()),
        Cell::plain(row.opened_text()),
        Cell {
            text: visible(&evidence, SENTENCE_CHARS),
            tone: if timed { Tone::Good } else { Tone::Doubtful },
        },
    ]
}

/// A column that is there only when a record of the device has energy.
const ENERGY: &str = "energy";

const HEADER: [Column; 10] = [
    Column::left("workload"),
    Column::left("case"),
    Column::left("path"),
    Column::right("time"),
    Column::right("95 % interval"),
    Column::right("throughput"),
    Column::right(ENERGY),
    Column::left("quality"),
    Column::left("evidence"),
    Column::left("status"),
];

fn cells(row: &Row, energy: bool) -> Vec<Cell> {
    let or_dash = |text: Option<String>| Cell::plain(text.unwrap_or_else(|| "–".to_owned()));
    let sound = row.figures.is_some() && row.caveats.is_empty() && row.implausible.is_none();
    let mut cells = vec![
        Cell::plain(visible(&row.workload, NAME_CHARS)),
        Cell::plain(visible(&row.case, NAME_CHARS)),
        Cell::plain(row.path.as_str()),
        or_dash(row.time_text()),
        or_dash(row.interval_text()),
        or_dash(row.throughput_text()),
    ];
    if energy {
        cells.push(or_dash(row.energy_text()));
    }
    cells.extend([
        or_dash(row.quality_text()),
        Cell::plain(words::evidence(row.evidence)),
        Cell {
            text: visible(&row.status_text(), SENTENCE_CHARS),
            tone: if sound { Tone::Good } else { Tone::Bad },
        },
    ]);
    cells
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

/// Where a column stands.
struct Place {
    at: usize,
    width: usize,
    /// Starts a new line.
    breaks: bool,
    right: bool,
}

/// Lines of at most `width` columns, broken between words, or inside one that is longer than a line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
        while let Some(rest) = lines.last_mut().and_then(|line| cut(line, width)) {
            lines.push(rest);
        }
    }
    lines
}

/// What of `line` stands past `width`, taken from it; `None` when it fits.
fn cut(line: &mut String, width: usize) -> Option<String> {
    let past = line
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .find(|&end| line[..end].width() > width.max(2))?;
    let start = line[..past].char_indices().next_back()?.0;
    Some(line.split_off(start))
}

impl Terminal {
    /// Aligned columns. Where a line is too short for all of them, every row breaks between the same columns and goes
    /// on indented; the last column wraps between words.
    pub(crate) fn grid(self, header: &[Column], rows: &[Vec<Cell>]) -> String {
        let widths: Vec<usize> = (0..header.len())
            .map(|column| {
                let cells = rows.iter().map(|row| row[column].text.width());
                cells.max().unwrap_or(0).max(header[column].name.width())
            })
            .collect();
        let layout = self.layout(header, &widths);
        let names: Vec<Cell> = header.iter().map(|column| Cell::plain(column.name)).collect();
        let mut out = self.dim(self.row(&layout, &names).trim_end()) + "\n";
        for row in rows {
            out += &self.row(&layout, row);
        }
        out
    }

    fn layout(self, header: &[Column], widths: &[usize]) -> Vec<Place> {
        let limit = self.width.max(MIN_WIDTH);
        let mut places: Vec<Place> = Vec::with_capacity(header.len());
        let mut at = INDENT;
        for (i, (column, &width)) in header.iter().zip(widths).enumerate() {
            let last = i + 1 == header.len();
            // Room for a few words is enough for the last column: it wraps.
            let needed = if last { width.min(WRAPPED_WIDTH) } else { width };
            let breaks = i > 0 && at + needed > limit;
            if breaks {
                at = 2 * INDENT;
            }
            let width = if last { width.min(limit - at) } else { width };
            places.push(Place {
                at,
                width,
                breaks,
                right: column.right,
            });
            at += width + GAP;
        }
        places
    }

    fn row(self, layout: &[Place], cells: &[Cell]) -> String {
        let (mut out, mut used) = (String::new(), 0);
        for (i, (place, cell)) in layout.iter().zip(cells).enumerate() {
            if place.breaks {
                out.push('\n');
                used = 0;
            }
            let lines = if i + 1 == layout.len() {
                wrapped(&cell.text, place.width)
            } else {
                vec![cell.text.clone()]
            };
            for (number, line) in lines.iter().enumerate() {
                if number > 0 {
                    out.push('\n');
                    used = 0;
                }
                let own = line.width();
                let start = place.at
                    + if place.right {
                        place.width.saturating_sub(own)
                    } else {
                        0
                    };
                out += &" ".repeat(start.saturating_sub(used));
                out += &self.toned(line, cell.tone);
                used = start + own;
            }
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
