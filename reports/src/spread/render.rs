//! A spread as terminal text and JSON.

use attest::statement::Count;
use serde::Serialize;

use super::{DeviceSpread, Found, RecordSpread, Spread};
use crate::plain::{NAME_CHARS, SENTENCE_CHARS, visible};
use crate::text::{Cell, Column, Terminal};
use crate::units::{duration, significant};

/// `format` of the JSON spread: digests in `runs[]`, and `records[]` of each of `devices[]` with `mediansPs[]` in the order of
/// the runs and `variationPpm`, or the `reason` why a run has none.
pub const JSON_FORMAT: &str = "urn:hallmark:report:spread:v1";

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    #[serde(flatten)]
    spread: &'a Spread,
}

pub fn json(spread: &Spread) -> String {
    let document = Document {
        format: JSON_FORMAT,
        spread,
    };
    let text = serde_json::to_string_pretty(&document).expect("string keys have a JSON form");
    text + "\n"
}

const COLUMNS: [Column; 6] = [
    Column::left("workload"),
    Column::left("case"),
    Column::left("path"),
    Column::right("fastest"),
    Column::right("slowest"),
    Column::right("variation"),
];

/// Fastest and slowest median and the coefficient of variation of each record.
pub fn text(spread: &Spread, terminal: Terminal) -> String {
    let devices: Vec<String> = { spread.devices.iter() }
        .map(|device| of_device(device, terminal))
        .collect();
    format!("{}{} runs\n", devices.concat(), spread.runs.len())
}

fn of_device(device: &DeviceSpread, terminal: Terminal) -> String {
    let (with, without): (Vec<_>, Vec<_>) =
        { device.records.iter() }.partition(|record| matches!(record.found, Found::Medians { .. }));
    let cells: Vec<Vec<Cell>> = with.into_iter().map(cells).collect();
    let absent: Vec<String> = without.into_iter().map(absent).collect();
    format!(
        "{}\n{}{}\n",
        terminal.bold(&visible(&device.device.label(), NAME_CHARS)),
        terminal.grid(&COLUMNS, &cells),
        absent.concat(),
    )
}

fn cells(record: &RecordSpread) -> Vec<Cell> {
    let [fastest, slowest, variation] = match &record.found {
        Found::Absent { .. } => Default::default(),
        Found::Medians {
            medians_ps,
            variation_ppm,
        } => {
            let shown = |time: Option<&Count>| time.map(|&time| duration(time.0)).unwrap_or_default();
            [
                shown(medians_ps.iter().min()),
                shown(medians_ps.iter().max()),
                format!("{} %", significant(*variation_ppm as f64 / 1e4, 2)),
            ]
        }
    };
    let texts = [
        visible(&record.workload, NAME_CHARS),
        visible(&record.case, NAME_CHARS),
        record.path.as_str().to_owned(),
        fastest,
        slowest,
        variation,
    ];
    texts.into_iter().map(Cell::plain).collect()
}

fn absent(record: &RecordSpread) -> String {
    let Found::Absent { reason } = &record.found else {
        return String::new();
    };
    format!(
        "  {} {}: {}\n",
        visible(&record.workload, NAME_CHARS),
        visible(&record.case, NAME_CHARS),
        visible(reason, SENTENCE_CHARS),
    )
}
