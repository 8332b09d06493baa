//! One attestation: its checks, its devices, its records.

use attest::dsse::VerifiedEnvelope;
use attest::evidence::Assessment;
use attest::key::PublicKey;
use attest::merkle;
use attest::statement::{Statement, VerifiedStatement};
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use reports::Shown;
use reports::page::fragment;

use super::html::Html;
use super::{answer, device};
use crate::http::{App, Attestation, Problem, Shared, blocking, find, time};
use crate::log::inclusion_path;
use crate::receipts::envelope_of;
use crate::signature::AwsLc;
use crate::store::Entry;

pub(crate) async fn attestation(
    State(app): State<Shared>,
    Path(digest): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let found = find(app, &digest, query.as_deref())?;
        let short = found.entry.digest.to_string();
        let mut html = Html::page(&format!("Attestation {}", &short[..12]));
        html.raw("<h1>Attestation</h1>\n");
        let checked = Checked::make(app, &found);
        facts(&mut html, &found, checked.statement.as_deref());
        attempts(&mut html, app, &found)?;
        checked.show(&mut html, &found);
        if let Some(statement) = checked.statement.as_deref() {
            devices(&mut html, statement);
            measured(&mut html, &found, statement);
            samples(&mut html, &found, statement);
            environment(&mut html, statement);
        }
        downloads(&mut html, &found);
        html.raw("<script src=\"/assets/verify.js\" defer></script>\n");
        Ok(answer(&headers, html.end(&app.origin, app.head().size)))
    })
    .await
}

/// The checks of one entry, made for this very page.
struct Checked {
    signature: Result<(), String>,
    statement: Option<VerifiedStatement>,
    recount: Result<(), String>,
    inclusion: Result<(), String>,
    tree_size: u64,
}

impl Checked {
    fn make(app: &App, found: &Attestation) -> Self {
        let opened = open(found);
        let (statement, recount) = match opened.as_ref().map(Statement::read) {
            Ok(Ok(statement)) => (Some(statement), Ok(())),
            Ok(Err(error)) => (None, Err(error.to_string())),
            Err(_) => (None, Err("the signature did not hold".to_owned())),
        };
        let head = app.head();
        Self {
            signature: opened.map(drop),
            statement,
            recount,
            inclusion: included(app, found, head.size, &head.root),
            tree_size: head.size,
        }
    }

    fn show(&self, html: &mut Html, found: &Attestation) {
        html.raw("<h2>Checks</h2><ul class=\"checks\">");
        check(
            html,
            &self.signature,
            "The key signed this statement (ECDSA P-256 over the envelope's encoding).",
        );
        check(
            html,
            &self.recount,
            "The statement reads strictly, and every summary equals the one recomputed from its samples.",
        );
        let place = format!(
            "Entry {} is in the log of {} entries (inclusion proof).",
            found.entry.place.index, self.tree_size
        );
        check(html, &self.inclusion, &place);
        html.raw("</ul><p class=\"quiet\">The registry made these checks for this page. ")
            .raw("To trust nothing but the log's keys, verify the receipt offline.</p>\n");
        html.raw("<section id=\"browser-checks\" hidden data-digest=\"")
            .text(&found.entry.digest)
            .raw("\" data-key=\"")
            .text(&found.entry.key_id)
            .raw("\"><h2>Checked by your browser</h2><ul class=\"checks\"></ul></section>\n");
    }
}

fn open(found: &Attestation) -> Result<VerifiedEnvelope, String> {
    let key = PublicKey::from_spki_der(&found.signed.spki).map_err(|error| error.to_string())?;
    envelope_of(&found.signed, &found.entry.key_id)
        .open(&key, &AwsLc)
        .map_err(|error| error.to_string())
}

fn included(app: &App, found: &Attestation, size: u64, root: &attest::digest::Sha256) -> Result<(), String> {
    let index = found.entry.place.index;
    let key = PublicKey::from_spki_der(&found.signed.spki).map_err(|error| error.to_string())?;
    let leaf = attest::leaf::canonical(&found.entry.digest, &found.signed.signature, &key);
    let path = inclusion_path(app.store.as_ref(), size, index).map_err(|error| error.to_string())?;
    merkle::verify_inclusion(index, size, &merkle::leaf_hash(&leaf), &path, root)
        .map_err(|error| error.to_string())
}

fn check(html: &mut Html, result: &Result<(), String>, text: &str) {
    match result {
        Ok(()) => html.raw("<li class=\"good\">").text(&text).raw("</li>"),
        Err(error) => html
            .raw("<li class=\"bad\">Does NOT hold: ")
            .text(&text)
            .raw(" ")
            .text(error)
            .raw("</li>"),
    };
}

