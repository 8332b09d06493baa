//! The front page: newest attestations, and a filter.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;

use super::html::Html;
use super::{answer, device};
use crate::http::{Listed, Parameters, Problem, Shared, blocking, page, time};
use crate::store::{DeviceCount, Entry};

const KNOWN: [&str; 6] = ["device", "workload", "key", "limit", "cursor", "evidence"];

/// Device models named on the front page.
const MODELS: u32 = 24;

pub(crate) async fn newest(
    State(app): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        // A form sends its empty fields too; they filter nothing.
        let query = query.unwrap_or_default();
        let filled: Vec<&str> = query.split('&').filter(|pair| !pair.ends_with('=')).collect();
        let parameters = Parameters::read(Some(&filled.join("&")), &KNOWN)?;
        let listed = page(app, &parameters)?;
        let models = app.store.devices(MODELS)?;
        let mut html = Html::page(&"Newest attestations");
        html.raw("<h1>Newest attestations</h1><p class=\"quiet\">Signed measurements of compute devices, ")
            .raw("in an append-only log that anyone can check.</p>\n");
        show_models(&mut html, &models);
        show_filter(&mut html, &parameters);
        table(&mut html, &listed.entries);
        older(&mut html, "/", &parameters, &listed);
        Ok(answer(&headers, html.end(&app.origin, listed.head.size)))
    })
    .await
}

fn show_models(html: &mut Html, models: &[DeviceCount]) {
    if models.is_empty() {
        return;
    }
    html.raw("<h2>Device models</h2><ul class=\"devices\">");
    for model in models {
        html.raw("<li class=\"chip\"><a href=\"/devices/")
            .url(&model.name)
            .raw("\">")
            .text(&model.name)
            .raw("</a> ")
            .text(&model.entries)
            .raw("</li>");
    }
    html.raw("</ul>\n");
}

fn show_filter(html: &mut Html, parameters: &Parameters) {
    html.raw("<h2>Attestations</h2><form class=\"filter\" method=\"get\" action=\"/\">");
    for (name, label) in [
        ("device", "Device"),
        ("workload", "Workload"),
        ("key", "Key id"),
        ("evidence", "Evidence, at least"),
    ] {
        html.raw("<label>")
            .raw(label)
            .raw("<input name=\"")
            .raw(name)
            .raw("\" value=\"")
            .text(&parameters.text(name).unwrap_or_default())
            .raw("\"></label>");
    }
    html.raw("<button>Filter</button></form>\n");
}

pub(super) fn table(html: &mut Html, entries: &[Entry]) {
    if entries.is_empty() {
        html.raw("<p>No attestation here yet. <code>hallmark certify --registry</code> with this address adds one.</p>\n");
        return;
    }
    html.raw("<div class=\"scroll\"><table><thead><tr><th class=\"number\">Entry</th><th>Attestation</th>")
        .raw("<th>Devices</th><th>Suite</th><th class=\"number\">Records</th><th>Evidence</th><th>Signer</th><th>Accepted</th></tr></thead><tbody>\n");
    for entry in entries {
        row(html, entry);
    }
    html.raw("</tbody></table></div>\n");
}

fn row(html: &mut Html, entry: &Entry) {
    let summary: Value = serde_json::from_str(&entry.summary_json).unwrap_or_default();
    let (digest, key_id) = (entry.digest.to_string(), entry.key_id.to_string());
    html.raw("<tr><td class=\"number\">").text(&entry.place.index);
    html.raw("</td><td><a class=\"mono\" href=\"/attestations/")
        .text(&digest)
        .raw("?key=")
        .text(&key_id)
        .raw("\">")
        .text(&&digest[..12])
        .raw("</a></td><td>");
    for (at, device) in summary["devices"].as_array().into_iter().flatten().enumerate() {
        let name = device["name"].as_str().unwrap_or("");
        html.raw(if at > 0 { "<br>" } else { "" })
            .raw("<a href=\"/devices/")
            .url(name)
            .raw("\">")
            .text(&name)
            .raw("</a> <span class=\"quiet\">")
            .text(&device["api"].as_str().unwrap_or(""))
            .raw("</span>");
        if device["kind"] == "software" {
            device::software_chip(html, attest::statement::DeviceKind::Software);
        }
    }
    html.raw("</td><td>")
        .text(&summary["suite"]["name"].as_str().unwrap_or(""));
    if summary["suite"]["complete"] == false {
        html.raw(" <span class=\"chip warn\">incomplete</span>");
    }
    html.raw("</td><td class=\"number\">").text(&summary["records"]);
    html.raw("</td><td>");
    evidence(html, entry, &summary["evidence"]);
    html.raw("</td><td><a class=\"mono\" href=\"/?key=")
        .text(&key_id)
        .raw("\">")
        .text(&&key_id[..12])
        .raw("</a></td><td>")
        .text(&time(entry.accepted_ms))
        .raw("</td></tr>\n");
}

/// The strongest support, and a warning where figures cannot be.
fn evidence(html: &mut Html, entry: &Entry, counts: &Value) {
    html.raw("<span class=\"evidence\">")
        .text(&serde_json::json!(entry.evidence).as_str().unwrap_or(""))
        .raw("</span>");
    if counts["implausibleRecords"]
        .as_u64()
        .is_some_and(|count| count > 0)
    {
        html.raw(" <span class=\"chip warn\">implausible figures</span>");
    }
}

/// The way to the next page, with the same filters.
pub(super) fn older(html: &mut Html, path: &str, parameters: &Parameters, listed: &Listed) {
    let Some(next) = listed.next else { return };
    html.raw("<p><a rel=\"next\" href=\"")
        .text(&path)
        .raw("?cursor=")
        .text(&next);
    for name in ["device", "workload", "key", "evidence", "limit"] {
        if let Some(value) = parameters.text(name) {
            html.raw("&amp;").raw(name).raw("=").url(&value);
        }
    }
    html.raw("\">Older</a></p>\n");
}
