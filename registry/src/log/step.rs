//! One step of the log, computed and proven before anything is written.

use std::collections::HashMap;
use std::sync::Arc;

use attest::checkpoint::{self, Checkpoint, LogKeys, LogTrust};
use attest::digest::Sha256;
use attest::merkle;
use attest::tile::{self, Edge, HashReader, Tile, TileId};

use super::LogError;
use crate::store::{Accepted, Head, NewEntry, Store, StoreError};

/// Everything the next commit writes, and the proof for each of its entries.
pub(super) struct Step {
    pub(super) edge: Edge,
    pub(super) head: Head,
    pub(super) entries: Vec<NewEntry>,
    pub(super) tiles: Vec<Tile>,
    /// Inclusion path of each entry in the tree of `head`.
    pub(super) paths: Vec<Vec<Sha256>>,
}

/// Extends the tree of `edge` by `accepted`, signs the result and checks every proof with the verifier's own code.
pub(super) fn prepare(
    edge: &Edge,
    accepted: Vec<Arc<Accepted>>,
    origin: &str,
    keys: &LogKeys,
    trust: &LogTrust,
    store: &dyn Store,
) -> Result<Step, LogError> {
    let first = edge.size();
    let leaves: Vec<Sha256> = accepted
        .iter()
        .map(|accepted| merkle::leaf_hash(&accepted.leaf))
        .collect();
    let mut edge = edge.clone();
    let tiles = edge.append(&leaves);
    let head = sign(origin, edge.size(), edge.root(), keys, trust)?;
    let paths = paths(first, &leaves, &head, &tiles, store)?;
    let entries = (first..)
        .zip(accepted)
        .map(|(index, accepted)| NewEntry { index, accepted })
        .collect();
    Ok(Step {
        edge,
        head,
        entries,
        tiles,
        paths,
    })
}

/// A head whose note verifies under the trust given to readers.
pub(super) fn sign(
    origin: &str,
    size: u64,
    root: Sha256,
    keys: &LogKeys,
    trust: &LogTrust,
) -> Result<Head, LogError> {
    let checkpoint = Checkpoint {
        origin: origin.to_owned(),
        size,
        root,
    };
    let head = Head {
        size,
        root,
        note: checkpoint::sign(&checkpoint, keys)?,
    };
    check_note(&head, trust)?;
    Ok(head)
}

/// Whether a head's note is signed and says what the head says.
pub(super) fn check_note(head: &Head, trust: &LogTrust) -> Result<(), LogError> {
    let opened = checkpoint::open(&head.note, trust)?;
    if (opened.size, opened.root) == (head.size, head.root) {
        Ok(())
    } else {
        Err(LogError::WrongCheckpoint {
            found: opened.size,
            expected: head.size,
        })
    }
}

fn paths(
    first: u64,
    leaves: &[Sha256],
    head: &Head,
    tiles: &[Tile],
    store: &dyn Store,
) -> Result<Vec<Vec<Sha256>>, LogError> {
    let fresh: HashMap<(u8, u64), &Tile> = tiles
        .iter()
        .map(|tile| ((tile.id.level, tile.id.index), tile))
        .collect();
    let mut reader = HashReader::new(head.size, |id: TileId| match fresh.get(&(id.level, id.index)) {
        Some(tile) => Ok(tile::encode(&tile.hashes)),
        None => fetch(store, id),
    });
    // Neighbours share most of their paths; without this every path would hash half a tile again.
    let mut known = HashMap::new();
    let mut read = |level, index| match known.get(&(level, index)) {
        Some(hash) => Ok(*hash),
        None => reader.hash(level, index).inspect(|hash| {
            known.insert((level, index), *hash);
        }),
    };
    (first..)
        .zip(leaves)
        .map(|(index, leaf)| {
            let path = merkle::inclusion_path(head.size, index, &mut read)?;
            merkle::verify_inclusion(index, head.size, leaf, &path, &head.root)?;
            Ok(path)
        })
        .collect()
}

/// Inclusion path of an old entry, from the stored tiles.
pub(crate) fn inclusion_path(store: &dyn Store, tree_size: u64, index: u64) -> Result<Vec<Sha256>, LogError> {
    let mut reader = HashReader::new(tree_size, |id| fetch(store, id));
    Ok(merkle::inclusion_path(tree_size, index, |level, at| {
        reader.hash(level, at)
    })?)
}

/// The right edge of the tree of `size` leaves, from the stored tiles.
pub(super) fn restore(store: &dyn Store, size: u64) -> Result<Edge, LogError> {
    Ok(Edge::restore(size, |id| fetch(store, id))?)
}

fn fetch(store: &dyn Store, id: TileId) -> Result<Vec<u8>, StoreError> {
    store
        .tile(id.level, id.index)?
        .ok_or_else(|| StoreError::Damaged {
            what: format!("{} is missing", id.path()),
        })
}
