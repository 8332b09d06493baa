//! What a device's records reach, below the ceilings this very machine was measured at.

use attest::spec::{Dtype, Spec};
use attest::statement::{Count, Record, Status};

use super::canvas::{Align, Canvas, Ink, draw};
use super::scale::Scale;
use crate::figures::{figures, rate, spec_of};
use crate::units::prefixed;
use crate::words;

/// Points one figure shows; more would cover each other.
pub(crate) const MAX_POINTS: usize = 40;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 330.0;
/// Right of the axes the ceilings have their names.
const X: (f64, f64) = (46.0, 346.0);
const Y: (f64, f64) = (290.0, 24.0);

/// Everything the figure of one device shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Roofline {
    /// Bytes per second of the largest `mem.triad` case, with where it was measured.
    pub(crate) bandwidth: Option<Ceiling>,
    /// Operations per second of the best matrix product of each type.
    pub(crate) compute: Vec<(Dtype, Ceiling)>,
    pub(crate) points: Vec<Point>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ceiling {
    pub(crate) per_second: f64,
    /// `gemm.f32.v1 m1024`, with its caveats.
    pub(crate) source: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) dtype: Option<Dtype>,
    /// Operations per byte that must move.
    pub(crate) intensity: f64,
    /// Operations per second.
    pub(crate) per_second: f64,
}

/// A record that may count, with its rates.
struct Candidate<'a> {
    record: &'a Record,
    dtype: Option<Dtype>,
    bytes: u64,
    intensity: f64,
    ops_per_second: f64,
    bytes_per_second: f64,
}

/// Types that products are made of, each with a ceiling of its own.
const COMPUTED: [Dtype; 5] = [Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::Fp8E4m3, Dtype::I8];

impl Roofline {
    /// From the complete records of one device.
    pub(crate) fn of<'a>(records: impl Iterator<Item = &'a Record>, specs: &[Spec]) -> Self {
        let candidates: Vec<Candidate<'_>> = records.filter_map(|record| candidate(record, specs)).collect();
        let triads = candidates
            .iter()
            .filter(|one| is_of(one.record, "mem.triad."))
            // The largest case is the one that no cache holds.
            .max_by_key(|one| (one.record.caveats.is_empty(), one.bytes));
        let bandwidth = triads.map(|one| ceiling(one, one.bytes_per_second));
        let compute = COMPUTED.map(|dtype| {
            let of_dtype = |one: &&Candidate<'_>| one.dtype == Some(dtype) && is_of(one.record, "gemm.");
            let best = candidates.iter().filter(of_dtype).max_by(|one, other| {
                let rank = |one: &Candidate<'_>| (one.record.caveats.is_empty(), one.ops_per_second);
                rank(one)
                    .partial_cmp(&rank(other))
                    .unwrap_or(std::cmp::Ordering::Equal)
            });
            best.map(|one| (dtype, ceiling(one, one.ops_per_second)))
        });
        let points = candidates
            .iter()
            .filter(|one| one.ops_per_second > 0.0)
            .map(point);
        Self {
            bandwidth,
            compute: compute.into_iter().flatten().collect(),
            points: points.take(MAX_POINTS).collect(),
        }
    }

    /// Which ceilings are missing, in words; none is ever taken from a data sheet.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.bandwidth.is_none() {
            missing.push("memory: no ceiling measured (no complete mem.triad record)".to_owned());
        }
        for dtype in COMPUTED {
            let used = self.points.iter().any(|point| point.dtype == Some(dtype));
            if used && !self.compute.iter().any(|(of, _)| *of == dtype) {
                let name = dtype_name(dtype);
                missing.push(format!(
                    "{name}: no ceiling measured (no complete gemm record of this type)"
                ));
            }
        }
        missing
    }
}

fn is_of(record: &Record, prefix: &str) -> bool {
    record.workload.starts_with(prefix)
}

fn candidate<'a>(record: &'a Record, specs: &[Spec]) -> Option<Candidate<'a>> {
    if record.status != Status::Complete {
        return None;
    }
    let time_ps = figures(record, specs).ok()?.time_ps.median;
    let work = record.timing.as_ref()?.work;
    let per_second = |amount: Count| rate(amount, time_ps).0 as f64;
    Some(Candidate {
        record,
        dtype: spec_of(record, specs).and_then(|spec| Some(spec.inputs.first()?.dtype)),
        bytes: work.bytes.0,
        intensity: work.flop.0 as f64 / work.bytes.0.max(1) as f64,
        ops_per_second: per_second(work.flop),
        bytes_per_second: per_second(work.bytes),
    })
}

