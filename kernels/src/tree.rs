//! The Merkle tree over the rows of a state, made where the state is: commitments of the proofs.
//!
//! A tree of m leaves is its levels one after the other, each hash 32 bytes: m leaf hashes, then levels of half as many
//! until one hash is left, which is the root. An odd last node is copied to the level above unchanged, which gives the
//! trees of RFC 6962 ([`attest::merkle`]): there too a node without a partner waits for one further up.

use attest::digest::Sha256;
use attest::merkle::{leaf_hash, node_hash};
use rayon::prelude::*;

use crate::workload::{Kernel, Launch, Slot, Target};

/// Bytes of a hash.
pub const HASH: usize = 32;

static KERNEL: Kernel = Kernel {
    name: "merkle",
    folder: "tree",
    ptx: Some(include_str!("tree/merkle.ptx")),
    spirv: Some(include_bytes!("tree/merkle.spv")),
};

/// Bytes that a kernel loads at once: rows are whole multiples.
const WORD: u32 = 4;

const THREADS: u64 = 64;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over the rest.
const MAX_GROUPS: u64 = 65_535;

/// Hashes of a level, and where it begins in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    begin: u64,
    count: u64,
}

/// From the leaves to the root; none for a tree without leaves.
fn levels(m: u64) -> impl Iterator<Item = Level> {
    let leaves = (m > 0).then_some(Level { begin: 0, count: m });
    std::iter::successors(leaves, |level| {
        (level.count > 1).then(|| Level {
            begin: level.begin + level.count,
            count: level.count.div_ceil(2),
        })
    })
}

/// Hashes of a tree of `m` leaves, all levels together.
pub fn nodes(m: u64) -> u64 {
    levels(m).map(|level| level.count).sum()
}

/// Where the hashes stand, in bytes, that lead from leaf `lane` to the root of a tree of `m` leaves, in the order of
/// [`attest::merkle::inclusion_path`]; `None` for a leaf that is not there.
pub fn path(m: u64, lane: u64) -> Option<Vec<u64>> {
    let sibling = |(height, level): (usize, Level)| {
        let beside = (lane >> height) ^ 1;
        (beside < level.count).then(|| (level.begin + beside) * HASH as u64)
    };
    (lane < m).then(|| levels(m).enumerate().filter_map(sibling).collect())
}

/// Where the root stands, in bytes; `None` for a tree without leaves.
pub fn root(m: u64) -> Option<u64> {
    nodes(m).checked_sub(1).map(|last| last * HASH as u64)
}

/// Launches that fill `tree` from the `m` rows of `leaf_bytes` in `state`.
///
/// # Panics
/// If `leaf_bytes` is no multiple of 4.
pub fn launches(leaf_bytes: u32, m: u64, state: Slot, tree: Slot, _target: Target) -> Vec<Launch> {
    assert!(leaf_bytes.is_multiple_of(WORD), "rows of whole words");
    let leaves = Stretch {
        rows: m,
        words: leaf_bytes / WORD,
        prefix: 0,
        odd: false,
        from: 0,
        to: 0,
    };
    let below = levels(m).zip(levels(m).skip(1)).map(|(below, above)| Stretch {
        rows: below.count / 2,
        words: 2 * HASH as u32 / WORD,
        prefix: 1,
        odd: below.count % 2 == 1,
        from: below.begin,
        to: above.begin,
    });
    std::iter::once(leaves.launch(state, tree))
        .chain(below.map(|stretch| stretch.launch(tree, tree)))
        .collect()
}

/// What one launch hashes; see the kernel's contract.
struct Stretch {
    rows: u64,
    words: u32,
    prefix: u32,
    odd: bool,
    from: u64,
    to: u64,
}

impl Stretch {
    fn launch(&self, source: Slot, target: Slot) -> Launch {
        let groups = self.rows.div_ceil(THREADS).clamp(1, MAX_GROUPS);
        Launch {
            kernel: &KERNEL,
            grid: [groups as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: vec![
                self.rows as u32,
                self.words,
                self.prefix,
                u32::from(self.odd),
                self.from as u32,
                self.to as u32,
            ],
            buffers: vec![source, target],
            shared: 0,
        }
    }
}

/// Fills `tree`, which holds [`nodes`] hashes, from the rows of `leaf_bytes` in `state`, on the current rayon pool.
pub fn build(leaf_bytes: usize, state: &[u8], tree: &mut [u8]) {
    let m = state.len() / leaf_bytes;
    let (leaves, mut rest) = tree.split_at_mut(m * HASH);
    leaves
        .par_chunks_exact_mut(HASH)
        .zip(state.par_chunks_exact(leaf_bytes))
        .with_min_len(STRIP)
        .for_each(|(hash, row)| hash.copy_from_slice(&leaf_hash(row).0));
    let mut below = &*leaves;
    for level in levels(m as u64).skip(1) {
        let (above, after) = rest.split_at_mut(level.count as usize * HASH);
        above
            .par_chunks_exact_mut(HASH)
            .zip(below.par_chunks(2 * HASH))
            .with_min_len(STRIP)
            .for_each(|(hash, pair)| hash.copy_from_slice(&joined(pair)));
        (below, rest) = (above, after);
    }
}

/// Hashes that one task of a thread makes: about 20 microseconds.
const STRIP: usize = 256;

/// Of two hashes the node above them, of one itself.
fn joined(pair: &[u8]) -> [u8; HASH] {
    let mut hashes = pair.as_chunks::<HASH>().0.iter().map(|hash| Sha256(*hash));
    match (hashes.next(), hashes.next()) {
        (Some(left), Some(right)) => node_hash(&left, &right).0,
        (Some(alone), _) => alone.0,
        _ => unreachable!("chunks hold a hash at least"),
    }
}

#[cfg(test)]
mod tests {
    use attest::merkle;

    use super::*;

    fn hash_at(tree: &[u8], offset: u64) -> Sha256 {
        let bytes = &tree[offset as usize..][..HASH];
        Sha256(bytes.try_into().expect("32 bytes"))
    }

    #[test]
    fn roots_and_paths_are_those_of_the_log() {
        for m in (1..=70).chain([1000, 1023, 1025]) {
            let state: Vec<u8> = (0..m * 24).map(|i| (i * i / 7) as u8).collect();
            let mut tree = vec![0; nodes(m) as usize * HASH];
            build(24, &state, &mut tree);
            let leaves: Vec<Sha256> = state.chunks(24).map(leaf_hash).collect();
            let top = merkle::root(&leaves);
            assert_eq!(hash_at(&tree, root(m).expect("a root")), top, "{m} leaves");
            for lane in 0..m {
                let offsets = path(m, lane).expect("a leaf");
                let path: Vec<Sha256> = offsets.iter().map(|offset| hash_at(&tree, *offset)).collect();
                merkle::verify_inclusion(lane, m, &leaves[lane as usize], &path, &top)
                    .unwrap_or_else(|error| panic!("leaf {lane} of {m}: {error}"));
            }
        }
    }

    #[test]
    fn a_tree_without_leaves_has_nothing_and_a_leaf_past_the_last_no_path() {
        assert_eq!((nodes(0), root(0), path(0, 0)), (0, None, None));
        assert_eq!((nodes(1), root(1), path(1, 0)), (1, Some(0), Some(vec![])));
        assert_eq!(nodes(5), 5 + 3 + 2 + 1);
        assert_eq!(path(5, 5), None);
        assert_eq!(path(5, 4), Some(vec![32 * 8]));
        build(16, &[], &mut []);
    }
}
