use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

fn leaves(count: u64) -> Vec<Sha256> {
    (0..count).map(|i| leaf_hash(&i.to_le_bytes())).collect()
}

/// The definition of RFC 6962 section 2.1, word for word.
fn naive_root(leaves: &[Sha256]) -> Sha256 {
    match leaves {
        [] => Sha256::of(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(naive_split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// `PATH(m, D[n])` of RFC 6962 section 2.1.1.
fn naive_path(leaves: &[Sha256], index: usize) -> Vec<Sha256> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut path, sibling) = if index < left.len() {
        (naive_path(left, index), naive_root(right))
    } else {
        (naive_path(right, index - left.len()), naive_root(left))
    };
    path.push(sibling);
    path
}

/// `SUBPROOF(m, D[n], b)` of RFC 6962 section 2.1.2.
fn naive_consistency(leaves: &[Sha256], old: usize, whole: bool) -> Vec<Sha256> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![naive_root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut path, sibling) = if old <= left.len() {
        (naive_consistency(left, old, whole), naive_root(right))
    } else {
        (
            naive_consistency(right, old - left.len(), false),
            naive_root(left),
        )
    };
    path.push(sibling);
    path
}

fn naive_split(count: usize) -> usize {
    let mut half = 1;
    while half * 2 < count {
        half *= 2;
    }
    half
}

fn reader(leaves: &[Sha256]) -> impl FnMut(u8, u64) -> Result<Sha256, Infallible> + '_ {
    move |level, index| {
        let (low, high) = ((index << level) as usize, ((index + 1) << level) as usize);
        Ok(naive_root(&leaves[low..high]))
    }
}

fn path(leaves: &[Sha256], index: u64) -> Vec<Sha256> {
    inclusion_path(leaves.len() as u64, index, reader(leaves)).unwrap()
}

fn consistency(leaves: &[Sha256], old: u64) -> Vec<Sha256> {
    consistency_path(old, leaves.len() as u64, reader(leaves)).unwrap()
}

#[test]
fn roots_equal_the_published_merkle_vectors() {
    let file = std::env::var_os("HALLMARK_VECTORS").map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/vectors/exact.json").into(),
        std::path::PathBuf::from,
    );
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let cases = vectors["merkle"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        assert_eq!(case["leaf_i"], "le64(i)");
        let got = root(&leaves(case["leaves"].as_u64().unwrap()));
        assert_eq!(got.to_string(), case["root"].as_str().unwrap());
    }
}

#[test]
fn the_empty_tree_hashes_the_empty_string() {
    assert_eq!(Frontier::new().root(), Sha256::of(b""));
    assert_eq!(root(&[]), Sha256::of(b""));
}

#[test]
fn every_proof_of_every_tree_up_to_70_leaves_equals_the_definition_and_holds() {
    let all = leaves(70);
    for size in 1..=70_usize {
        let tree = &all[..size];
        let top = root(tree);
        assert_eq!(top, naive_root(tree));
        for index in 0..size {
            let path = path(tree, index as u64);
            assert_eq!(path, naive_path(tree, index));
            verify_inclusion(index as u64, size as u64, &tree[index], &path, &top).unwrap();
        }
        for old in 1..=size {
            let proof = consistency(tree, old as u64);
            assert_eq!(proof, naive_consistency(tree, old, true));
            let old_root = naive_root(&tree[..old]);
            verify_consistency(old as u64, size as u64, &old_root, &top, &proof).unwrap();
        }
    }
}

#[test]
fn a_proof_holds_for_no_other_index_size_or_leaf() {
    let tree = leaves(23);
    let top = root(&tree);
    for index in 0..23_u64 {
        let path = path(&tree, index);
        for other in 0..23_u64 {
            let held = verify_inclusion(other, 23, &tree[index as usize], &path, &top).is_ok();
            assert_eq!(held, other == index);
            let held = verify_inclusion(index, 23, &tree[other as usize], &path, &top).is_ok();
            assert_eq!(held, other == index);
        }
    }
}

#[test]
fn index_equal_to_size_is_refused() {
    let tree = leaves(5);
    let beyond = ProofError::IndexBeyondTree { index: 5, size: 5 };
    assert_eq!(
        verify_inclusion(5, 5, &tree[4], &path(&tree, 4), &root(&tree)),
        Err(beyond)
    );
    assert!(matches!(
        inclusion_path(5, 5, reader(&tree)),
        Err(PathError::IndexBeyondTree { index: 5, size: 5 })
    ));
    assert!(verify_inclusion(0, 0, &tree[0], &[], &Sha256::of(b"")).is_err());
}

#[test]
fn a_path_one_hash_too_long_or_too_short_is_refused_by_its_length() {
    let tree = leaves(11);
    let top = root(&tree);
    let good = path(&tree, 3);
    let mut long = good.clone();
    long.push(top);
    let short = &good[..good.len() - 1];
    let length = |got| Err(ProofError::Length { got, want: 4 });
    assert_eq!(verify_inclusion(3, 11, &tree[3], &long, &top), length(5));
    assert_eq!(verify_inclusion(3, 11, &tree[3], short, &top), length(3));

    let old_root = root(&tree[..6]);
    let good = consistency(&tree, 6);
    let mut long = good.clone();
    long.push(top);
    for wrong in [&long[..], &good[..good.len() - 1], &[]] {
        let refused = verify_consistency(6, 11, &old_root, &top, wrong);
        assert_eq!(
            refused,
            Err(ProofError::Length {
                got: wrong.len(),
                want: good.len()
            })
        );
    }
}

