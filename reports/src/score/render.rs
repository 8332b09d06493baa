//! A score as terminal text and JSON.

use serde::Serialize;

use super::{DeviceScore, Score, Scored};
use crate::plain::{NAME_CHARS, visible};
use crate::text::{Cell, Column, Terminal};
use crate::units::significant;

/// `format` of the JSON score: `score` of each of `devices[]` against its `reference`, by records of `path`, with `cases[]` {`workload`, `case`,
/// `weight`, `ratio`, `low`, `high`} and in `neither[]` workloads that neither runs; `reference` and `scored` are digests, `weights` those that were given.
pub const JSON_FORMAT: &str = "urn:hallmark:report:score:v1";

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    #[serde(flatten)]
    score: &'a Score,
}

pub fn json(score: &Score) -> String {
    let document = Document {
        format: JSON_FORMAT,
        score,
    };
    let text =
        serde_json::to_string_pretty(&document).expect("string keys and finite numbers have a JSON form");
    text + "\n"
}

const COLUMNS: [Column; 5] = [
    Column::left("workload"),
    Column::left("case"),
    Column::right("weight"),
    Column::right("ratio"),
    Column::right("95 % interval"),
];

/// Every ratio, then the score, for each device.
pub fn text(score: &Score, terminal: Terminal) -> String {
    let mut out: String = score
        .devices
        .iter()
        .map(|device| of_device(device, terminal))
        .collect();
    let named: Vec<String> = score
        .weights
        .iter()
        .map(|(name, weight)| format!("{} {}", visible(name, NAME_CHARS), number(weight)))
        .collect();
    let weights = match named.as_slice() {
        [] => "every case 1".to_owned(),
        named => format!("{}; every other case 1", named.join(", ")),
    };
    out += &format!(
        "suite      {} {}, {}\npath       {}\nreference  {}\nscored     {}\nweights    {weights}\n",
        visible(&score.suite.name, NAME_CHARS),
        score.suite.version,
        score.suite.digest,
        score.path.as_str(),
        score.reference,
        score.scored,
    );
    out
}

fn of_device(device: &DeviceScore, terminal: Terminal) -> String {
    let [own, reference] = [&device.device, &device.reference].map(|side| visible(&side.label(), NAME_CHARS));
    let cells: Vec<Vec<Cell>> = device.cases.iter().map(cells).collect();
    let neither = match device.neither.as_slice() {
        [] => String::new(),
        cases => format!("neither runs {}\n", visible(&cases.join(", "), 4 * NAME_CHARS)),
    };
    format!(
        "{}\nagainst {reference}\n{}{neither}\n{}\n\n",
        terminal.bold(&own),
        terminal.grid(&COLUMNS, &cells),
        terminal.bold(&format!("score {}", number(device.score))),
    )
}

fn cells(case: &Scored) -> Vec<Cell> {
    vec![
        Cell::plain(visible(&case.workload, NAME_CHARS)),
        Cell::plain(visible(&case.case.name, NAME_CHARS)),
        Cell::plain(number(case.weight)),
        Cell::plain(number(case.ratio)),
        Cell::plain(format!("{} – {}", number(case.low), number(case.high))),
    ]
}

fn number(value: f64) -> String {
    significant(value, 4)
}
