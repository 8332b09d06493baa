use std::collections::HashMap;

use super::{FULL, HEIGHT, TileId};
use crate::digest::Sha256;
use crate::merkle;

/// Looks up complete subtrees in the tiles of a tree; each tile is fetched once.
///
/// A tile may hold more hashes than its place in this tree asks for: those of a newer tree, which begin alike.
pub struct HashReader<F> {
    size: u64,
    fetch: F,
    tiles: HashMap<(u8, u64), Vec<u8>>,
}

/// Why a subtree's hash could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    #[error("subtree {index} at level {level} is not complete in a tree of {size} leaves")]
    Incomplete { level: u8, index: u64, size: u64 },
    #[error("{path} has {got} bytes, not the {want} of its hashes")]
    TileLength { path: String, got: usize, want: usize },
    #[error(transparent)]
    Fetch(#[from] E),
}

impl<E, F: FnMut(TileId) -> Result<Vec<u8>, E>> HashReader<F> {
    /// Reads the tree of `size` leaves; `fetch` gives the bytes of a tile.
    pub fn new(size: u64, fetch: F) -> Self {
        Self {
            size,
            fetch,
            tiles: HashMap::new(),
        }
    }

    /// Hash of the complete subtree (level, index).
    pub fn hash(&mut self, level: u8, index: u64) -> Result<Sha256, ReadError<E>> {
        let size = self.size;
        let incomplete = || ReadError::Incomplete { level, index, size };
        let complete = size.checked_shr(u32::from(level)).unwrap_or(0);
        if index >= complete {
            return Err(incomplete());
        }
        let first = index << (level % HEIGHT);
        let tile = TileId::in_tree(level / HEIGHT, first / FULL, size).ok_or_else(incomplete)?;
        let from = (first % FULL) as usize;
        let (hashes, _) = self.tile(tile)?.as_chunks::<32>();
        let under: Vec<_> = hashes[from..from + (1 << (level % HEIGHT))]
            .iter()
            .copied()
            .map(Sha256)
            .collect();
        Ok(merkle::root(&under))
    }

    fn tile(&mut self, tile: TileId) -> Result<&[u8], ReadError<E>> {
        let at = (tile.level, tile.index);
        if !self.tiles.contains_key(&at) {
            let bytes = (self.fetch)(tile)?;
            let want = usize::from(tile.width) * 32;
            if bytes.len() < want || bytes.len() % 32 != 0 {
                return Err(ReadError::TileLength {
                    path: tile.path(),
                    got: bytes.len(),
                    want,
                });
            }
            self.tiles.insert(at, bytes);
        }
        Ok(&self.tiles[&at])
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::merkle::{
        consistency_path, inclusion_path, leaf_hash, root, verify_consistency, verify_inclusion,
    };
    use crate::tile::{Edge, encode};

    /// A tree of `size` leaves and its tiles by path.
    fn tree(size: u64) -> (Vec<Sha256>, HashMap<String, Vec<u8>>) {
        let leaves: Vec<_> = (0..size).map(|i| leaf_hash(&i.to_le_bytes())).collect();
        let tiles = Edge::new().append(&leaves);
        let tiles = tiles
            .iter()
            .map(|tile| (tile.id.path(), encode(&tile.hashes)))
            .collect();
        (leaves, tiles)
    }

    #[test]
    fn proofs_read_from_tiles_hold_at_every_tile_border() {
        for size in [1, 2, 255, 256, 257, 600, 65_535, 65_536, 65_537, 70_000] {
            let (leaves, tiles) = tree(size);
            let top = root(&leaves);
            for index in [0, 1, 254, 255, 256, 257, 599, 65_535, 65_536, size - 1] {
                if index >= size {
                    continue;
                }
                let mut reader = HashReader::new(size, |id| tiles.get(&id.path()).cloned().ok_or(id.path()));
                let path = inclusion_path(size, index, |l, i| reader.hash(l, i)).unwrap();
                verify_inclusion(index, size, &leaves[index as usize], &path, &top).unwrap();
                let proof = consistency_path(index + 1, size, |l, i| reader.hash(l, i)).unwrap();
                let old = root(&leaves[..=index as usize]);
                verify_consistency(index + 1, size, &old, &top, &proof).unwrap();
            }
        }
    }

    #[test]
    fn an_older_tree_reads_from_the_tiles_of_a_newer_one() {
        let (leaves, tiles) = tree(600);
        let newest = |id: TileId| {
            let id = TileId::in_tree(id.level, id.index, 600).unwrap();
            Ok::<_, Infallible>(tiles[&id.path()].clone())
        };
        let mut reader = HashReader::new(530, newest);
        let path = inclusion_path(530, 529, |l, i| reader.hash(l, i)).unwrap();
        verify_inclusion(529, 530, &leaves[529], &path, &root(&leaves[..530])).unwrap();
    }

    #[test]
    fn short_tiles_and_subtrees_beyond_the_tree_are_refused() {
        let (_, tiles) = tree(600);
        let mut cut = HashReader::new(600, |id| Ok::<_, Infallible>(tiles[&id.path()][..32].to_vec()));
        assert!(matches!(
            cut.hash(0, 3),
            Err(ReadError::TileLength {
                got: 32,
                want: 8192,
                ..
            })
        ));
        let mut whole = HashReader::new(600, |id| Ok::<_, Infallible>(tiles[&id.path()].clone()));
        for (level, index) in [(0, 600), (3, 75), (9, 1), (10, 0), (63, 0), (64, 0), (255, 0)] {
            assert!(
                matches!(whole.hash(level, index), Err(ReadError::Incomplete { .. })),
                "{level} {index}"
            );
        }
        assert!(whole.hash(9, 0).is_ok());
    }
}
