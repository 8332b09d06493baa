//! One device model: every result that names it.

use attest::statement::{Device, DeviceKind, Statement};
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use reports::Shown;
use reports::page::fragment;

use super::html::Html;
use super::{answer, newest};
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
        let mut html = Html::page(&name);
        html.raw("<h1>").text(&name).raw("</h1>\n");
        heading(&mut html, &name, &statements);
        results(&mut html, &name, &statements);
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

/// This device's records, attestation by attestation, the newest first.
fn results(html: &mut Html, name: &str, statements: &[(Entry, Statement)]) {
    let shown: Vec<Shown<'_>> = statements
        .iter()
        .map(|(entry, statement)| Shown {
            statement,
            digest: entry.digest,
            key_id: Some(entry.key_id),
            checks: Vec::new(),
            assessment: super::attestation::assessment(entry),
            log: None,
        })
        .collect();
    let mut rows = reports::table::rows(&shown);
    rows.retain(|row| row.device.name == name);
    html.raw("<h2>Speed</h2>\n").drawn(&fragment::bars(&rows));
    let mut proofs = reports::table::proofs(&shown);
    proofs.retain(|row| row.device.name == name);
    html.raw("<h2>Proven</h2>\n")
        .drawn(&fragment::proofs_table(&proofs));
    html.raw("<h2>Results</h2>\n")
        .drawn(&fragment::records_table(&rows));
}

fn heading(html: &mut Html, name: &str, statements: &[(Entry, Statement)]) {
    let all = statements
        .iter()
        .flat_map(|(_, statement)| &statement.predicate.measured.devices);
    let named: Vec<&Device> = all.filter(|device| device.name == name).collect();
    let Some(newest) = named.first() else { return };
    html.raw("<p>")
        .text(&newest.vendor)
        .raw(", driver ")
        .text(&newest.driver.name)
        .raw(".</p>\n");
    if named.iter().any(|device| device.kind == DeviceKind::Software) {
        html.raw(
            "<p class=\"notice\">This is a software device: a graphics API that runs on the processor. ",
        )
        .raw("Its figures are the processor's. It is not a GPU.</p>\n");
    }
    html.raw("<p class=\"quiet\">The name is what the driver told the signer; ")
        .raw("read it as &ldquo;performs as&rdquo; unless the evidence says <em>rooted</em>.</p>\n");
}

/// What stands beside every name of a device that is no device of its own.
pub(super) fn software_chip(html: &mut Html, kind: DeviceKind) {
    if kind == DeviceKind::Software {
        html.raw(" <span class=\"chip warn\">software, runs on the processor: not a GPU</span>");
    }
}

/// A device's name, leading to its page.
pub(super) fn link(html: &mut Html, device: &Device) {
    html.raw("<a href=\"/devices/")
        .url(&device.name)
        .raw("\">")
        .text(&device.name)
        .raw("</a>");
    software_chip(html, device.kind);
}
