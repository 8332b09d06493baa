//! A comparison as terminal text, Markdown and JSON.

use serde::Serialize;

use super::{Comparison, Counts, DevicePair, Half, MARGIN_PERCENT, Outcome, Pair, Ratio};
use crate::plain::{self, NAME_CHARS, SENTENCE_CHARS, visible};
use crate::table::quality_text;
use crate::text::{Cell, Column, Terminal, Tone};
use crate::units::{duration, significant};

/// `format` of the JSON comparison: `devices[]` {`a`, `b`, `notes`, `records[]`}, `unpaired[]`, `counts`. A record pair
/// holds `workload`, `a` and `b` (figures as in the table's JSON), `verdict` of B against A (`faster`, `slower`,
/// `indistinguishable` with `ratio` {`timePpm`, `lowPpm`, `highPpm`}: time of B over time of A; `notComparable` with
/// `reasons[]`, each with its `kind`) and `notes`.
pub const JSON_FORMAT: &str = "urn:hallmark:report:comparison:v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    format: &'static str,
    margin_percent: u64,
    counts: Counts,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

pub fn json(comparison: &Comparison) -> String {
    let document = Document {
        format: JSON_FORMAT,
        margin_percent: MARGIN_PERCENT,
        counts: comparison.counts(),
        comparison,
    };
    let text =
        serde_json::to_string_pretty(&document).expect("string keys and plain values have a JSON form");
    text + "\n"
}

const COLUMNS: [Column; 9] = [
    Column::left("workload"),
    Column::left("case"),
    Column::left("path"),
    Column::right("A"),
    Column::right("B"),
    Column::right("time B/A"),
    Column::left("quality A"),
    Column::left("quality B"),
    Column::left("verdict"),
];

/// Aligned for a terminal; reasons and notes stand below the pair they belong to.
pub fn text(comparison: &Comparison, terminal: Terminal) -> String {
    let mut out = String::new();
    for device in &comparison.devices {
        let [a, b] = [&device.a, &device.b].map(|side| visible(&side.label(), NAME_CHARS));
        out += &terminal.bold(&format!("A  {a}\nB  {b}"));
        out.push('\n');
        for note in &device.notes {
            out += &format!("   {}\n", visible(note, SENTENCE_CHARS));
        }
        out += &terminal.grid(&COLUMNS, &cells(device));
        out.push('\n');
    }
    for lonely in &comparison.unpaired {
        let label = visible(&lonely.device.label(), NAME_CHARS);
        out += &format!("only in {}: {label}\n", lonely.side.as_str());
    }
    out + &format!("{}\n{FOOTNOTE}\n", summary(comparison.counts()))
}

const FOOTNOTE: &str = "Ratios carry 95 % intervals from the samples of each run. Two runs of one build can differ by \
    3 %, so less is called indistinguishable.";

pub fn markdown(comparison: &Comparison) -> String {
    let mut out = String::new();
    for device in &comparison.devices {
        let [a, b] = [&device.a, &device.b].map(|side| plain::markdown(&side.label()));
        out += &format!("**A** {a}  \n**B** {b}\n\n");
        for note in &device.notes {
            out += &format!("- {}\n", plain::markdown(note));
        }
        out += "\n| workload | case | path | A | B | time B/A | quality A | quality B | verdict |\n";
        out += "|---|---|---|--:|--:|--:|---|---|---|\n";
        for row in cells(device) {
            let cells: Vec<String> = row.iter().map(|cell| plain::markdown(&cell.text)).collect();
            out += &format!("| {} |\n", cells.join(" | "));
        }
        out.push('\n');
    }
    for lonely in &comparison.unpaired {
        let label = plain::markdown(&lonely.device.label());
        out += &format!("Only in {}: {label}.\n\n", lonely.side.as_str());
    }
    out + &format!("{}\n\n{FOOTNOTE}\n", summary(comparison.counts()))
}

fn summary(counts: Counts) -> String {
    format!(
        "B against A: {} faster, {} slower, {} indistinguishable, {} not comparable.",
        counts.faster, counts.slower, counts.indistinguishable, counts.not_comparable
    )
}

fn cells(device: &DevicePair) -> Vec<Vec<Cell>> {
    device.records.iter().map(pair_cells).collect()
}

fn pair_cells(pair: &Pair) -> Vec<Cell> {
    let quality = |half: &Option<Half>| {
        let quality = half.as_ref().and_then(|half| half.quality.as_ref());
        Cell::plain(quality.map_or_else(|| "–".to_owned(), quality_text))
    };
    let both = |of: &dyn Fn(&Half) -> String| {
        let sides: Vec<String> = [&pair.a, &pair.b].into_iter().flatten().map(of).collect();
        match sides.as_slice() {
            [a, b] if a != b => format!("{a} / {b}"),
            _ => sides.into_iter().next().unwrap_or_default(),
        }
    };
    let (verdict, tone) = verdict(pair);
    vec![
        Cell::plain(visible(&pair.workload, NAME_CHARS)),
        Cell::plain(visible(&both(&|half| half.case.name.clone()), NAME_CHARS)),
        Cell::plain(both(&|half| half.path.as_str().to_owned())),
        Cell::plain(time(pair.a.as_ref())),
        Cell::plain(time(pair.b.as_ref())),
        Cell::plain(ratio(&pair.outcome).map_or_else(|| "–".to_owned(), ratio_text)),
        quality(&pair.a),
        quality(&pair.b),
        Cell {
            text: visible(&verdict, SENTENCE_CHARS),
            tone,
        },
    ]
}

fn time(half: Option<&Half>) -> String {
    let figures = half.and_then(|half| half.figures.as_ref());
    figures.map_or_else(|| "–".to_owned(), |figures| duration(figures.time_ps.median.0))
}

fn ratio(outcome: &Outcome) -> Option<Ratio> {
    match outcome {
        Outcome::Faster { ratio } | Outcome::Slower { ratio } | Outcome::Indistinguishable { ratio } => {
            Some(*ratio)
        }
        Outcome::NotComparable { .. } => None,
    }
}

/// `0.801 (0.792 – 0.811)`
fn ratio_text(ratio: Ratio) -> String {
    let [median, low, high] = [ratio.time_ppm, ratio.low_ppm, ratio.high_ppm].map(|ppm| match ppm {
        100_000..10_000_000 => format!("{:.3}", ppm as f64 / 1e6),
        _ => significant(ppm as f64 / 1e6, 3),
    });
    format!("{median} ({low} – {high})")
}

fn verdict(pair: &Pair) -> (String, Tone) {
    let (mut text, tone) = match &pair.outcome {
        Outcome::Faster { .. } => ("B is faster".to_owned(), Tone::Good),
        Outcome::Slower { .. } => ("B is slower".to_owned(), Tone::Bad),
        Outcome::Indistinguishable { .. } => ("indistinguishable".to_owned(), Tone::Plain),
        Outcome::NotComparable { reasons } => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            (format!("not comparable: {}", reasons.join("; ")), Tone::Doubtful)
        }
    };
    for note in &pair.notes {
        text = format!("{text}; {note}");
    }
    (text, tone)
}
