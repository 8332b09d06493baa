//! `mem.gather.v1`: y = the entries of a table that random indices choose, 32 bytes each: what a sector of a GPU's memory
//! is, and half a line of a processor's cache.
//!
//! Indices are floor(word * entries / 2^32) of the 32-bit little-endian words of their stream. Bytes are indices, entries
//! read and entries written: with as many reads as entries, 63 % of the table are read, some more than once.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec};

use crate::inputs::{indices, tensor_bytes};
use crate::specify::{case, formula, tensor};
use crate::workload::{Kind, Reference, Workload, dim, uncounted};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: Some(inputs),
    derived: None,
    limits: Some(limits),
    odd_sizes,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    id: "mem.gather.v1".into(),
    title: "Random reads of 32 bytes from a table of f32.".into(),
    group: "memory".into(),
    class: Class::Exact,
    cache: Cache::Cold,
    cases: vec![
        entries("4MiB", Size::Small, [1 << 17, 1 << 17]),
        entries("256MiB", Size::Standard, [1 << 23, 1 << 23]),
        entries("1GiB", Size::Large, [1 << 25, 1 << 25]),
    ],
    inputs: vec![
        tensor("mem.gather/table", Dtype::F32, &["entries", "width"]),
        tensor("mem.gather/indices", Dtype::I32, &["reads"]),
    ],
    outputs: vec![tensor("y", Dtype::F32, &["reads", "width"])],
    flop: formula("0"),
    bytes: formula("8*reads*width + 4*reads"),
    tokens: None,
    tolerance: None,
});

/// Floats of an entry.
const WIDTH: usize = 8;

fn entries(name: &str, size: Size, [entries, reads]: [u64; 2]) -> Case {
    let dims = [("entries", entries), ("reads", reads), ("width", WIDTH as u64)];
    case(name, size, &dims)
}

/// One entry, one read, counts that no group of threads divides.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1],
        [1, 5],
        [7, 1],
        [3, 257],
        [1021, 127],
        [257, 4099],
        [65_537, 1031],
    ];
    list.map(|sizes| entries("", Size::Small, sizes).dims).to_vec()
}

fn inputs(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let [table, chosen] = [0, 1].map(|index| &SPEC.inputs[index]);
    let below = dim(dims, "entries") as u64;
    vec![
        tensor_bytes(table, dims, seed),
        indices(chosen, dims, seed, below),
    ]
}

fn limits(dims: &Dims) -> Option<String> {
    let [entries, width] = ["entries", "width"].map(|name| dim(dims, name));
    if entries == 0 {
        return Some("a table of 0 entries has none to read".to_owned());
    }
    if width != WIDTH {
        return Some(format!("an entry of {width} floats is not {WIDTH}, 32 bytes"));
    }
    // Devices count halves of entries.
    let reads = dim(dims, "reads");
    if u32::try_from(2 * reads).is_err() {
        return Some(format!("{reads} reads are past the 2^31-1 that kernels count to"));
    }
    uncounted(dims, &["entries"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_outside_the_definition_are_refused_in_words() {
        let refusal = |sizes| limits(&entries("", Size::Small, sizes).dims);
        assert_eq!(refusal([3, 5]), None);
        assert!(refusal([0, 5]).is_some_and(|reason| reason.contains("0 entries")));
        assert!(refusal([3, 1 << 31]).is_some_and(|reason| reason.contains("2147483648 reads")));
        assert!(refusal([1 << 32, 5]).is_some_and(|reason| reason.contains("entries of 4294967296")));
        let mut dims = entries("", Size::Small, [3, 5]).dims;
        dims.insert("width".into(), 4);
        assert!(limits(&dims).is_some_and(|reason| reason.contains("4 floats")));
    }
}
