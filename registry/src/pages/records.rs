//! Tables of measured records.

use attest::statement::{Caveat, Device, DeviceKind, PathClass, Quality, Record, Status};

use super::html::Html;
use super::units;

/// What stands beside every name of a device that is no device of its own.
pub(crate) fn software_chip(html: &mut Html, kind: DeviceKind) {
    if kind == DeviceKind::Software {
        html.raw(" <span class=\"chip warn\">software, runs on the processor: not a GPU</span>");
    }
}

pub(crate) fn device_link(html: &mut Html, device: &Device) {
    html.raw("<a href=\"/devices/")
        .url(&device.name)
        .raw("\">")
        .text(&device.name)
        .raw("</a>");
    software_chip(html, device.kind);
}

pub(crate) fn head(html: &mut Html, first: &'static str) {
    html.raw("<div class=\"scroll\"><table><thead><tr><th>")
        .raw(first)
        .raw("</th><th>Workload</th><th>Case</th><th>Path</th><th class=\"number\">Median</th>")
        .raw("<th class=\"number\">95 % interval</th><th class=\"number\">Rate</th><th class=\"number\">Traffic</th>")
        .raw("<th>Quality</th><th>Evidence</th><th>State</th></tr></thead><tbody>\n");
}

pub(crate) fn end(html: &mut Html) {
    html.raw("</tbody></table></div>\n");
}

/// The cells of one record after the first.
pub(crate) fn cells(html: &mut Html, record: &Record) {
    html.raw("<td><code>")
        .text(&record.workload)
        .raw("</code></td><td>")
        .text(&record.case.name)
        .raw("</td><td>")
        .raw(match record.path {
            PathClass::Portable => "portable",
            PathClass::Tuned => "tuned",
            PathClass::Vendor => "vendor",
        })
        .raw("</td>");
    match &record.timing {
        Some(timing) => {
            let summary = &timing.summary;
            let (flop, bytes) = (timing.work.flop.0, timing.work.bytes.0);
            html.raw("<td class=\"number\">")
                .text(&units::time(summary.median_ps));
            html.raw("</td><td class=\"number\">")
                .text(&units::time(summary.low_ps))
                .raw(" – ")
                .text(&units::time(summary.high_ps));
            html.raw("</td><td class=\"number\">");
            if flop > 0 {
                html.text(&units::rate(flop, summary.median_ps, "FLOP/s"));
            }
            html.raw("</td><td class=\"number\">")
                .text(&units::rate(bytes, summary.median_ps, "B/s"))
                .raw("</td>");
        }
        None => drop(html.raw("<td></td><td></td><td></td><td></td>")),
    }
    html.raw("<td class=\"wide\">");
    quality(html, record.quality.as_ref());
    html.raw("</td><td>")
        .text(&word(&record.evidence))
        .raw("</td><td>");
    state(html, record);
    html.raw("</td>");
}

fn quality(html: &mut Html, quality: Option<&Quality>) {
    match quality {
        Some(Quality::Exact {
            checked, elements, ..
        }) => {
            html.raw("bit-exact, ")
                .text(checked)
                .raw(" of ")
                .text(elements)
                .raw(" compared");
        }
        Some(Quality::Float {
            relative_rms_ppb,
            worst_of_allowed_ppb,
            ..
        }) => {
            html.raw("RMS ")
                .text(&units::parts(*relative_rms_ppb))
                .raw(", worst at ")
                .text(&format!("{:.1}", *worst_of_allowed_ppb as f64 / 1e7))
                .raw(" % of allowed");
        }
        None => drop(html.raw("not checked")),
    }
}

fn state(html: &mut Html, record: &Record) {
    html.raw(match record.status {
        Status::Complete => "complete",
        Status::Partial => "partial",
        Status::Unsupported => "unsupported",
        Status::Failed => "failed",
    });
    if let Some(reason) = &record.reason {
        html.raw(": ").text(reason);
    }
    for caveat in &record.caveats {
        html.raw(" <span class=\"chip warn\">")
            .raw(match caveat {
                Caveat::Throttled => "throttled",
                Caveat::Shared => "shared",
                Caveat::Noisy => "noisy",
                Caveat::Partial => "interrupted",
            })
            .raw("</span>");
    }
}

/// The word that a unit variant has in our documents.
pub(crate) fn word(variant: &impl serde::Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
