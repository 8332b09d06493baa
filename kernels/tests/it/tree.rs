//! Merkle trees made on every device against those of the log.

use std::sync::LazyLock;

use attest::digest::Sha256;
use attest::merkle;
use attest::spec::{Cache, Case, Class, Dims, Dtype, Formula, Spec, Tensor};
use attest::statement::PathClass;
use kernels::device::{Device, Loaded};
use kernels::tree::{self, HASH};
use kernels::workload::{Kind, Plan, Reference, Slot, Workload, dim};
use kernels::{device, inputs};

use crate::harness::{devices, dims, fresh_seed};

static TREE: Workload = Workload {
    spec: &SPEC,
    plan: |dims, target| Plan {
        scratch: vec![],
        launches: tree::launches(
            dim(dims, "width") as u32,
            dim(dims, "m") as u64,
            Slot::Input(0),
            Slot::Output(0),
            target,
        ),
    },
    tuned: None,
    cpu: |dims, inputs, outputs| tree::build(dim(dims, "width"), inputs[0], outputs[0]),
    reference: Reference::Rows(|_, _, _| vec![]),
    inputs: None,
    derived: None,
    limits: None,
    odd_sizes: Vec::new,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    let tensor = |name: &str, shape: [&str; 2]| Tensor {
        name: name.into(),
        dtype: Dtype::I8,
        shape: shape.map(Into::into).into(),
        tolerance: None,
    };
    Spec {
        id: "tree".into(),
        title: "A Merkle tree.".into(),
        group: "test".into(),
        class: Class::Exact,
        cache: Cache::Hot,
        cases: Vec::<Case>::new(),
        inputs: vec![tensor("tree/state", ["m", "width"])],
        outputs: vec![tensor("tree", ["nodes", "hash"])],
        flop: Formula("0".into()),
        bytes: Formula("m*width + nodes*hash".into()),
        tokens: None,
        tolerance: None,
    }
});

/// Sizes with an odd node at every height, rows of one block, of two and of three, whose end leaves room for
/// the length or not.
const SIZES: &[(u64, u64)] = &[
    (1, 16),
    (2, 32),
    (3, 48),
    (5, 64),
    (7, 32),
    (8, 4),
    (9, 128),
    (10, 52),
    (11, 56),
    (12, 60),
    (33, 20),
    (1000, 32),
    (1000, 124),
];

fn case(m: u64, width: u64) -> Dims {
    dims(&[
        ("m", m),
        ("width", width),
        ("nodes", tree::nodes(m)),
        ("hash", HASH as u64),
    ])
}

fn hash(bytes: &[u8]) -> Sha256 {
    Sha256(bytes.try_into().expect("32 bytes"))
}

/// The root, and paths read hash by hash, hold against [`merkle`]; the whole is what the CPU builds.
pub(crate) fn expect_trees(device: &dyn Device) {
    for &(m, width) in SIZES {
        let dims = case(m, width);
        let state = inputs::generate(&TREE, &dims, &fresh_seed().0);
        let mut loaded = device
            .load(&TREE, PathClass::Portable, &dims, &state, 2)
            .expect("a small tree");
        loaded.poison().expect("poisoned");
        loaded.run(3).expect("launches");
        for set in 0..2 {
            expect_tree(loaded.as_mut(), set, m, &state[0], device);
        }
    }
}

fn expect_tree(loaded: &mut dyn Loaded, set: u32, m: u64, state: &[u8], device: &dyn Device) {
    let place = format!("{m} leaves on {}", device.facts().id);
    let width = state.len() / m as usize;
    let leaves: Vec<Sha256> = state.chunks(width).map(merkle::leaf_hash).collect();
    let root = merkle::root(&leaves);
    let mut read = |offset: u64| hash(&loaded.read_range(0, set, offset, HASH).expect("a hash"));
    assert_eq!(read(tree::root(m).expect("a root")), root, "{place}");
    for lane in [0, m / 3, m / 2, m.saturating_sub(2), m - 1] {
        let offsets = tree::path(m, lane).expect("a leaf");
        let path: Vec<Sha256> = offsets.into_iter().map(&mut read).collect();
        let outcome = merkle::verify_inclusion(lane, m, &leaves[lane as usize], &path, &root);
        assert_eq!(outcome, Ok(()), "leaf {lane} of {place}");
    }
    let mut want = vec![0; tree::nodes(m) as usize * HASH];
    tree::build(width, state, &mut want);
    assert!(loaded.read(set).expect("a tree")[0] == want, "{place}");
}

#[test]
fn every_device_makes_the_trees_of_the_log() {
    for device in devices() {
        expect_trees(device.as_ref());
    }
}

/// More leaves than one dispatch has invocations: 65,535 groups of 64.
#[test]
fn a_tree_of_more_leaves_than_invocations_is_whole() {
    let m = 4_200_011;
    let dims = case(m, 16);
    let state = inputs::generate(&TREE, &dims, &fresh_seed().0);
    for device in device::discover().devices {
        if device.refusal(&TREE, PathClass::Portable, &dims, 1).is_some() {
            // lavapipe binds no more than 128 MiB at once.
            assert!(device.facts().id.starts_with("vulkan"));
            continue;
        }
        let mut loaded = device
            .load(&TREE, PathClass::Portable, &dims, &state, 1)
            .expect("67 MB and 269 MB");
        loaded.poison().expect("poisoned");
        loaded.run(1).expect("a launch");
        expect_tree(loaded.as_mut(), 0, m, &state[0], device.as_ref());
    }
}
