//! The log itself: checkpoint, keys, tiles.

use attest::tile::TileId;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::answer;
use super::html::Html;
use crate::http::{Problem, Shared, blocking};
use crate::log::Condition;

pub(crate) async fn log(State(app): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let head = app.head();
        let mut html = Html::page(&"Log");
        html.raw("<h1>Log</h1>\n");
        if app.published.condition() != Condition::Ready {
            html.raw("<p class=\"notice\">The log accepts nothing at this moment. What it has published stays readable.</p>\n");
        }
        html.raw("<dl><dt>Origin</dt><dd><code>")
            .text(&app.origin)
            .raw("</code></dd><dt>Entries</dt><dd>")
            .text(&head.size)
            .raw("</dd><dt>Root hash</dt><dd><code class=\"long\">")
            .text(&head.root)
            .raw("</code></dd></dl>\n<h2>Checkpoint</h2><pre>")
            .text(&head.note)
            .raw("</pre><p>Two signatures by the log: ECDSA P-256 and Ed25519. ")
            .raw("<a href=\"/checkpoint\">Raw</a> · <a href=\"/trusted_root.json\">Trusted root</a></p>\n");
        tiles(&mut html, head.size);
        Ok(answer(&headers, html.end(&app.origin, head.size)))
    })
    .await
}

/// The last tile of each level: with the full ones before them, the whole tree.
fn tiles(html: &mut Html, size: u64) {
    html.raw("<h2>Tree</h2><p>Hashes stand in tiles of 256 as static files; with the entry bundles anyone can recompute the root ")
        .raw("or a proof between any two checkpoints.</p>\n");
    if size == 0 {
        html.raw("<p>No entries yet.</p>\n");
        return;
    }
    html.raw("<div class=\"scroll\"><table><thead><tr><th class=\"number\">Level</th><th class=\"number\">Hashes</th>")
        .raw("<th class=\"number\">Full tiles</th><th>Last tile</th></tr></thead><tbody>\n");
    for level in 0..8u8 {
        let hashes = size >> (8 * u32::from(level));
        let Some(last) = hashes.checked_sub(1) else { break };
        let Some(tile) = TileId::in_tree(level, last / 256, size) else {
            break;
        };
        html.raw("<tr><td class=\"number\">")
            .text(&level)
            .raw("</td><td class=\"number\">")
            .text(&hashes)
            .raw("</td><td class=\"number\">")
            .text(&(hashes / 256))
            .raw("</td><td><a class=\"mono\" href=\"/")
            .text(&tile.path())
            .raw("\">")
            .text(&tile.path())
            .raw("</a></td></tr>\n");
    }
    html.raw("</tbody></table></div>\n");
}