fn ceiling(one: &Candidate<'_>, per_second: f64) -> Ceiling {
    let caveats = one
        .record
        .caveats
        .iter()
        .map(|&caveat| format!(", {}", words::caveat(caveat)));
    Ceiling {
        per_second,
        source: format!(
            "{} {}{}",
            one.record.workload,
            words::on_path(&one.record.case.name, one.record.path),
            caveats.collect::<String>()
        ),
    }
}

fn point(one: &Candidate<'_>) -> Point {
    Point {
        name: format!(
            "{} {}",
            one.record.workload,
            words::on_path(&one.record.case.name, one.record.path)
        ),
        dtype: one.dtype,
        intensity: one.intensity,
        per_second: one.ops_per_second,
    }
}

pub(crate) fn dtype_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "f32",
        Dtype::F16 => "f16",
        Dtype::Bf16 => "bf16",
        Dtype::Fp8E4m3 => "fp8",
        Dtype::I8 => "i8",
        Dtype::I32 => "i32",
        Dtype::Q4 => "q4",
    }
}

/// Colour of a type, the same in every roofline; nibbles are multiplied as bytes and have their colour.
pub(crate) fn series(dtype: Option<Dtype>) -> usize {
    match dtype {
        Some(Dtype::F32) => 0,
        Some(Dtype::F16) => 1,
        Some(Dtype::I8 | Dtype::Q4) => 2,
        Some(Dtype::Bf16) => 3,
        Some(Dtype::Fp8E4m3) => 4,
        Some(Dtype::I32) | None => 5,
    }
}

/// Points are numbered from 1 in the order of [`Roofline::points`]; both axes are logarithmic.
pub(crate) fn svg(device: &str, roofline: &Roofline) -> String {
    let intensities: Vec<f64> = roofline.points.iter().map(|point| point.intensity).collect();
    let ceilings = roofline.compute.iter().map(|(_, ceiling)| ceiling.per_second);
    let rates: Vec<f64> = roofline
        .points
        .iter()
        .map(|point| point.per_second)
        .chain(ceilings)
        .collect();
    let (x, y) = (Scale::log(&intensities, X), Scale::log(&rates, Y));
    let label = format!(
        "roofline of {device}: {} records below {} measured ceilings",
        roofline.points.len(),
        roofline.compute.len() + usize::from(roofline.bandwidth.is_some())
    );
    draw(WIDTH, HEIGHT, &label, |canvas| {
        axes(canvas, x, y);
        ceilings_on(canvas, roofline, x, y);
        points_on(canvas, &roofline.points, x, y);
    })
}

fn axes(canvas: &Canvas<'_>, x: Scale, y: Scale) {
    for (value, label) in x.ticks(8) {
        let at = x.at(value);
        canvas.line(&[(at, Y.0), (at, Y.1)], 0.5, Ink::Rule);
        canvas.text(&label, (at, Y.0 + 11.0), 10.5, Align::Centre, Ink::Muted);
    }
    for (value, label) in y.ticks(6) {
        let at = y.at(value);
        canvas.line(&[(X.0, at), (X.1, at)], 0.5, Ink::Rule);
        canvas.text(&label, (X.0 - 6.0, at), 10.5, Align::Right, Ink::Muted);
    }
    let (below, above) = ((X.1, Y.0 + 28.0), (0.0, 8.0));
    canvas.text("operations per byte", below, 10.5, Align::Right, Ink::Muted);
    canvas.text("operations per second", above, 10.5, Align::Left, Ink::Muted);
}

fn ceilings_on(canvas: &Canvas<'_>, roofline: &Roofline, x: Scale, y: Scale) {
    let bandwidth = roofline.bandwidth.as_ref().map(|ceiling| ceiling.per_second);
    let bandwidth = bandwidth.filter(|bandwidth| *bandwidth > 0.0);
    if let Some(bandwidth) = bandwidth {
        slope(canvas, bandwidth, roofline, x, y);
    }
    let mut named: Vec<(f64, Dtype, f64)> = Vec::new();
    for (dtype, ceiling) in &roofline.compute {
        let height = y.at(ceiling.per_second);
        let from = bandwidth.map_or(x.ends().0, |bandwidth| ceiling.per_second / bandwidth);
        let ink = Ink::Series(series(Some(*dtype)));
        canvas.line(&[(x.at(from), height), (X.1, height)], 1.5, ink);
        named.push((height, *dtype, ceiling.per_second));
    }
    named.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut lowest = f64::NEG_INFINITY;
    for (height, dtype, per_second) in named {
        // Names of ceilings that lie close stand below each other, joined to their lines.
        let at = height.max(lowest + 13.0);
        lowest = at;
        let ink = Ink::Series(series(Some(dtype)));
        canvas.line(&[(X.1, height), (X.1 + 6.0, at)], 0.75, ink);
        let name = format!("{} {}", dtype_name(dtype), prefixed(per_second, 3));
        canvas.text(&name, (X.1 + 9.0, at), 10.5, Align::Left, ink);
    }
}

