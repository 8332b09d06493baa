//! Speed with its interval, and the quality beside it.

use super::canvas::{Align, Canvas, Ink, draw, fitted};
use super::scale::Scale;
use crate::table::Row;
use crate::units::significant;
use crate::{Interval, Throughput, Unit, words};

/// Rows one figure shows; a longer list is for the table.
pub(crate) const MAX_BARS: usize = 24;

const WIDTH: f64 = 400.0;
const ROW: f64 = 54.0;
const FOOT: f64 = 32.0;
/// Ends of the bars; the right one leaves room for half a tick's label.
const BARS: (f64, f64) = (0.75, 382.0);
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
    canvas.text(&name, (WIDTH, bottom + 22.0), 10.5, Align::Right, Ink::Muted);
}

fn bar(canvas: &Canvas<'_>, row: &Row, x: Scale, top: f64, look: &Look) {
    let (head, middle, foot) = (top + 9.0, top + 24.0, top + 39.0);
    let label = fitted(&look.label, 285.0, 12.5);
    canvas.text(&label, (0.0, head), 12.5, Align::Left, Ink::Text);
    let Some(rate) = rate(row) else {
        let status = fitted(&row.status_text(), WIDTH, 11.0);
        canvas.text(&status, (0.0, middle), 11.0, Align::Left, Ink::Muted);
        return;
    };
    let value = row.throughput_text().unwrap_or_default();
    canvas.text(&value, (WIDTH, head), 12.5, Align::Right, Ink::Text);
    let ink = Ink::Series(look.series);
    if x.is_log() {
        dot(canvas, rate, x, middle, ink, row.device.software);
    } else {
        length(canvas, rate, x, middle, ink, row.device.software);
    }
    let quality = fitted(&quality(row), 305.0, 11.0);
    canvas.text(&quality, (0.0, foot), 11.0, Align::Left, Ink::Muted);
    let [low, high] = [rate.per_second.low, rate.per_second.high].map(|end| rate.unit.scaled(end));
    let interval = format!("{} – {}", significant(low, 4), significant(high, 4));
    canvas.text(&interval, (WIDTH, foot), 11.0, Align::Right, Ink::Muted);
}

fn places(rate: Throughput, x: Scale) -> [f64; 3] {
    let Interval { low, median, high } = rate.per_second;
    [low, median, high].map(|end| x.at(rate.unit.scaled(end)))
}

/// A bar from zero, its interval at the end.
fn length(canvas: &Canvas<'_>, rate: Throughput, x: Scale, middle: f64, ink: Ink, hollow: bool) {
    let [low, median, high] = places(rate, x);
    let (over, under) = (middle - BAR / 2.0, middle + BAR / 2.0);
    if hollow {
        canvas.fill((BARS.0, over), (median, under), Ink::Paper, 1.0);
        canvas.outline((BARS.0, over), (median, under), 1.5, ink);
    } else {
        canvas.fill((BARS.0, over), (median, under), ink, 0.85);
    }
    canvas.line(&[(low, middle), (high, middle)], 1.25, Ink::Text);
    for end in [low, high] {
        canvas.line(&[(end, over - 1.5), (end, under + 1.5)], 1.25, Ink::Text);
    }
}

/// A dot: on a logarithmic axis a length from the edge would mean nothing.
fn dot(canvas: &Canvas<'_>, rate: Throughput, x: Scale, middle: f64, ink: Ink, hollow: bool) {
    const RADIUS: f64 = 4.5;
    let [low, median, high] = places(rate, x);
    canvas.line(&[(BARS.0, middle), (median, middle)], 0.75, Ink::Rule);
    canvas.line(&[(low, middle), (high, middle)], 1.5, Ink::Text);
    for end in [low, high]
        .into_iter()
        .filter(|end| (end - median).abs() > RADIUS)
    {
        canvas.line(&[(end, middle - RADIUS), (end, middle + RADIUS)], 1.25, Ink::Text);
    }
    if hollow {
        canvas.ring((median, middle), RADIUS, ink);
    } else {
        canvas.dot((median, middle), RADIUS, ink, 1.0);
    }
}

/// Caveats first: they weigh more than the digits after them.
fn quality(row: &Row) -> String {
    let caveats = row.caveats.iter().map(|&caveat| words::caveat(caveat).to_owned());
    let parts: Vec<String> = caveats.chain(row.quality_text()).collect();
    parts.join(" · ")
}
