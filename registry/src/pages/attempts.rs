//! Attempts, newest first: the failed and the given up among the rest.

use attest::proof::{Outcome, Verdict, Work};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::html::Html;
use super::{answer, device};
use crate::http::{Outlines, Parameters, Problem, Shared, blocking, outlines, time};
use crate::sessions;
use crate::store::sessions::Outline;

pub(crate) async fn attempts(
    State(app): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let parameters = Parameters::read(query.as_deref(), &["key", "limit", "cursor"])?;
        let listed = outlines(app, &parameters)?;
        let mut html = Html::page(&"Attempts");
        html.raw("<h1>Attempts</h1><p class=\"quiet\">Proofs of work on this registry's clock. Each was logged before its work could ")
            .raw("begin, so those that failed or were given up are here too.</p>\n");
        if let Some(key) = parameters.digest("key")? {
            html.raw("<p>By the key <code class=\"long\">")
                .text(&key)
                .raw("</code>: ")
                .text(&app.sessions.attempts_by(&key)?)
                .raw(" in all.</p>\n");
        }
        table(&mut html, &listed.attempts)?;
        older(&mut html, &parameters, &listed);
        Ok(answer(&headers, html.end(&app.origin, app.head().size)))
    })
    .await
}

/// A row for each attempt.
pub(super) fn table(html: &mut Html, attempts: &[Outline]) -> Result<(), Problem> {
    if attempts.is_empty() {
        html.raw("<p>No attempt here yet.</p>\n");
        return Ok(());
    }
    html.raw("<div class=\"scroll\"><table><thead><tr><th class=\"number\">Entry</th><th>Attempt</th><th>Devices</th>")
        .raw("<th>Workload</th><th>Outcome</th><th class=\"number\">Proven rate</th><th>Provider</th><th>Opened</th>")
        .raw("</tr></thead><tbody>\n");
    for outline in attempts {
        row(html, outline)?;
    }
    html.raw("</tbody></table></div>\n");
    Ok(())
}

fn row(html: &mut Html, outline: &Outline) -> Result<(), Problem> {
    let attempt = sessions::attempt(outline)?.predicate;
    let verdict = sessions::verdict(outline)?.map(|verdict| verdict.predicate);
    let (id, key_id) = (outline.id.to_string(), outline.key_id.to_string());
    html.raw("<tr><td class=\"number\">");
    if let Some(index) = outline.attempt_index {
        html.text(&index);
    }
    html.raw("</td><td><a class=\"mono\" href=\"/attempts/")
        .text(&id)
        .raw("\">")
        .text(&&id[..12])
        .raw("</a></td><td>");
    for (at, task) in attempt.tasks.iter().enumerate() {
        html.raw(if at > 0 { "<br>" } else { "" });
        if let Some(device) = attempt.devices.get(task.device as usize) {
            device::link(html, device);
        }
    }
    html.raw("</td><td><code>")
        .text(&attempt.tasks[0].work.workload())
        .raw("</code></td><td>");
    outcome(html, outline, verdict.as_ref());
    html.raw("</td><td class=\"number\">");
    rates(html, verdict.as_ref());
    html.raw("</td><td><a class=\"mono\" href=\"/attempts?key=")
        .text(&key_id)
        .raw("\">")
        .text(&&key_id[..12])
        .raw("</a></td><td>")
        .text(&time(outline.times.asked))
        .raw("</td></tr>\n");
    Ok(())
}

/// What became of it, or how far it is.
pub(super) fn outcome(html: &mut Html, outline: &Outline, verdict: Option<&Verdict>) {
    match verdict {
        None => html.text(&outline.state.name()),
        Some(verdict) if verdict.outcome == Outcome::Proven => html.raw("proven"),
        Some(verdict) => html
            .raw("<span class=\"chip warn\">")
            .text(&sessions::outcome_name(verdict.outcome))
            .raw("</span>"),
    };
}

fn rates(html: &mut Html, verdict: Option<&Verdict>) {
    for (at, task) in verdict.iter().flat_map(|verdict| &verdict.tasks).enumerate() {
        html.raw(if at > 0 { "<br>" } else { "" });
        if let Some(proven) = &task.proven {
            html.raw("≥ ").text(&rate(&task.work, proven.rate.0));
        }
    }
}

/// Units of work a second.
pub(super) fn rate(work: &Work, per_second: u64) -> String {
    let unit = match work {
        Work::Mlp { .. } => "OP/s",
        Work::Vram { .. } => "reads/s",
    };
    format!("{}{unit}", reports::prefixed(per_second as f64, 4))
}

fn older(html: &mut Html, parameters: &Parameters, listed: &Outlines) {
    let Some(next) = listed.next else { return };
    html.raw("<p><a rel=\"next\" href=\"/attempts?cursor=")
        .text(&next);
    for name in ["key", "limit"] {
        if let Some(value) = parameters.text(name) {
            html.raw("&amp;").raw(name).raw("=").url(&value);
        }
    }
    html.raw("\">Older</a></p>\n");
}
