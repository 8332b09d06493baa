//! One attempt: what was asked, when each step came, what is proven.

use attest::proof::{self, Session, Verdict};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::html::Html;
use super::{answer, attempts, device};
use crate::http::{Problem, Shared, blocking, kept, time, verdict_digest};
use crate::sessions;
use crate::store::sessions::{Outline, State as Stage};

pub(crate) async fn attempt(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let kept = kept(app, &id)?;
        let outline = &kept.outline;
        let asked = sessions::attempt(outline)?.predicate;
        let verdict = sessions::verdict(outline)?.map(|verdict| verdict.predicate);
        let session = sessions::exchange(&kept)?;
        let by_key = app.sessions.attempts_by(&outline.key_id)?;
        let short = outline.id.to_string();
        let mut html = Html::page(&format!("Attempt {}", &short[..12]));
        html.raw("<h1>Attempt</h1>\n");
        summary(&mut html, outline, verdict.as_ref());
        facts(&mut html, outline, &asked, by_key);
        steps(&mut html, outline, &asked, &session);
        tasks(&mut html, &asked, &session, verdict.as_ref());
        meaning(&mut html, verdict.as_ref());
        downloads(&mut html, outline);
        Ok(answer(&headers, html.end(&app.origin, app.head().size)))
    })
    .await
}

fn summary(html: &mut Html, outline: &Outline, verdict: Option<&Verdict>) {
    html.raw("<p>");
    attempts::outcome(html, outline, verdict);
    if let Some(reason) = verdict.and_then(|verdict| verdict.reason.as_ref()) {
        html.raw(": ").text(reason);
    }
    html.raw("</p>\n");
}

fn facts(html: &mut Html, outline: &Outline, asked: &proof::Attempt, by_key: u64) {
    html.raw("<dl><dt>Id</dt><dd><code class=\"long\">")
        .text(&outline.id)
        .raw("</code></dd><dt>Provider</dt><dd><a href=\"/attempts?key=")
        .text(&outline.key_id)
        .raw("\"><code class=\"long\">")
        .text(&outline.key_id)
        .raw("</code></a>, ")
        .text(&by_key)
        .raw(" attempts in all · <a href=\"/?key=")
        .text(&outline.key_id)
        .raw("\">attestations</a></dd>");
    if let Some(index) = outline.attempt_index {
        html.raw("<dt>Entry</dt><dd>").text(&index).raw("</dd>");
    }
    if let Some(index) = outline.verdict_index {
        html.raw("<dt>Verdict</dt><dd>entry ").text(&index);
        if let Some(digest) = verdict_digest(outline) {
            html.raw(", <code class=\"long\">").text(&digest).raw("</code>");
        }
        html.raw("</dd>");
    }
    html.raw("<dt>Devices of the host</dt><dd>");
    for (at, device) in asked.devices.iter().enumerate() {
        html.raw(if at > 0 { "<br>" } else { "" });
        device::link(html, device);
        html.raw(" <code>").text(&device.id).raw("</code>");
    }
    html.raw("</dd></dl>\n");
}

fn steps(html: &mut Html, outline: &Outline, asked: &proof::Attempt, session: &Session) {
    html.raw(
        "<h2>Steps</h2><div class=\"scroll\"><table><thead><tr><th>Step</th><th>By the registry's clock</th>",
    )
    .raw("<th class=\"number\">Allowed</th></tr></thead><tbody>\n");
    let (times, limits) = (&outline.times, &asked.limits);
    for (step, at, allowed) in [
        ("Asked", Some(times.asked), None),
        ("Logged", times.opened, None),
        ("Nonce given", times.started, Some(limits.start_ms)),
        ("Every task committed", times.committed, Some(limits.commit_ms)),
        ("Verdict", times.judged, Some(limits.open_ms)),
    ] {
        html.raw("<tr><td>")
            .raw(step)
            .raw("</td><td>")
            .text(&at.map_or_else(|| "–".to_owned(), time))
            .raw("</td><td class=\"number\">");
        if let Some(allowed) = allowed {
            html.text(&reports::duration(allowed.saturating_mul(1_000_000_000)));
        }
        html.raw("</td></tr>\n");
    }
    html.raw("</tbody></table></div>\n");
    if session.nonce.is_none() && outline.state == Stage::Ended {
        html.raw("<p class=\"quiet\">The nonce was never given out, so no work was begun.</p>\n");
    }
}

