//! Speed with its interval, and the quality beside it.

use super::canvas::{Align, Canvas, Ink, draw, fitted};
use super::scale::Scale;
use crate::table::Row;
use crate::units::significant;
use crate::{Throughput, Unit};

/// Rows one figure shows; a longer list is for the table.
pub(crate) const MAX_BARS: usize = 24;

const WIDTH: f64 = 460.0;
const ROW: f64 = 54.0;
const FOOT: f64 = 24.0;
/// Ends of the bars; the right one leaves room for half a tick's label.
const BARS: (f64, f64) = (1.0, 440.0);
const BAR: f64 = 10.0;

/// How a row is told from its neighbours.
pub(crate) struct Look {
    pub(crate) label: String,
    pub(crate) series: usize,
}

/// One bar per row of one workload: filled for hardware, hollow for a software device. Where speeds span more than a
/// bar's length can show, dots on a logarithmic axis take their place.
pub(crate) fn svg(name: &str, rows: &[&Row], look: impl Fn(&Row) -> Look) -> String {
    let rows = &rows[..rows.len().min(MAX_BARS)];
    let rates: Vec<Throughput> = rows.iter().filter_map(|row| rate(row)).collect();
    let unit = rates.first().map_or(Unit::Byte, |rate| rate.unit);
    let ends = |rate: &Throughput| [rate.per_second.low, rate.per_second.high].map(|end| unit.scaled(end));
    let values: Vec<f64> = rates.iter().flat_map(ends).collect();
    let x = Scale::of_lengths(&values, BARS);
    let bottom = rows.len() as f64 * ROW;
    let label = format!("speed of {name} with 95 % intervals, {} records", rows.len());
    draw(WIDTH, bottom + FOOT, &label, |canvas| {
        if !rates.is_empty() {
            axis(canvas, x, unit, bottom);
        }
        for (i, row) in rows.iter().enumerate() {
            bar(canvas, row, x, i as f64 * ROW, &look(row));
        }
    })
}

fn rate(row: &Row) -> Option<Throughput> {
    row.figures.as_ref()?.throughput
}

fn axis(canvas: &Canvas<'_>, x: Scale, unit: Unit, bottom: f64) {
    for (value, label) in x.ticks(4) {
        let at = x.at(value);
        canvas.line(&[(at, 4.0), (at, bottom)], 0.5, Ink::Rule);
        let align = if at < 20.0 { Align::Left } else { Align::Centre };
        canvas.text(&label, (at, bottom + 8.0), 10.5, align, Ink::Muted);
    }
    let scale = if x.is_log() { ", log scale" } else { "" };
    let name = format!("{}{scale}", unit.shown());
    canvas.text(&name, (WIDTH, bottom + 19.0), 10.5, Align::Right, Ink::Muted);
}

fn bar(canvas: &Canvas<'_>, row: &Row, x: Scale, top: f64, look: &Look) {
    let ink = Ink::Series(look.series);
    let (head, middle, foot) = (top + 9.0, top + 24.0, top + 39.0);
    let label = fitted(&look.label, 320.0, 12.5);
    canvas.text(&label, (0.0, head), 12.5, Align::Left, Ink::Text);
    let quality = row.quality_text().unwrap_or_default();
    let Some(rate) = rate(row) else {
        let status = fitted(&row.status_text(), 440.0, 11.0);
        canvas.text(&status, (0.0, middle), 11.0, Align::Left, Ink::Muted);
        return;
    };
    let value = row.throughput_text().unwrap_or_default();
    canvas.text(&value, (WIDTH, head), 12.5, Align::Right, Ink::Text);
    let [low, median, high] = [rate.per_second.low, rate.per_second.median, rate.per_second.high]
        .map(|end| x.at(rate.unit.scaled(end)));
    let (over, under) = (middle - BAR / 2.0, middle + BAR / 2.0);
    match (x.is_log(), row.device.software) {
        (true, false) => canvas.dot((median, middle), 5.0, ink, 1.0),
        (true, true) => canvas.ring((median, middle), 5.0, ink),
        (false, false) => canvas.fill((BARS.0, over), (median, under), ink, 0.85),
        (false, true) => {
            canvas.fill((BARS.0, over), (median, under), Ink::Paper, 1.0);
            canvas.outline((BARS.0, over), (median, under), 1.5, ink);
        }
    }
    whisker(canvas, low, high, middle);
    canvas.text(
        &fitted(&caveats(row, &quality), 330.0, 11.0),
        (0.0, foot),
        11.0,
        Align::Left,
        Ink::Muted,
    );
    let [low, high] =
        [rate.per_second.low, rate.per_second.high].map(|end| significant(rate.unit.scaled(end), 4));
    canvas.text(
        &format!("{low} – {high}"),
        (WIDTH, foot),
        11.0,
        Align::Right,
        Ink::Muted,
    );
}

fn caveats(row: &Row, quality: &str) -> String {
    let caveats = row.caveats.iter().map(|&caveat| crate::words::caveat(caveat));
    let parts: Vec<&str> = caveats.chain((!quality.is_empty()).then_some(quality)).collect();
    parts.join(" · ")
}

fn whisker(canvas: &Canvas<'_>, low: f64, high: f64, middle: f64) {
    const CAP: f64 = 4.0;
    canvas.line(&[(low, middle), (high, middle)], 1.25, Ink::Text);
    for end in [low, high] {
        canvas.line(&[(end, middle - CAP), (end, middle + CAP)], 1.25, Ink::Text);
    }
}
