//! One device model: every result that names it.

use attest::statement::{Device, DeviceKind, Record, Statement};
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::html::Html;
use super::{answer, newest, records};
use crate::http::{App, Listed, Parameters, Problem, Shared, blocking, not_found, page};
use crate::store::Entry;

pub(crate) async fn device(
    State(app): State<Shared>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let parameters = Parameters::read(query.as_deref(), &["limit", "cursor"])?;
        let listed = page(app, &parameters.clone().with("device", &name))?;
        if listed.entries.is_empty() && parameters.text("cursor").is_none() {
            return Err(not_found("no attestation in this log names this device"));
        }
        let results = results(app, &name, &listed)?;
        let mut html = Html::page(&name);
        html.raw("<h1>").text(&name).raw("</h1>\n");
        heading(&mut html, &results);
        html.raw("<h2>Results</h2>\n");
        records::head(&mut html, "Attestation");
        for result in &results {
            result.row(&mut html);
        }
        records::end(&mut html);
        html.raw("<h2>Attestations</h2>\n");
        newest::table(&mut html, &listed.entries);
        let mut path = Html::default();
        path.raw("/devices/").url(&name);
        let path = String::from_utf8(path.into_bytes()).unwrap_or_default();
        newest::older(&mut html, &path, &parameters, &listed);
        Ok(answer(&headers, html.end(&app.origin, listed.head.size)))
    })
    .await
}

/// A record of this device in one of the page's attestations.
struct Shown {
    entry: Entry,
    device: Device,
    record: Record,
}

fn results(app: &App, name: &str, listed: &Listed) -> Result<Vec<Shown>, Problem> {
    let mut results = Vec::new();
    for entry in &listed.entries {
        let Some(signed) = app.store.signed(entry.place.index)? else {
            continue;
        };
        // It was verified when it was accepted; a payload damaged since then shows as missing rows, and in fsck.
        let Ok(statement) = serde_json::from_slice::<Statement>(&signed.payload) else {
            continue;
        };
        let measured = statement.predicate.measured;
        for record in measured.records {
            let Some(device) = measured.devices.get(record.device as usize) else {
                continue;
            };
            if device.name == name {
                results.push(Shown {
                    entry: entry.clone(),
                    device: device.clone(),
                    record,
                });
            }
        }
    }
    results.sort_by(|a, b| {
        let order = |shown: &Shown| {
            (
                shown.record.workload.clone(),
                shown.record.case.size,
                shown.record.case.name.clone(),
            )
        };
        order(a)
            .cmp(&order(b))
            .then(b.entry.place.index.cmp(&a.entry.place.index))
    });
    Ok(results)
}

fn heading(html: &mut Html, results: &[Shown]) {
    let Some(first) = results.first() else { return };
    html.raw("<p>")
        .text(&first.device.vendor)
        .raw(", driver ")
        .text(&first.device.driver.name)
        .raw(".</p>\n");
    if results
        .iter()
        .any(|shown| shown.device.kind == DeviceKind::Software)
    {
        html.raw(
            "<p class=\"notice\">This is a software device: a graphics API that runs on the processor. ",
        )
        .raw("Its figures are the processor's. It is not a GPU.</p>\n");
    }
    html.raw("<p class=\"quiet\">The name is what the driver told the signer; ")
        .raw("read it as &ldquo;performs as&rdquo; unless the evidence says <em>rooted</em>.</p>\n");
}

impl Shown {
    fn row(&self, html: &mut Html) {
        let digest = self.entry.digest.to_string();
        html.raw("<tr><td><a class=\"mono\" href=\"/attestations/")
            .text(&digest)
            .raw("?key=")
            .text(&self.entry.key_id)
            .raw("\">")
            .text(&&digest[..12])
            .raw("</a> <code>")
            .text(&self.device.id)
            .raw("</code>");
        records::software_chip(html, self.device.kind);
        html.raw("</td>");
        records::cells(html, &self.record);
        html.raw("</tr>\n");
    }
}
