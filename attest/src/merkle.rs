//! The Merkle tree of RFC 6962: hashes, appending, inclusion and consistency proofs.
//!
//! Leaves are hashed as `SHA-256(0x00 || entry)`, interior nodes as `SHA-256(0x01 || left || right)`, and the empty
//! tree has the root `SHA-256("")`. A tree of `n > 1` leaves splits at the largest power of two below `n`.
//!
//! A *complete subtree* is named by (level, index): it covers the leaves `index << level .. (index + 1) << level`, and
//! its hash never changes once those leaves exist. Proofs are built from complete subtrees only, so a closure that
//! looks them up ([`crate::tile`] has one over tiles) is all a proof needs, however large the tree.

use crate::digest::Sha256;

/// Hash of one log entry.
pub fn leaf_hash(entry: &[u8]) -> Sha256 {
    Sha256::of_parts(&[&[0], entry])
}

/// Hash of the node above `left` and `right`.
pub fn node_hash(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of_parts(&[&[1], &left.0, &right.0])
}

/// Root of the tree over `leaves`, which are leaf hashes.
pub fn root(leaves: &[Sha256]) -> Sha256 {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.append(*leaf);
    }
    frontier.root()
}

/// The right edge of a growing tree: all that is needed to append leaves and to know the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees that make up the tree, largest first: one for each 1 bit of `size`.
    peaks: Vec<Sha256>,
}

impl Default for Frontier {
    fn default() -> Self {
        Self::new()
    }
}

impl Frontier {
    pub fn new() -> Self {
        Self {
            size: 0,
            peaks: Vec::new(),
        }
    }

    /// Restores the edge of a tree of `size` leaves; `read` gives the hash of a complete subtree (level, index).
    pub fn restore<E>(size: u64, mut read: impl FnMut(u8, u64) -> Result<Sha256, E>) -> Result<Self, E> {
        let peaks = complete_subtrees(0, size)
            .map(|(level, index)| read(level, index))
            .collect::<Result<_, E>>()?;
        Ok(Self { size, peaks })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn append(&mut self, leaf: Sha256) {
        self.append_with(leaf, |_, _, _| ());
    }

    /// Appends a leaf hash and names every complete subtree it closes as (level, index, hash), the leaf first.
    pub fn append_with(&mut self, leaf: Sha256, mut closed: impl FnMut(u8, u64, Sha256)) {
        let index = self.size;
        let mut hash = leaf;
        closed(0, index, hash);
        for level in 1..=index.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each 1 bit of the size");
            hash = node_hash(&left, &hash);
            closed(level as u8, index >> level, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    pub fn root(&self) -> Sha256 {
        self.peaks
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(|| Sha256::of(b""))
    }
}

/// Why a proof could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PathError<E> {
    #[error("leaf {index} is outside a tree of {size} leaves")]
    IndexBeyondTree { index: u64, size: u64 },
    #[error("a tree of {new} leaves cannot extend one of {old}")]
    Shrinks { old: u64, new: u64 },
    #[error(transparent)]
    Read(#[from] E),
}

/// Audit path of leaf `index` in the tree of `size` leaves, from the leaf's sibling up.
///
/// `read` gives the hash of a complete subtree (level, index); see the module's head.
pub fn inclusion_path<E>(
    size: u64,
    index: u64,
    mut read: impl FnMut(u8, u64) -> Result<Sha256, E>,
) -> Result<Vec<Sha256>, PathError<E>> {
    if index >= size {
        return Err(PathError::IndexBeyondTree { index, size });
    }
    let (mut low, mut high) = (0, size);
    let mut siblings = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            siblings.push((middle, high));
            high = middle;
        } else {
            siblings.push((low, middle));
            low = middle;
        }
    }
    siblings.reverse();
    hash_ranges(&siblings, &mut read)
}

/// Consistency proof between the trees of `old` and `new` leaves; empty when `old` is 0 or equals `new`.
pub fn consistency_path<E>(
    old: u64,
    new: u64,
    mut read: impl FnMut(u8, u64) -> Result<Sha256, E>,
) -> Result<Vec<Sha256>, PathError<E>> {
    if old > new {
        return Err(PathError::Shrinks { old, new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut low, mut high) = (0, new);
    let mut ranges = Vec::new();
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            ranges.push((middle, high));
            high = middle;
        } else {
            ranges.push((low, middle));
            low = middle;
        }
    }
    // From leaf 0 on, the range is the old tree itself, whose root the verifier already holds.
    if low != 0 {
        ranges.push((low, high));
    }
    ranges.reverse();
    hash_ranges(&ranges, &mut read)
}

/// Why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("leaf {index} is outside a tree of {size} leaves")]
    IndexBeyondTree { index: u64, size: u64 },
    #[error("a tree of {new} leaves cannot extend one of {old}")]
    Shrinks { old: u64, new: u64 },
    #[error("the proof has {got} hashes where this tree takes {want}")]
    Length { got: usize, want: usize },
    #[error("the proof leads to the root {got}, not to {want}")]
    Root { got: Sha256, want: Sha256 },
    #[error("the proof leads to the older root {got}, not to {want}")]
    OldRoot { got: Sha256, want: Sha256 },
}