#[test]
fn a_tree_that_shrinks_or_rewrites_its_past_is_refused() {
    let tree = leaves(12);
    let (old_root, top) = (root(&tree[..7]), root(&tree));
    let proof = consistency(&tree, 7);
    assert_eq!(
        verify_consistency(12, 7, &top, &old_root, &proof),
        Err(ProofError::Shrinks { old: 12, new: 7 })
    );
    assert!(matches!(
        consistency_path(13, 12, reader(&tree)),
        Err(PathError::Shrinks { .. })
    ));

    let mut rewritten = tree.clone();
    rewritten[2] = leaf_hash(b"another past");
    let other = root(&rewritten);
    let forged = consistency(&rewritten, 7);
    assert!(matches!(
        verify_consistency(7, 12, &old_root, &other, &forged),
        Err(ProofError::OldRoot { .. })
    ));
    assert!(matches!(
        verify_consistency(7, 12, &old_root, &other, &proof),
        Err(ProofError::Root { .. })
    ));
    assert!(verify_consistency(12, 12, &top, &other, &[]).is_err());
}

#[test]
fn every_tree_extends_the_empty_one_and_nothing_else_calls_itself_empty() {
    let top = root(&leaves(3));
    assert_eq!(verify_consistency(0, 3, &Sha256::of(b""), &top, &[]), Ok(()));
    assert!(verify_consistency(0, 3, &top, &top, &[]).is_err());
    assert!(verify_consistency(0, 3, &Sha256::of(b""), &top, &[top]).is_err());
}

#[test]
fn the_largest_tree_sizes_neither_overflow_nor_hold() {
    let hash = leaf_hash(b"");
    for size in [1 << 62, (1 << 63) - 1, 1 << 63, u64::MAX] {
        for index in [0, 1, size / 2, size - 1] {
            for length in [0, 1, 62, 63, 64, 65, 128] {
                let path = vec![hash; length];
                assert!(verify_inclusion(index, size, &hash, &path, &hash).is_err());
                if index > 0 {
                    assert!(verify_consistency(index, size, &hash, &hash, &path).is_err());
                }
            }
        }
        let path = inclusion_path(size, size - 1, |_, _| Ok::<_, Infallible>(hash)).unwrap();
        assert!(path.len() <= 64);
        assert_eq!(
            Frontier::restore(size, |_, _| Ok::<_, Infallible>(hash))
                .unwrap()
                .size(),
            size
        );
    }
}

#[test]
fn an_unreadable_subtree_stops_the_proof_with_the_readers_error() {
    let refused = inclusion_path(9, 8, |_, _| Err::<Sha256, _>(std::fmt::Error));
    assert!(matches!(refused, Err(PathError::Read(std::fmt::Error))));
}

proptest! {
    #[test]
    fn a_restored_frontier_grows_like_the_original(size in 0_u64..600, more in 0_u64..40) {
        let all = leaves(size + more);
        let mut frontier = Frontier::restore(size, reader(&all)).unwrap();
        prop_assert_eq!(frontier.root(), naive_root(&all[..size as usize]));
        for (i, leaf) in all[size as usize..].iter().enumerate() {
            frontier.append_with(*leaf, |level, index, hash| {
                let (low, high) = ((index << level) as usize, ((index + 1) << level) as usize);
                assert_eq!(high as u64, size + i as u64 + 1, "it closes with this leaf");
                assert_eq!(hash, naive_root(&all[low..high]));
            });
        }
        prop_assert_eq!(frontier.size(), size + more);
        prop_assert_eq!(frontier.root(), naive_root(&all));
    }

    #[test]
    fn proofs_of_larger_trees_equal_the_definition(size in 1_usize..2_000, pick in any::<prop::sample::Index>()) {
        let tree = leaves(size as u64);
        let top = root(&tree);
        let at = pick.index(size);
        let path = path(&tree, at as u64);
        prop_assert_eq!(&path, &naive_path(&tree, at));
        prop_assert!(verify_inclusion(at as u64, size as u64, &tree[at], &path, &top).is_ok());
        let proof = consistency(&tree, at as u64 + 1);
        prop_assert_eq!(&proof, &naive_consistency(&tree, at + 1, true));
        let old_root = naive_root(&tree[..=at]);
        prop_assert!(verify_consistency(at as u64 + 1, size as u64, &old_root, &top, &proof).is_ok());
    }

    #[test]
    fn one_flipped_bit_anywhere_breaks_a_proof(
        size in 2_usize..300,
        pick in any::<prop::sample::Index>(),
        hash in any::<prop::sample::Index>(),
        bit in 0_usize..256,
    ) {
        let tree = leaves(size as u64);
        let top = root(&tree);
        let at = pick.index(size);
        let mut path = path(&tree, at as u64);
        let broken = hash.index(path.len());
        path[broken].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_inclusion(at as u64, size as u64, &tree[at], &path, &top).is_err());
        let old = at.max(1) as u64;
        let mut proof = consistency(&tree, old);
        if !proof.is_empty() {
            let broken = hash.index(proof.len());
            proof[broken].0[bit / 8] ^= 1 << (bit % 8);
            let old_root = naive_root(&tree[..old as usize]);
            prop_assert!(verify_consistency(old, size as u64, &old_root, &top, &proof).is_err());
        }
    }
}