fn facts(html: &mut Html, found: &Attestation, statement: Option<&Statement>) {
    let entry = &found.entry;
    html.raw("<dl><dt>Digest</dt><dd><code class=\"long\">")
        .text(&entry.digest)
        .raw("</code></dd>");
    html.raw("<dt>Signer</dt><dd><a href=\"/?key=")
        .text(&entry.key_id)
        .raw("\"><code class=\"long\">")
        .text(&entry.key_id)
        .raw("</code></a></dd>");
    html.raw("<dt>Entry</dt><dd>")
        .text(&entry.place.index)
        .raw(", accepted ")
        .text(&time(entry.accepted_ms))
        .raw(" by the registry's clock</dd>");
    if let Some(statement) = statement {
        let measured = &statement.predicate.measured;
        html.raw("<dt>Suite</dt><dd>")
            .text(&measured.suite.name)
            .raw(" v")
            .text(&measured.suite.version)
            .raw(if measured.suite.complete {
                ""
            } else {
                " <span class=\"chip warn\">incomplete</span>"
            })
            .raw("</dd><dt>Measured</dt><dd>")
            .text(&measured.measurement_started_at)
            .raw(" to ")
            .text(&measured.measurement_finished_at)
            .raw(" by the signer's clock, with ")
            .text(&measured.tool.name)
            .raw(" ")
            .text(&measured.tool.version)
            .raw("</dd>");
        if let Some(fresh) = &statement.predicate.freshness {
            html.raw("<dt>Not signed before</dt><dd>entry ")
                .text(&fresh.tree_size)
                .raw(" of the log <code>")
                .text(&fresh.origin)
                .raw("</code></dd>");
        }
    }
    html.raw("</dl>\n");
    for other in &found.also_signed_by {
        html.raw("<p>Also signed by <a href=\"?key=")
            .text(other)
            .raw("\"><code>")
            .text(other)
            .raw("</code></a>.</p>\n");
    }
}

/// How often this key tried to prove anything, successes or not.
fn attempts(html: &mut Html, app: &App, found: &Attestation) -> Result<(), Problem> {
    let count = app.sessions.attempts_by(&found.entry.key_id)?;
    html.raw("<p><a href=\"/attempts?key=")
        .text(&found.entry.key_id)
        .raw("\">Attempts by this key</a>: ")
        .text(&count)
        .raw(", whatever became of them.</p>\n");
    Ok(())
}

fn devices(html: &mut Html, statement: &Statement) {
    html.raw("<h2>Devices</h2><div class=\"scroll\"><table><thead><tr><th>Id</th><th>Name</th><th>Vendor</th><th>Driver</th>")
        .raw("<th class=\"number\">Memory</th><th>Identity</th></tr></thead><tbody>\n");
    let devices = &statement.predicate.measured.devices;
    for (at, device) in devices.iter().enumerate() {
        html.raw("<tr><td><code>")
            .text(&device.id)
            .raw("</code></td><td>");
        device::link(html, device);
        html.raw("</td><td>")
            .text(&device.vendor)
            .raw("</td><td>")
            .text(&device.driver.name)
            .raw(" ")
            .text(&device.driver.version)
            .raw("</td><td class=\"number\">")
            .text(&reports::memory(device.memory_bytes))
            .raw("</td><td class=\"mono\">");
        if let Some(subject) = statement.subject.get(at + 1) {
            html.text(&&subject.digest.sha256.to_string()[..16]);
        }
        html.raw("</td></tr>\n");
    }
    html.raw("</tbody></table></div>\n");
}

/// What the log's verdicts bore out when the entry was accepted.
pub(super) fn assessment(entry: &Entry) -> Option<Assessment> {
    serde_json::from_str(entry.support_json.as_ref()?).ok()
}

/// The statement as the reports draw it.
fn shown<'a>(found: &Attestation, statement: &'a Statement) -> Shown<'a> {
    Shown {
        statement,
        digest: found.entry.digest,
        key_id: Some(found.entry.key_id),
        checks: Vec::new(),
        assessment: assessment(&found.entry),
        log: None,
    }
}

fn measured(html: &mut Html, found: &Attestation, statement: &Statement) {
    let one = shown(found, statement);
    let rows = reports::table::rows(std::slice::from_ref(&one));
    html.raw("<h2>Speed</h2>\n").drawn(&fragment::bars(&rows));
    html.raw("<h2>Proven</h2>\n")
        .drawn(&fragment::proofs_table(&reports::table::proofs(
            std::slice::from_ref(&one),
        )));
    html.raw("<h2>Records</h2>\n")
        .drawn(&fragment::records_table(&rows));
}

fn samples(html: &mut Html, found: &Attestation, statement: &Statement) {
    let one = shown(found, statement);
    html.raw("<h2>Rooflines</h2>\n").drawn(&fragment::rooflines(&one));
    html.raw("<h2>Samples</h2>\n")
        .drawn(&fragment::distributions(&one));
}

fn environment(html: &mut Html, statement: &Statement) {
    let measured = &statement.predicate.measured;
    html.raw("<h2>Environment</h2><dl>");
    for (name, value) in &measured.environment {
        html.raw("<dt>")
            .text(name)
            .raw("</dt><dd>")
            .text(value)
            .raw("</dd>");
    }
    for code in &measured.code {
        html.raw("<dt>")
            .text(&code.path)
            .raw("</dt><dd><code class=\"long\">")
            .text(&code.sha256)
            .raw("</code></dd>");
    }
    html.raw("</dl>\n");
}

fn downloads(html: &mut Html, found: &Attestation) {
    let (digest, key_id) = (&found.entry.digest, &found.entry.key_id);
    html.raw("<h2>Take it with you</h2><p>");
    for (file, label) in [("receipt", "Receipt"), ("envelope", "Envelope")] {
        html.raw("<a href=\"/api/v1/attestations/")
            .text(digest)
            .raw("/")
            .raw(file)
            .raw("?key=")
            .text(key_id)
            .raw("\">")
            .raw(label)
            .raw("</a> · ");
    }
    html.raw("<a href=\"/trusted_root.json\">Trusted root</a></p><p class=\"quiet\">")
        .raw("With the receipt and the trusted root, <code>hallmark verify</code> needs no network.</p>\n");
}