/// The memory's line up to the highest ceiling, its name beside it where no point stands.
fn slope(canvas: &Canvas<'_>, bandwidth: f64, roofline: &Roofline, x: Scale, y: Scale) {
    let ((left, right), (bottom, top)) = (x.ends(), y.ends());
    let rates = roofline.compute.iter().map(|(_, ceiling)| ceiling.per_second);
    let highest = rates.reduce(f64::max).unwrap_or(top);
    let (from, to) = (left.max(bottom / bandwidth), right.min(highest / bandwidth));
    if from >= to {
        return;
    }
    let [start, end] = [from, to].map(|intensity| (x.at(intensity), y.at(intensity * bandwidth)));
    canvas.line(&[start, end], 1.5, Ink::Text);
    let at = free_spot(roofline, start, end, x, y);
    let name = format!("memory {}B/s", prefixed(bandwidth, 3));
    canvas.text(&name, at, 10.5, Align::Left, Ink::Text);
}

/// Left end of the memory's name: the first place along the slope, to its left or right, that no point, number or
/// ceiling runs through.
fn free_spot(roofline: &Roofline, start: (f64, f64), end: (f64, f64), x: Scale, y: Scale) -> (f64, f64) {
    /// Of `memory 20.2 GB/s`.
    const NAME: f64 = 92.0;
    const SHARES: [f64; 7] = [0.5, 0.6, 0.4, 0.7, 0.3, 0.8, 0.15];
    let dots: Vec<(f64, f64)> = roofline
        .points
        .iter()
        .map(|point| (x.at(point.intensity), y.at(point.per_second)))
        .collect();
    let free = |&(left, height): &(f64, f64)| {
        let dot = |dot: &(f64, f64)| {
            dot.0 > left - 15.0 && dot.0 < left + NAME + 15.0 && (dot.1 - height).abs() < 18.0
        };
        let line = |(_, ceiling): &(Dtype, Ceiling)| (y.at(ceiling.per_second) - height).abs() < 9.0;
        left > X.0 + 2.0 && !dots.iter().any(dot) && !roofline.compute.iter().any(line)
    };
    let along = |share: f64| {
        (
            start.0 + share * (end.0 - start.0),
            start.1 + share * (end.1 - start.1),
        )
    };
    let lefts = SHARES.map(along).map(|at| (at.0 - NAME - 10.0, at.1 - 6.0));
    let rights = SHARES.map(along).map(|at| (at.0 + 12.0, at.1 + 8.0));
    let mut spots = lefts.iter().chain(&rights);
    *spots.find(|spot| free(spot)).unwrap_or(&rights[6])
}

/// Dots where the records are; each number takes the first free spot around its dot.
fn points_on(canvas: &Canvas<'_>, points: &[Point], x: Scale, y: Scale) {
    const SPOTS: [(f64, f64); 8] = [
        (9.0, 8.0),
        (-9.0, -8.0),
        (9.0, -8.0),
        (-9.0, 8.0),
        (0.0, 13.0),
        (0.0, -13.0),
        (19.0, 11.0),
        (-19.0, -11.0),
    ];
    let places: Vec<(f64, f64)> = points
        .iter()
        .map(|point| (x.at(point.intensity), y.at(point.per_second)))
        .collect();
    let mut numbers: Vec<(f64, f64)> = Vec::new();
    for (i, (point, &at)) in points.iter().zip(&places).enumerate() {
        let ink = Ink::Series(series(point.dtype));
        canvas.dot(at, 3.25, ink, 1.0);
        let spots = SPOTS.map(|(dx, dy)| (at.0 + dx, at.1 + dy));
        let free = |spot: &&(f64, f64)| {
            let apart = |other: &(f64, f64), wide, high| {
                (spot.0 - other.0).abs() > wide || (spot.1 - other.1).abs() > high
            };
            places.iter().all(|dot| apart(dot, 8.0, 7.0))
                && numbers.iter().all(|number| apart(number, 13.0, 10.0))
        };
        let spot = *spots.iter().find(free).unwrap_or(&spots[0]);
        numbers.push(spot);
        canvas.text(&(i + 1).to_string(), spot, 10.0, Align::Centre, ink);
    }
}