/// Checks that leaf `index` of the tree (`size`, `root`) has the hash `leaf`.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Sha256,
    path: &[Sha256],
    root: &Sha256,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexBeyondTree { index, size });
    }
    let (inside, above) = path_shape(index, size);
    let (inner, border) = split_path(path, inside, above)?;
    let got = climb_border(climb(*leaf, inner, index), border);
    expect_root(got, root)
}

/// Checks that the tree (`new`, `new_root`) has the tree (`old`, `old_root`) as its first `old` leaves.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Sha256,
    new_root: &Sha256,
    path: &[Sha256],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrinks { old, new });
    }
    if old == 0 {
        split_path(path, 0, 0)?;
        return expect_old_root(Sha256::of(b""), old_root);
    }
    if old == new {
        split_path(path, 0, 0)?;
        return expect_root(*old_root, new_root);
    }
    // The last complete subtree of the old tree is the seed of both climbs. When it is the whole old tree its hash is
    // not sent.
    let level = old.trailing_zeros();
    let (seed, path) = if old.is_power_of_two() {
        (*old_root, path)
    } else {
        match path.split_first() {
            Some((first, rest)) => (*first, rest),
            None => {
                return Err(ProofError::Length {
                    got: 0,
                    want: consistency_length(old, new),
                });
            }
        }
    };
    let (inside, above) = path_shape(old - 1, new);
    let skipped = path.len() + usize::from(!old.is_power_of_two());
    let (inner, border) =
        split_path(path, inside - level as usize, above).map_err(|_| ProofError::Length {
            got: skipped,
            want: consistency_length(old, new),
        })?;
    let position = (old - 1) >> level;
    expect_old_root(climb_border(climb_right(seed, inner, position), border), old_root)?;
    expect_root(climb_border(climb(seed, inner, position), border), new_root)
}

/// Number of hashes in the consistency proof of two different, nonempty trees.
fn consistency_length(old: u64, new: u64) -> usize {
    let (inside, above) = path_shape(old - 1, new);
    inside - old.trailing_zeros() as usize + above + usize::from(!old.is_power_of_two())
}

/// How many siblings of `index` lie where the tree is full on both sides, and how many above, on its right edge.
fn path_shape(index: u64, size: u64) -> (usize, usize) {
    let inside = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let above = index.checked_shr(inside).unwrap_or(0).count_ones();
    (inside as usize, above as usize)
}

fn split_path(path: &[Sha256], inside: usize, above: usize) -> Result<(&[Sha256], &[Sha256]), ProofError> {
    if path.len() != inside + above {
        return Err(ProofError::Length {
            got: path.len(),
            want: inside + above,
        });
    }
    Ok(path.split_at(inside))
}

/// Climbs from the node at `position` through siblings on either side.
fn climb(seed: Sha256, path: &[Sha256], position: u64) -> Sha256 {
    path.iter().enumerate().fold(seed, |hash, (level, sibling)| {
        if position >> level & 1 == 0 {
            node_hash(&hash, sibling)
        } else {
            node_hash(sibling, &hash)
        }
    })
}

/// As [`climb`], in the tree that ends with the node at `position`: siblings to the right do not exist there.
fn climb_right(seed: Sha256, path: &[Sha256], position: u64) -> Sha256 {
    path.iter().enumerate().fold(seed, |hash, (level, sibling)| {
        if position >> level & 1 == 0 {
            hash
        } else {
            node_hash(sibling, &hash)
        }
    })
}

fn climb_border(seed: Sha256, path: &[Sha256]) -> Sha256 {
    path.iter().fold(seed, |hash, left| node_hash(left, &hash))
}

fn expect_root(got: Sha256, want: &Sha256) -> Result<(), ProofError> {
    if got == *want {
        return Ok(());
    }
    Err(ProofError::Root { got, want: *want })
}

fn expect_old_root(got: Sha256, want: &Sha256) -> Result<(), ProofError> {
    if got == *want {
        return Ok(());
    }
    Err(ProofError::OldRoot { got, want: *want })
}

/// Largest power of two below `leaves`, which is at least 2.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The complete subtrees that make up the leaves `low..high`, left to right. `low` is where an RFC 6962 split put it.
fn complete_subtrees(low: u64, high: u64) -> impl Iterator<Item = (u8, u64)> {
    let mut at = low;
    std::iter::from_fn(move || {
        let level = (high - at).checked_ilog2()?;
        let subtree = (level as u8, at >> level);
        at += 1 << level;
        Some(subtree)
    })
}

fn hash_ranges<E>(
    ranges: &[(u64, u64)],
    read: &mut impl FnMut(u8, u64) -> Result<Sha256, E>,
) -> Result<Vec<Sha256>, PathError<E>> {
    ranges
        .iter()
        .map(|&(low, high)| {
            let peaks = complete_subtrees(low, high)
                .map(|(level, index)| read(level, index))
                .collect::<Result<Vec<_>, E>>()?;
            let hash = peaks
                .into_iter()
                .rev()
                .reduce(|right, left| node_hash(&left, &right));
            Ok(hash.expect("no range of a proof is empty"))
        })
        .collect()
}

#[cfg(test)]
mod tests;
