//! Parts of a page, as HTML text that needs only [`super::STYLE`]. All take strangers' text and escape it.

mod proofs;
mod records;

use attest::spec::Size;
use attest::statement::Record;

use crate::figures::figures;
use crate::plain::html as esc;
use crate::plot::bars::{Look, MAX_BARS};
use crate::plot::{bars, distribution as samples, roofline};
use crate::table::{Row, short};
use crate::units::{count, duration, prefixed, significant};
use crate::{Check, LogPlace, Shown, words};

pub use proofs::proofs_table;
pub use records::records_table;

/// Rows a table shows; the JSON and CSV hold all.
pub const MAX_ROWS: usize = 1_000;
/// Devices of one attestation that are shown.
pub const MAX_DEVICES: usize = 64;
/// Sample plots of one attestation; each holds up to 512 dots.
pub const MAX_PLOTS: usize = 72;
/// Workloads that get a bar chart.
pub const MAX_CHARTS: usize = 48;
/// Checks, environment entries, code digests.
pub const MAX_LINES: usize = 200;

/// `<p>` that says how much is not shown; empty when all is.
pub(crate) fn left_out(total: usize, shown: usize, what: &str) -> String {
    if total <= shown {
        return String::new();
    }
    format!(
        "<p class=\"note\">{} more {what} are not shown here.</p>\n",
        count((total - shown) as u64)
    )
}

/// One chart per workload: each record's rate with its interval, and its quality.
pub fn bars(rows: &[Row]) -> String {
    let mut workloads: Vec<&str> = Vec::new();
    for row in rows {
        if workloads.len() <= MAX_CHARTS && !workloads.contains(&row.workload.as_str()) {
            workloads.push(&row.workload);
        }
    }
    let several = rows.iter().any(|row| row.attestation != rows[0].attestation);
    let look = |row: &Row| {
        let place = if several {
            format!("{} · ", short(&row.attestation))
        } else {
            String::new()
        };
        Look {
            label: format!(
                "{place}{} · {}",
                words::on_path(&row.case, row.path),
                row.device.label()
            ),
            series: row.device.index as usize,
        }
    };
    let chart = |workload: &&str| {
        let mut own: Vec<&Row> = rows.iter().filter(|row| row.workload == *workload).collect();
        let sizes: Vec<_> = own.iter().map(|row| (row.size, row.case.clone())).collect();
        // Devices side by side for each case; cases stay in order of size, then as they came.
        own.sort_by_key(|row| {
            let same = |(size, case): &(Size, String)| *size == row.size && *case == row.case;
            (row.size, sizes.iter().position(same))
        });
        format!(
            "<figure>\n<figcaption><h3>{}</h3></figcaption>\n{}\n{}</figure>\n",
            esc(workload),
            bars::svg(workload, &own, look),
            left_out(own.len(), MAX_BARS, "records"),
        )
    };
    let charts: String = workloads.iter().take(MAX_CHARTS).map(chart).collect();
    let rest = left_out(workloads.len(), MAX_CHARTS, "workloads");
    if charts.is_empty() {
        return "<p class=\"note\">There are no records.</p>\n".to_owned();
    }
    format!("<div class=\"grid wide\">\n{charts}</div>\n{rest}")
}

/// Sample plots of all records that have samples, device by device.
pub fn distributions(one: &Shown<'_>) -> String {
    let measured = &one.statement.predicate.measured;
    let (mut out, mut total) = (String::new(), 0);
    for (index, device) in measured.devices.iter().enumerate().take(MAX_DEVICES) {
        let own = measured
            .records
            .iter()
            .filter(|record| record.device as usize == index);
        let mut plots = String::new();
        for plot in own.filter_map(|record| distribution(one, record)) {
            total += 1;
            if total <= MAX_PLOTS {
                plots += &plot;
            }
        }
        if !plots.is_empty() {
            let label = esc(&crate::table::DeviceRef::of(index as u32, device).label());
            out += &format!("<h3>{label}</h3>\n<div class=\"grid\">\n{plots}</div>\n");
        }
    }
    if out.is_empty() {
        return "<p class=\"note\">No record has samples enough for a median.</p>\n".to_owned();
    }
    out + &left_out(total, MAX_PLOTS, "sample plots")
}

