//! One device model: every result that names it.

use std::cmp::Reverse;

use attest::statement::{Device, DeviceKind, Record, Statement};
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use reports::Shown;
use reports::page::fragment;

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
        let statements = statements(app, &listed)?;
        let results = results(&name, &statements);
        let mut html = Html::page(&name);
        html.raw("<h1>").text(&name).raw("</h1>\n");
        heading(&mut html, &results);
        charts(&mut html, &name, &statements);
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
struct Found<'a> {
    entry: &'a Entry,
    device: &'a Device,
    record: &'a Record,
}

/// What the page's entries state. Each was verified when it was accepted; a payload damaged since then is left out here
/// and named by fsck.
fn statements(app: &App, listed: &Listed) -> Result<Vec<(Entry, Statement)>, Problem> {
    let mut statements = Vec::new();
    for entry in &listed.entries {
        let signed = app.store.signed(entry.place.index)?;
        if let Some(statement) = signed.and_then(|signed| serde_json::from_slice(&signed.payload).ok()) {
            statements.push((entry.clone(), statement));
        }
    }
    Ok(statements)
}

/// This device's records, case by case, the newest first.
fn results<'a>(name: &str, statements: &'a [(Entry, Statement)]) -> Vec<Found<'a>> {
    let mut results = Vec::new();
    for (entry, statement) in statements {
        let measured = &statement.predicate.measured;
        for record in &measured.records {
            if let Some(device) = measured
                .devices
                .get(record.device as usize)
                .filter(|device| device.name == name)
            {
                results.push(Found {
                    entry,
                    device,
                    record,
                });
            }
        }
    }
    results.sort_by_key(|found| {
        let case = &found.record.case;
        (
            &found.record.workload,
            case.size,
            &case.name,
            Reverse(found.entry.place.index),
        )
    });
    results
}

fn charts(html: &mut Html, name: &str, statements: &[(Entry, Statement)]) {
    let shown: Vec<Shown<'_>> = statements
        .iter()
        .map(|(entry, statement)| Shown {
            statement,
            digest: entry.digest,
            key_id: Some(entry.key_id),
            checks: Vec::new(),
            log: None,
        })
        .collect();
    let mut rows = reports::table::rows(&shown);
    rows.retain(|row| row.device.name == name);
    html.raw("<h2>Speed</h2>\n").drawn(&fragment::bars(&rows));
}

fn heading(html: &mut Html, results: &[Found<'_>]) {
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

impl Found<'_> {
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
        records::cells(html, self.record);
        html.raw("</tr>\n");
    }
}
