//! All samples of a record: in the order taken, so that drift shows, and beside it how they spread.

use attest::statement::Timing;

use super::canvas::{Align, Canvas, Ink, draw};
use super::scale::Scale;
use crate::Figures;
use crate::units::TimeUnit;

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 150.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 126.0;
/// Left and right end of the samples, then of the histogram.
const SAMPLES: (f64, f64) = (46.0, 244.0);
const HISTOGRAM: (f64, f64) = (254.0, 314.0);

/// Samples as dots in the order taken, the median with its 95 % interval as a band, the histogram to the right.
pub(crate) fn svg(name: &str, timing: &Timing, figures: &Figures, series: usize) -> String {
    let unit = TimeUnit::of(figures.time_ps.median.0);
    // Launches of a verified record are at least one; a sample is at most a day.
    let per_launch = |ns: &u64| unit.value(1) * *ns as f64 * 1e3 / timing.launches_per_sample.max(1) as f64;
    let times: Vec<f64> = timing.samples_ns.iter().map(per_launch).collect();
    let y = Scale::around(&times, (BOTTOM, TOP));
    let label = format!(
        "{} samples of {name} in the order taken and their histogram",
        times.len()
    );
    draw(WIDTH, HEIGHT, &label, |canvas| {
        axes(canvas, y, unit, times.len());
        let [low, median, high] = [figures.time_ps.low, figures.time_ps.median, figures.time_ps.high]
            .map(|end| y.at(unit.value(end.0)));
        let ink = Ink::Series(series);
        canvas.fill((SAMPLES.0, high), (HISTOGRAM.1, low.max(high + 0.5)), ink, 0.18);
        canvas.line(&[(SAMPLES.0, median), (HISTOGRAM.1, median)], 1.0, ink);
        let step = (SAMPLES.1 - SAMPLES.0) / times.len().max(1) as f64;
        for (i, time) in times.iter().enumerate() {
            let x = SAMPLES.0 + (i as f64 + 0.5) * step;
            canvas.dot((x, y.at(*time)), 1.75, ink, 0.75);
        }
        histogram(canvas, &times, y, ink);
    })
}

fn axes(canvas: &Canvas<'_>, y: Scale, unit: TimeUnit, samples: usize) {
    for (value, label) in y.ticks(4) {
        let at = y.at(value);
        canvas.line(&[(SAMPLES.0, at), (SAMPLES.1, at)], 0.5, Ink::Rule);
        canvas.text(&label, (SAMPLES.0 - 6.0, at), 10.0, Align::Right, Ink::Muted);
    }
    let scale = if y.is_log() { ", log scale" } else { "" };
    let unit = format!("{} per launch{scale}", unit.name);
    canvas.text(&unit, (SAMPLES.0, 8.0), 10.0, Align::Left, Ink::Muted);
    canvas.line(&[(SAMPLES.0, BOTTOM), (SAMPLES.1, BOTTOM)], 0.75, Ink::Rule);
    canvas.line(&[(HISTOGRAM.0, TOP), (HISTOGRAM.0, BOTTOM)], 0.75, Ink::Rule);
    let below = BOTTOM + 13.0;
    canvas.text("sample 1", (SAMPLES.0, below), 10.0, Align::Left, Ink::Muted);
    canvas.text(
        &samples.to_string(),
        (SAMPLES.1, below),
        10.0,
        Align::Right,
        Ink::Muted,
    );
    canvas.text("histogram", (HISTOGRAM.0, below), 10.0, Align::Left, Ink::Muted);
}

fn histogram(canvas: &Canvas<'_>, times: &[f64], y: Scale, ink: Ink) {
    // Twice the square root resolves two modes of a few dozen samples; past 32 a bar is thinner than its gap.
    let bins = ((2.0 * (times.len() as f64).sqrt()) as usize).clamp(8, 32);
    let height = (BOTTOM - TOP) / bins as f64;
    let mut counts = vec![0usize; bins];
    for time in times {
        let bin = ((BOTTOM - y.at(*time)) / height) as usize;
        counts[bin.min(bins - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    for (bin, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        let bottom = BOTTOM - bin as f64 * height;
        let x = HISTOGRAM.0 + count as f64 / most * (HISTOGRAM.1 - HISTOGRAM.0);
        canvas.fill(
            (HISTOGRAM.0, bottom - height + 0.5),
            (x, bottom - 0.25),
            ink,
            0.75,
        );
    }
}
