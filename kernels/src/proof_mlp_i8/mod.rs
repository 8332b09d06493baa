//! `proof.mlp.i8.v1`: lanes carried through many int8 layers with a mixing step between; see [`attest::exact::mlp`].
//!
//! Weights and X_0 are made from their streams' keys within the launch: only the keys are inputs.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::exact::mlp::MAX_WIDTH;
use attest::exact::stream;
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
    id: "proof.mlp.i8.v1".into(),
    title: "Proof of int8 arithmetic: lanes of an int8 network, mixed after every layer.".into(),
    group: "proof".into(),
    class: Class::Exact,
    cache: Cache::Hot,
    cases: vec![
        lanes("256x128", Size::Small, [256, 128, 2, 4]),
        // Lanes that fill a GPU, and few enough steps for seconds of a software device.
        lanes("16384x512", Size::Standard, [16_384, 512, 2, 4]),
        lanes("131072x1024", Size::Large, [131_072, 1024, 8, 128]),
    ],
    inputs: vec![
        tensor("proof.mlp.i8/x key", Dtype::I8, &["key"]),
        tensor("proof.mlp.i8/w keys", Dtype::I8, &["layers", "key"]),
    ],
    outputs: vec![
        tensor("state", Dtype::I8, &["m", "n"]),
        tensor("tree", Dtype::I8, &["nodes", "hash"]),
    ],
    flop: formula("2*m*n*n*steps"),
    bytes: formula("key + layers*key + m*n + nodes*hash"),
    tokens: None,
    tolerance: None,
});

fn lanes(name: &str, size: Size, [m, n, layers, steps]: [u64; 4]) -> Case {
    case(
        name,
        size,
        &[
            ("m", m),
            ("n", n),
            ("layers", layers),
            ("steps", steps),
            ("nodes", tree::nodes(m)),
            ("key", KEY_BYTES as u64),
            ("hash", HASH as u64),
        ],
    )
}

/// Lanes and widths that no tile divides, a single lane, no step at all.
fn odd_sizes() -> Vec<Dims> {
    let sizes = [
        [1, 64, 1, 1],
        [3, 128, 2, 0],
        [7, 16, 2, 3],
        [37, 48, 3, 2],
        [33, 80, 1, 5],
        [131, 192, 3, 4],
        [17, 256, 1, 270],
        [65, 256, 2, 3],
        [129, 512, 2, 2],
        [17, 960, 2, 3],
        [5, 1024, 2, 2],
    ];
    sizes.map(|sizes| lanes("", Size::Small, sizes).dims).to_vec()
}

/// The streams' Philox keys, that of X_0 and those of the layers.
fn keys(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let key = |name: &str| stream::key(seed, name).map(u32::to_le_bytes).concat();
    let weights = (0..dim(dims, "layers")).flat_map(|layer| key(&format!("proof.mlp.i8/w/{layer}")));
    vec![key("proof.mlp.i8/x"), weights.collect()]
}

/// The key at `index` of an input of keys.
fn key(input: &[u8], index: usize) -> [u32; 2] {
    let word = |at: usize| {
        let bytes = input[KEY_BYTES * index + 4 * at..]
            .first_chunk()
            .expect("a word of a key");
        u32::from_le_bytes(*bytes)
    };
    [word(0), word(1)]
}

/// The tree over the rows of the state.
fn derived(dims: &Dims, output: usize, outputs: &[Vec<u8>]) -> Option<Vec<u8>> {
    (output == 1).then(|| {
        let mut whole = vec![0; tree::nodes(dim(dims, "m") as u64) as usize * HASH];
        tree::build(dim(dims, "n"), &outputs[0], &mut whole);
        whole
    })
}

fn limits(dims: &Dims) -> Option<String> {
    let [m, n, layers] = ["m", "n", "layers"].map(|name| dim(dims, name));
    if n == 0 || n % GRANULE != 0 || n > MAX_WIDTH {
        return Some(format!(
            "a width of {n} is not a multiple of {GRANULE} up to {MAX_WIDTH}"
        ));
    }
    if let Some(reason) = uncounted(dims, &["m", "layers", "steps"]) {
        return Some(reason);
    }
    if m == 0 || layers == 0 {
        return Some("at least one lane and one layer are needed".to_owned());
    }
    let sizes = ["nodes", "key", "hash"].map(|name| dim(dims, name));
    let wanted = [tree::nodes(m as u64) as usize, KEY_BYTES, HASH];
    (sizes != wanted).then(|| format!("nodes, key and hash are {sizes:?}; {m} lanes have {wanted:?}"))
}

/// Bytes of a stream's key.
const KEY_BYTES: usize = 8;

/// Elements of a block of a stream, and what devices hash at once.
const GRANULE: usize = 16;

/// Widths inside of the devices: zeros beyond the last column stay zeros.
fn padded(n: usize) -> usize {
    n.next_multiple_of(64)
}