fn tasks(html: &mut Html, asked: &proof::Attempt, session: &Session, verdict: Option<&Verdict>) {
    html.raw("<h2>Tasks</h2><div class=\"scroll\"><table><thead><tr><th>Device</th><th>Workload</th><th class=\"wide\">Work</th>")
        .raw("<th class=\"number\">Time</th><th class=\"number\">Proven rate</th><th class=\"number\">Resident</th>")
        .raw("<th class=\"number\">Lanes opened</th><th class=\"number\">A tenth wrong is missed</th></tr></thead><tbody>\n");
    for (index, task) in asked.tasks.iter().enumerate() {
        html.raw("<tr><td>");
        if let Some(device) = asked.devices.get(task.device as usize) {
            device::link(html, device);
        }
        html.raw("</td><td><code>")
            .text(&task.work.workload())
            .raw("</code></td><td class=\"wide\">");
        for (at, (name, size)) in task.work.dims().iter().enumerate() {
            html.raw(if at > 0 { ", " } else { "" })
                .text(name)
                .raw("=")
                .text(size);
        }
        html.raw("</td><td class=\"number\">");
        if let Some(Some(commitment)) = session.commitments.get(index) {
            html.text(&reports::duration(commitment.elapsed_ns.saturating_mul(1000)));
        }
        html.raw("</td>");
        let proven = verdict.and_then(|verdict| verdict.tasks.get(index)?.proven.as_ref());
        match proven {
            None => html.raw("<td class=\"number\">nothing</td><td></td><td></td><td></td></tr>\n"),
            Some(proven) => html
                .raw("<td class=\"number\">≥ ")
                .text(&attempts::rate(&task.work, proven.rate.0))
                .raw("</td><td class=\"number\">")
                .text(&reports::resident(proven.resident_bytes.0))
                .raw("</td><td class=\"number\">")
                .text(&proven.lanes_opened)
                .raw(" of ")
                .text(&task.work.lanes())
                .raw("</td><td class=\"number\">")
                .text(&chance(proven.missed_ppb))
                .raw("</td></tr>\n"),
        };
    }
    html.raw("</tbody></table></div>\n");
}

/// Parts per billion as a share of a hundred.
fn chance(ppb: u64) -> String {
    format!("{} %", ppb as f64 / 1e7)
}

fn meaning(html: &mut Html, verdict: Option<&Verdict>) {
    if verdict.is_none_or(|verdict| verdict.reason.is_some()) {
        return;
    }
    html.raw("<p class=\"quiet\">The rate is a lower bound: the time holds the network and the provider's own delays too. ")
        .raw("The last column is the chance that a tenth of wrong lanes is among none that were opened. ")
        .raw("That the work was not sent to another machine in time is not shown.</p>\n");
}

fn downloads(html: &mut Html, outline: &Outline) {
    html.raw("<h2>Take it with you</h2><p>");
    let files: &[(&str, &str)] = match outline.state {
        Stage::Opening => &[],
        Stage::Ended => &[
            ("/receipt", "Attempt"),
            ("/verdict", "Verdict"),
            ("/transcript", "Transcript"),
        ],
        _ => &[("/receipt", "Attempt")],
    };
    for (file, label) in files {
        html.raw("<a href=\"/api/v1/attempts/")
            .text(&outline.id)
            .text(file)
            .raw("\">")
            .text(label)
            .raw("</a> · ");
    }
    html.raw("<a href=\"/trusted_root.json\">Trusted root</a></p><p class=\"quiet\">")
        .raw("With the transcript and the trusted root anybody can recompute the verdict; it needs no network.</p>\n");
}
