use super::{FULL, HEIGHT, HashReader, ReadError, TileId};
use crate::digest::Sha256;
use crate::merkle::Frontier;

/// One tile and its hashes, as many as its width says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    pub id: TileId,
    pub hashes: Vec<Sha256>,
}

/// The last tile of each level of a growing tree: what a log keeps in memory to append and to write tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    frontier: Frontier,
    levels: Vec<Last>,
}

/// The hashes of a level that do not fill a tile yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Last {
    /// Full tiles before this one.
    index: u64,
    hashes: Vec<Sha256>,
}

impl Default for Edge {
    fn default() -> Self {
        Self::new()
    }
}

impl Edge {
    pub fn new() -> Self {
        Self {
            frontier: Frontier::new(),
            levels: Vec::new(),
        }
    }

    /// Restores the edge of a tree of `size` leaves from its tiles; `fetch` gives the bytes of one.
    pub fn restore<E>(
        size: u64,
        fetch: impl FnMut(TileId) -> Result<Vec<u8>, E>,
    ) -> Result<Self, ReadError<E>> {
        let mut reader = HashReader::new(size, fetch);
        let mut levels = Vec::new();
        let mut hashes = size;
        while hashes > 0 {
            let level = levels.len() as u8 * HEIGHT;
            let index = hashes / FULL;
            let last = (index * FULL..hashes)
                .map(|at| reader.hash(level, at))
                .collect::<Result<_, _>>()?;
            levels.push(Last { index, hashes: last });
            hashes = index;
        }
        let frontier = Frontier::restore(size, |level, index| reader.hash(level, index))?;
        Ok(Self { frontier, levels })
    }

    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub fn root(&self) -> Sha256 {
        self.frontier.root()
    }

    /// Appends leaf hashes and gives every tile this fills, then the partial tiles it leaves changed at the edge.
    pub fn append(&mut self, leaves: &[Sha256]) -> Vec<Tile> {
        let levels = &mut self.levels;
        let mut tiles = Vec::new();
        let mut grown = 0;
        for leaf in leaves {
            self.frontier.append_with(*leaf, |level, _, hash| {
                if level % HEIGHT == 0 {
                    let level = level / HEIGHT;
                    grown = grown.max(usize::from(level) + 1);
                    levels.resize_with(levels.len().max(usize::from(level) + 1), Last::default);
                    tiles.extend(levels[usize::from(level)].push(level, hash));
                }
            });
        }
        let partial = levels[..grown]
            .iter()
            .enumerate()
            .filter_map(|(level, last)| last.partial(level as u8));
        tiles.extend(partial);
        tiles
    }
}

impl Last {
    /// Adds a hash; gives the tile when that fills it.
    fn push(&mut self, level: u8, hash: Sha256) -> Option<Tile> {
        self.hashes.push(hash);
        if (self.hashes.len() as u64) < FULL {
            return None;
        }
        let id = TileId {
            level,
            index: self.index,
            width: FULL as u16,
        };
        self.index += 1;
        Some(Tile {
            id,
            hashes: std::mem::take(&mut self.hashes),
        })
    }

    fn partial(&self, level: u8) -> Option<Tile> {
        let width = self.hashes.len() as u16;
        let id = TileId {
            level,
            index: self.index,
            width,
        };
        (width > 0).then(|| Tile {
            id,
            hashes: self.hashes.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::merkle::{leaf_hash, root};
    use crate::tile::{encode, tiles_in_tree};

    fn leaves(count: u64) -> Vec<Sha256> {
        (0..count).map(|i| leaf_hash(&i.to_le_bytes())).collect()
    }

    #[test]
    fn batches_of_any_size_leave_the_tiles_of_the_tree() {
        let all = leaves(66_000);
        for batch in [1_000, 66_000, 257] {
            let mut edge = Edge::new();
            let mut stored = BTreeMap::new();
            for leaves in all.chunks(batch) {
                for tile in edge.append(leaves) {
                    assert_eq!(tile.hashes.len(), usize::from(tile.id.width));
                    stored.insert(tile.id, tile.hashes);
                }
                for id in tiles_in_tree(edge.size()) {
                    assert!(stored.contains_key(&id), "{} at {}", id.path(), edge.size());
                }
            }
            assert_eq!(edge.root(), root(&all));
            let restored = Edge::restore(66_000, |id| stored.get(&id).map(|tile| encode(tile)).ok_or(id));
            assert_eq!(restored.unwrap(), edge);
        }
    }

    #[test]
    fn an_edge_restored_at_a_full_tile_grows_like_the_original() {
        for size in [0, 1, 255, 256, 257, 512, 65_535, 65_536, 65_537] {
            let all = leaves(size + 300);
            let mut edge = Edge::new();
            let stored: BTreeMap<_, _> = edge
                .append(&all[..size as usize])
                .into_iter()
                .map(|tile| (tile.id, tile.hashes))
                .collect();
            let mut restored =
                Edge::restore(size, |id| stored.get(&id).map(|tile| encode(tile)).ok_or(id)).unwrap();
            let more = &all[size as usize..];
            assert_eq!(restored.append(more), edge.append(more));
            assert_eq!(restored.root(), root(&all));
        }
    }

    #[test]
    fn appending_nothing_changes_no_tile() {
        let mut edge = Edge::new();
        edge.append(&leaves(300));
        assert_eq!(edge.append(&[]), []);
    }
}
