//! `mem.copy.v1`: y = x, bytes moved and nothing computed.

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
    id: "mem.copy.v1".into(),
    title: "Copy of an array of f32: y = x.".into(),
    group: "memory".into(),
    class: Class::Exact,
    cache: Cache::Cold,
    cases: vec![
        // 4 MiB an array: quick on the slowest device; the input sets rotate past the cache.
        case("4MiB", Size::Small, &[("n", 1 << 20)]),
        case("256MiB", Size::Standard, &[("n", 1 << 26)]),
        case("1GiB", Size::Large, &[("n", 1 << 28)]),
    ],
    inputs: vec![tensor("mem.copy/x", Dtype::F32, &["n"])],
    outputs: vec![tensor("y", Dtype::F32, &["n"])],
    flop: formula("0"),
    bytes: formula("8*n"),
    tokens: None,
    tolerance: None,
});
