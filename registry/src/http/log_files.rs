//! The log as static files (C2SP tlog-tiles): checkpoint, tiles, entry bundles, and the trust to read them with.

use attest::tile::{self, Place, TileId};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::problem::{self, Problem};
use super::reply::{self, Keep};
use super::{App, Shared, blocking};

/// Readers that poll see a new checkpoint this late, in seconds.
const CHECKPOINT_SECONDS: u32 = 2;

pub(super) async fn checkpoint(State(app): State<Shared>, headers: HeaderMap) -> Response {
    let note = app.head().note.clone().into_bytes();
    reply::body(
        &headers,
        "text/plain; charset=utf-8",
        Keep::Seconds(CHECKPOINT_SECONDS),
        note,
    )
}

pub(super) async fn trusted_root(State(app): State<Shared>, headers: HeaderMap) -> Response {
    let bytes = app.trusted_root.clone().into_bytes();
    reply::body(&headers, "application/json", Keep::Seconds(300), bytes)
}

pub(super) async fn tile(
    State(app): State<Shared>,
    Path(rest): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let place = tile::parse_path(&format!("tile/{rest}"))
            .map_err(|error| Problem::new(problem::NOT_FOUND, error.to_string()))?;
        let bytes = match place {
            Place::Tile(id) => hashes(app, id)?,
            Place::Entries { index, width } => bundle(app, index, width)?,
        };
        Ok(reply::body(
            &headers,
            "application/octet-stream",
            Keep::Forever,
            bytes,
        ))
    })
    .await
}

/// A tile is cut to the width asked for: the row in the database may hold hashes that are not published yet.
fn hashes(app: &App, id: TileId) -> Result<Vec<u8>, Problem> {
    let there = TileId::in_tree(id.level, id.index, app.head().size);
    if there.is_none_or(|there| there.width < id.width) {
        return Err(beyond(app));
    }
    let mut bytes = app.store.tile(id.level, id.index)?.ok_or_else(|| beyond(app))?;
    bytes.truncate(usize::from(id.width) * 32);
    Ok(bytes)
}

fn bundle(app: &App, index: u64, width: u16) -> Result<Vec<u8>, Problem> {
    if tile::width_at(index, app.head().size).is_none_or(|there| there < width) {
        return Err(beyond(app));
    }
    let leaves = app.store.leaves(index * tile::FULL, u32::from(width))?;
    let leaves: Vec<Vec<u8>> = leaves.into_iter().map(|(_, leaf)| leaf).collect();
    tile::encode_entries(&leaves).map_err(|error| Problem::new(problem::INTERNAL, error.to_string()))
}

fn beyond(app: &App) -> Problem {
    let detail = format!(
        "this tile is not in the published log of {} entries",
        app.head().size
    );
    Problem::new(problem::NOT_FOUND, detail)
}