/// The sample plot of one record of `one`; `None` where there are no samples to draw.
pub fn distribution(one: &Shown<'_>, record: &Record) -> Option<String> {
    let figures = figures(record, &one.statement.predicate.measured.specs).ok()?;
    let timing = record.timing.as_ref()?;
    let case = words::on_path(&record.case.name, record.path);
    let name = format!("{} {case}", record.workload);
    let svg = samples::svg(&name, timing, &figures, record.device as usize);
    let launches = match figures.launches_per_sample {
        1 => "one launch".to_owned(),
        more => format!("{} launches", count(more)),
    };
    Some(format!(
        "<figure>\n<figcaption><b>{}</b> {}<br>{} · {} samples of {launches}, {}, timed by {}</figcaption>\n{svg}\n</figure>\n",
        esc(&record.workload),
        esc(&case),
        duration(figures.time_ps.median.0),
        figures.samples,
        words::cache(timing.cache),
        words::timer(timing.timer.source),
    ))
}

/// One roofline per device, with the key to its points and the ceilings that are missing.
pub fn rooflines(one: &Shown<'_>) -> String {
    let measured = &one.statement.predicate.measured;
    let chart = |(index, device): (usize, &attest::statement::Device)| {
        let own = measured
            .records
            .iter()
            .filter(|record| record.device as usize == index);
        let found = roofline::Roofline::of(own, &measured.specs);
        let label = crate::table::DeviceRef::of(index as u32, device).label();
        let mut body = String::new();
        if found.points.is_empty() {
            body += "<p class=\"note\">No complete record counts operations.</p>\n";
        } else {
            body += &roofline::svg(&label, &found);
            body += &key(&found);
        }
        for missing in found.missing() {
            body += &format!("<p class=\"note\">{}</p>\n", esc(&missing));
        }
        format!(
            "<figure>\n<figcaption><h3>{}</h3></figcaption>\n{body}</figure>\n",
            esc(&label)
        )
    };
    let charts: String = measured
        .devices
        .iter()
        .enumerate()
        .take(MAX_DEVICES)
        .map(chart)
        .collect();
    let rest = left_out(measured.devices.len(), MAX_DEVICES, "devices");
    format!("<div class=\"grid wide\">\n{charts}</div>\n{rest}")
}

fn key(found: &roofline::Roofline) -> String {
    let point = |point: &roofline::Point| {
        let dtype = point.dtype.map_or("", roofline::dtype_name);
        format!(
            "<li class=\"series-{}\"><span>{} <span class=\"unit\">{dtype} {}op/s at {} op/B</span></span></li>\n",
            roofline::series(point.dtype) + 1,
            esc(&point.name),
            prefixed(point.per_second, 3),
            significant(point.intensity, 3),
        )
    };
    let ceiling = |(name, source): (&str, &str)| format!("<li>{name}: {}</li>\n", esc(source));
    let memory = found
        .bandwidth
        .iter()
        .map(|ceiling| ("memory", ceiling.source.as_str()));
    let compute = found
        .compute
        .iter()
        .map(|(dtype, ceiling)| (roofline::dtype_name(*dtype), ceiling.source.as_str()));
    format!(
        "<ol class=\"key\">\n{}</ol>\n<ul class=\"key ceilings\" aria-label=\"Where the ceilings were measured\">\n{}</ul>\n",
        found.points.iter().map(point).collect::<String>(),
        memory.chain(compute).map(ceiling).collect::<String>(),
    )
}

/// What was verified, with the verdict in words.
pub fn checks(checks: &[Check]) -> String {
    if checks.is_empty() {
        return "<p class=\"note\">Nothing was checked.</p>\n".to_owned();
    }
    let line = |check: &Check| {
        let class = match check.verdict {
            crate::Verdict::Passed => "good",
            crate::Verdict::Failed => "bad",
            crate::Verdict::NotChecked => "open",
        };
        format!(
            "<tr><th scope=\"row\">{}</th><td><span class=\"verdict {class}\">{}</span></td><td>{}</td></tr>\n",
            esc(&check.name),
            check.verdict.as_str(),
            esc(&check.detail),
        )
    };
    format!(
        "<div class=\"scroll\"><table class=\"checks\">\n<caption class=\"hidden\">Checks</caption>\n<thead><tr><th scope=\"col\">Check</th>\
         <th scope=\"col\">Verdict</th><th scope=\"col\">Seen</th></tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n{}",
        checks.iter().take(MAX_LINES).map(line).collect::<String>(),
        left_out(checks.len(), MAX_LINES, "checks"),
    )
}

/// Where the log holds an attestation, in a sentence.
pub fn log_place(log: Option<&LogPlace>) -> String {
    match log {
        Some(log) => format!(
            "leaf {} of {} in <span class=\"mono\">{}</span>",
            count(log.index),
            count(log.tree_size),
            esc(&log.origin)
        ),
        None => "in no log".to_owned(),
    }
}
