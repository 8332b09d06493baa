//! The log as static files: tiles of hashes and bundles of entries (C2SP tlog-tiles).
//!
//! A tile holds up to 256 hashes of complete subtrees of one height: the tile at level `L` and index `N` holds those at
//! tree level `8 L`, from `256 N` on, 32 bytes each, laid end to end. A full tile never changes; the last one of a
//! level is *partial* and carries its width in its path, so it never changes either. An entry bundle holds the
//! entries under one level-0 tile, each after its length as a big-endian u16.
//!
//! Paths: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`, where `<N>` is written in groups of three digits, all
//! but the last marked with `x`: `tile/0/x001/x234/067`, `tile/entries/x001/002.p/17`.

mod edge;
mod reader;

pub use edge::{Edge, Tile};
pub use reader::{HashReader, ReadError};

use crate::digest::Sha256;

/// Hashes in a full tile, and entries in a full bundle.
pub const FULL: u64 = 256;

/// Tree levels one tile spans.
const HEIGHT: u8 = 8;

/// Tile levels that a tree of up to 2^64 leaves can have.
const LEVELS: u8 = 8;

/// Largest entry, from the width of its length.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// Where a tile of hashes, or a bundle of entries, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    Tile(TileId),
    Entries { index: u64, width: u16 },
}

/// A tile of hashes. `width` is 256 in a full tile, 1 to 255 in a partial one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    pub level: u8,
    pub index: u64,
    pub width: u16,
}

impl TileId {
    /// The tile at (`level`, `index`) as it stands in a tree of `size` leaves, or none if nothing is there yet.
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size
            .checked_shr(u32::from(level) * u32::from(HEIGHT))
            .unwrap_or(0);
        let width = width_at(index, hashes)?;
        Some(Self { level, index, width })
    }

    pub fn path(&self) -> String {
        path(self.level, self.index, self.width)
    }
}

/// Every tile of a tree of `size` leaves, level by level.
pub fn tiles_in_tree(size: u64) -> impl Iterator<Item = TileId> {
    (0..LEVELS).flat_map(move |level| (0..).map_while(move |index| TileId::in_tree(level, index, size)))
}

/// Width of the bundle or tile at `index` where `count` items exist.
pub fn width_at(index: u64, count: u64) -> Option<u16> {
    let left = count.checked_sub(index.checked_mul(FULL)?)?.min(FULL);
    (left > 0).then_some(left as u16)
}

/// `tile/<L>/<N>` of a full tile, `tile/<L>/<N>.p/<W>` of a partial one.
pub fn path(level: u8, index: u64, width: u16) -> String {
    format!("tile/{level}/{}", numbered(index, width))
}

/// `tile/entries/<N>` of a full bundle, `tile/entries/<N>.p/<W>` of a partial one.
pub fn entries_path(index: u64, width: u16) -> String {
    format!("tile/entries/{}", numbered(index, width))
}

fn numbered(index: u64, width: u16) -> String {
    let mut text = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    if u64::from(width) < FULL {
        text.push_str(&format!(".p/{width}"));
    }
    text
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    #[error("{path:?} is no tile path: want tile/<L>/<N>, tile/entries/<N>, or either with .p/<W>")]
    Path { path: String },
    #[error("a tile of {width} hashes takes {} bytes, not {got}", width * 32)]
    TileLength { width: usize, got: usize },
    #[error("a bundle holds 1 to 256 entries, not {got}")]
    BundleWidth { got: usize },
    #[error("entry {place} of the bundle has {got} bytes, more than {MAX_ENTRY_BYTES}")]
    EntryTooLong { place: usize, got: usize },
    #[error("the bundle ends inside entry {place} of {width}")]
    BundleEndsEarly { place: usize, width: usize },
    #[error("{extra} bytes follow the last of {width} entries")]
    BundleRunsOn { extra: usize, width: usize },
}

/// Reads a path as [`path`] and [`entries_path`] write it; no other spelling of the same place is accepted.
pub fn parse_path(text: &str) -> Result<Place, TileError> {
    let refused = || TileError::Path {
        path: text.chars().take(120).collect(),
    };
    let rest = text.strip_prefix("tile/").ok_or_else(refused)?;
    let (kind, rest) = rest.split_once('/').ok_or_else(refused)?;
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, width.parse().map_err(|_| refused())?),
        None => (rest, FULL as u16),
    };
    let index = parse_index(number).ok_or_else(refused)?;
    let place = if kind == "entries" {
        Place::Entries { index, width }
    } else {
        let level = kind.parse().map_err(|_| refused())?;
        Place::Tile(TileId { level, index, width })
    };
    // Writing it again catches leading zeros, signs, missing groups and a width of 256 spelled out.
    let in_range = width > 0 && u64::from(width) <= FULL;
    if in_range && place_path(&place) == text {
        Ok(place)
    } else {
        Err(refused())
    }
}

fn place_path(place: &Place) -> String {
    match *place {
        Place::Tile(tile) => tile.path(),
        Place::Entries { index, width } => entries_path(index, width),
    }
}

fn parse_index(text: &str) -> Option<u64> {
    text.split('/').try_fold(0_u64, |index, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        index.checked_mul(1000)?.checked_add(digits.parse().ok()?)
    })
}

