//! `mem.triad.v1`: y = b + 0.5 * c, STREAM's triad. The product with 0.5 is exact and the sum rounds once, fused or not.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dtype, Size, Spec};

use crate::specify::{case, formula, odd_vectors, tensor};
use crate::workload::{Kind, Reference, Workload};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: None,
    derived: None,
    limits: None,
    odd_sizes: odd_vectors,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    id: "mem.triad.v1".into(),
    title: "Triad of arrays of f32: y = b + 0.5 c.".into(),
    group: "memory".into(),
    class: Class::Exact,
    cache: Cache::Cold,
    cases: vec![
        // 4 MiB an array: quick on the slowest device; the input sets rotate past the cache.
        case("4MiB", Size::Small, &[("n", 1 << 20)]),
        case("256MiB", Size::Standard, &[("n", 1 << 26)]),
        case("1GiB", Size::Large, &[("n", 1 << 28)]),
    ],
    inputs: vec![
        tensor("mem.triad/b", Dtype::F32, &["n"]),
        tensor("mem.triad/c", Dtype::F32, &["n"]),
    ],
    outputs: vec![tensor("y", Dtype::F32, &["n"])],
    flop: formula("2*n"),
    bytes: formula("12*n"),
    tokens: None,
    tolerance: None,
});
