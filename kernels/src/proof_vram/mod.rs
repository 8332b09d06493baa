//! `proof.vram.v1`: random walks over a table that fills the memory; see [`attest::exact::vram`].
//!
//! The table is made within the launch, in scratch memory. Bytes are the keys, the state, the tree, the table once and 32 a
//! step. Operations are those of the steps, 33 each (an index, and an exclusive or, a product, a rotation and a sum for each
//! of eight words); the hashes of table, lanes and tree are what the proof costs and count as none.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::digest::Sha256;
use attest::exact::vram::{self, Params, Vram};
use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec};

use crate::specify::{case, formula, tensor};
use crate::tree::{self, HASH};
use crate::workload::{Kind, Reference, Workload, dim, uncounted};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: Some(keys),
    derived: Some(derived),
    limits: Some(limits),
    odd_sizes,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    id: "proof.vram.v1".into(),
    title: "Proof of memory: random walks over a table that is dearer to recompute than to read.".into(),
    group: "proof".into(),
    class: Class::Exact,
    cache: Cache::Hot,
    cases: vec![
        walks("128KiB", Size::Small, [1 << 12, 1 << 8, 1 << 6, 16]),
        // Twice the last-level cache of a large GPU or a processor of the middle.
        walks("64MiB", Size::Standard, [1 << 21, 1 << 16, 1 << 8, 16]),
        walks("1GiB", Size::Large, [1 << 25, 1 << 18, 1 << 10, 16]),
    ],
    inputs: vec![tensor("proof.vram/keys", Dtype::I8, &["keys", "hash"])],
    outputs: vec![
        tensor("state", Dtype::I8, &["m", "hash"]),
        tensor("tree", Dtype::I8, &["nodes", "hash"]),
    ],
    flop: formula("33*m*steps"),
    bytes: formula("keys*hash + m*hash + nodes*hash + 32*entries + 32*m*steps"),
    tokens: None,
    tolerance: None,
});

fn walks(name: &str, size: Size, [entries, m, steps, rounds]: [u64; 4]) -> Case {
    case(
        name,
        size,
        &[
            ("entries", entries),
            ("m", m),
            ("steps", steps),
            ("rounds", rounds),
            ("keys", KEYS),
            ("nodes", tree::nodes(m)),
            ("hash", HASH as u64),
        ],
    )
}

/// One lane, no step, one entry, lanes that no group of threads divides.
fn odd_sizes() -> Vec<Dims> {
    let sizes = [
        [16, 1, 3, 1],
        [1, 3, 7, 2],
        [64, 17, 0, 1],
        [2, 2, 1, 16],
        [256, 67, 13, 3],
        [1024, 101, 31, 2],
        // Three launches of 16,384 steps at most.
        [32, 5, 40_003, 1],
        [4096, 257, 5, 1],
    ];
    sizes.map(|sizes| walks("", Size::Small, sizes).dims).to_vec()
}

/// The key of the entries and that of the lanes.
const KEYS: u64 = 2;

fn keys(_: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    vec![vram::keys(seed).map(|key| key.0).concat()]
}

/// The keys in an input.
fn keys_of(input: &[u8]) -> [Sha256; KEYS as usize] {
    let (keys, _) = input.as_chunks::<HASH>();
    [0, 1].map(|index| Sha256(keys[index]))
}

fn params(dims: &Dims) -> Params {
    let [entries, lanes, steps, rounds] =
        ["entries", "m", "steps", "rounds"].map(|name| dim(dims, name) as u64);
    Params {
        entries,
        lanes,
        steps,
        rounds: u32::try_from(rounds).unwrap_or(u32::MAX),
    }
}

/// The tree over the states.
fn derived(dims: &Dims, output: usize, outputs: &[Vec<u8>]) -> Option<Vec<u8>> {
    (output == 1).then(|| {
        let mut whole = vec![0; tree::nodes(dim(dims, "m") as u64) as usize * HASH];
        tree::build(HASH, &outputs[0], &mut whole);
        whole
    })
}

fn limits(dims: &Dims) -> Option<String> {
    if let Some(reason) = uncounted(dims, &["m", "steps", "rounds"]) {
        return Some(reason);
    }
    if dim(dims, "m") == 0 {
        return Some("at least one lane is needed".to_owned());
    }
    if let Err(error) = Vram::new(&[0; 32], params(dims)) {
        return Some(error.to_string());
    }
    let sizes = ["keys", "nodes", "hash"].map(|name| dim(dims, name) as u64);
    let wanted = [KEYS, tree::nodes(dim(dims, "m") as u64), HASH as u64];
    (sizes != wanted).then(|| format!("keys, nodes and hash are {sizes:?}; these lanes have {wanted:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_outside_the_definition_are_refused_in_words() {
        let sound = [16, 3, 2, 1];
        let refusal = |sizes| limits(&walks("", Size::Small, sizes).dims);
        assert_eq!(refusal(sound), None);
        assert_eq!(refusal([1 << 32, 3, 2, 1]), None);
        for (sizes, words) in [
            ([15, 3, 2, 1], "15 entries are no power of two"),
            ([1 << 33, 3, 2, 1], "no power of two up to 2^32"),
            ([16, 0, 2, 1], "at least one lane"),
            ([16, 3, 1 << 32, 1], "steps of 4294967296 is past"),
            ([16, 3, 2, 0], "no rounds"),
        ] {
            let reason = refusal(sizes).expect(words);
            assert!(reason.contains(words), "{reason}");
        }
        let mut dims = walks("", Size::Small, sound).dims;
        dims.insert("nodes".into(), 5);
        assert!(limits(&dims).is_some_and(|reason| reason.contains("[2, 6, 32]")));
    }
}