/// Bytes of a tile.
pub fn encode(hashes: &[Sha256]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Hashes of a tile of `width`.
pub fn decode(bytes: &[u8], width: u16) -> Result<Vec<Sha256>, TileError> {
    let width = usize::from(width);
    if bytes.len() != width * 32 {
        return Err(TileError::TileLength {
            width,
            got: bytes.len(),
        });
    }
    let (hashes, _) = bytes.as_chunks::<32>();
    Ok(hashes.iter().copied().map(Sha256).collect())
}

/// Bytes of an entry bundle.
pub fn encode_entries<T: AsRef<[u8]>>(entries: &[T]) -> Result<Vec<u8>, TileError> {
    if entries.is_empty() || entries.len() as u64 > FULL {
        return Err(TileError::BundleWidth { got: entries.len() });
    }
    let mut bytes = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong {
            place,
            got: entry.len(),
        })?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Entries of a bundle of `width`.
pub fn decode_entries(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let width = usize::from(width);
    if width == 0 || width as u64 > FULL {
        return Err(TileError::BundleWidth { got: width });
    }
    let mut rest = bytes;
    let entries = (0..width)
        .map(|place| take_entry(&mut rest).ok_or(TileError::BundleEndsEarly { place, width }))
        .collect::<Result<_, _>>()?;
    if rest.is_empty() {
        Ok(entries)
    } else {
        Err(TileError::BundleRunsOn {
            extra: rest.len(),
            width,
        })
    }
}

fn take_entry<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    Some(entry)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_group_three_digits_and_mark_all_but_the_last() {
        assert_eq!(path(0, 0, 256), "tile/0/000");
        assert_eq!(path(3, 1_234_067, 256), "tile/3/x001/x234/067");
        assert_eq!(path(1, 1000, 17), "tile/1/x001/000.p/17");
        assert_eq!(entries_path(999, 1), "tile/entries/999.p/1");
    }

    #[test]
    fn every_other_spelling_of_a_path_is_refused() {
        for bad in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/+1/000",
            "tile/-1/000",
            "tile/256/000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p/1/2",
            "/tile/0/000",
            "tile/0/000/",
            "tile/data/000",
            "tile/0/../checkpoint",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/+01",
        ] {
            assert!(parse_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_last_tile_of_a_level_is_as_wide_as_the_tree_leaves_it() {
        assert_eq!(TileId::in_tree(0, 0, 0), None);
        assert_eq!(TileId::in_tree(0, 2, 600).map(|tile| tile.width), Some(88));
        assert_eq!(TileId::in_tree(0, 1, 512).map(|tile| tile.width), Some(256));
        assert_eq!(TileId::in_tree(0, 2, 512), None);
        assert_eq!(TileId::in_tree(1, 0, 600).map(|tile| tile.width), Some(2));
        assert_eq!(TileId::in_tree(7, 0, u64::MAX).map(|tile| tile.width), Some(255));
        assert_eq!(TileId::in_tree(8, 0, u64::MAX), None);
        let all: Vec<_> = tiles_in_tree(600).map(|tile| tile.path()).collect();
        assert_eq!(
            all,
            ["tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"]
        );
    }

    #[test]
    fn a_bundle_cut_short_or_running_on_is_refused() {
        let bytes = encode_entries(&[&b"one"[..], b"", b"three"]).unwrap();
        assert_eq!(decode_entries(&bytes, 3).unwrap(), [&b"one"[..], b"", b"three"]);
        for length in 0..bytes.len() {
            assert!(matches!(
                decode_entries(&bytes[..length], 3),
                Err(TileError::BundleEndsEarly { .. })
            ));
        }
        assert_eq!(
            decode_entries(&bytes, 2),
            Err(TileError::BundleRunsOn { extra: 7, width: 2 })
        );
        assert!(decode_entries(&[], 0).is_err());
        assert!(decode_entries(&[0; 1024], 257).is_err());
    }

    #[test]
    fn an_entry_past_65535_bytes_is_refused() {
        assert!(encode_entries(&[vec![0; 65_535]]).is_ok());
        assert_eq!(
            encode_entries(&[vec![0; 65_536]]),
            Err(TileError::EntryTooLong {
                place: 0,
                got: 65_536
            })
        );
        assert!(encode_entries::<&[u8]>(&[]).is_err());
    }

    proptest! {
        #[test]
        fn paths_read_back_as_written(level in 0_u8..8, index: u64, width in 1_u16..=256) {
            let tile = TileId { level, index, width };
            prop_assert_eq!(parse_path(&tile.path()), Ok(Place::Tile(tile)));
            let entries = Place::Entries { index, width };
            prop_assert_eq!(parse_path(&entries_path(index, width)), Ok(entries));
        }

        #[test]
        fn bundles_and_tiles_read_back_as_written(entries in prop::collection::vec(any::<Vec<u8>>(), 1..256)) {
            let width = entries.len() as u16;
            let bytes = encode_entries(&entries).unwrap();
            prop_assert_eq!(decode_entries(&bytes, width).unwrap(), entries.clone());
            let hashes: Vec<_> = entries.iter().map(|entry| Sha256::of(entry)).collect();
            prop_assert_eq!(decode(&encode(&hashes), width).unwrap(), hashes);
        }
    }
}
