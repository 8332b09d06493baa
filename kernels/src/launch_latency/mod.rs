//! `launch.latency.v1`: the time from handing over a chain of launches to knowing that it has ended, by the host's clock.
//!
//! A chain of one is a round trip. A token of a language model is a chain of some hundreds, so the longer ones tell what a
//! launch costs that waits for the one before it: each adds one to a number. On a processor a launch is a task that every
//! thread takes.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dims, Dtype, Size, Spec};

use crate::inputs::indices;
use crate::specify::{case, formula, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, dim};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: Some(|dims, seed| vec![indices(&SPEC.inputs[0], dims, seed, 1 << 20)]),
    derived: None,
    limits: Some(limits),
    odd_sizes: || sizes(["launches", "numbers"], &[[1, 1], [3, 1], [257, 1]]),
    kind: Kind::RoundTrip,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec {
    id: "launch.latency.v1".into(),
    title: "A chain of launches, handed over and waited for.".into(),
    group: "memory".into(),
    class: Class::Exact,
    cache: Cache::Hot,
    cases: vec![
        case("1", Size::Small, &[("launches", 1), ("numbers", 1)]),
        case("32", Size::Standard, &[("launches", 32), ("numbers", 1)]),
        // The launches of one token of a model of 80 layers.
        case("1024", Size::Large, &[("launches", 1024), ("numbers", 1)]),
    ],
    inputs: vec![tensor("launch.latency/x", Dtype::I32, &["numbers"])],
    outputs: vec![tensor("y", Dtype::I32, &["numbers"])],
    // Only its time means anything.
    flop: formula("0"),
    bytes: formula("0"),
    tokens: None,
    tolerance: None,
});

/// Launches that a plan lists, at most.
const MOST_LAUNCHES: usize = 1 << 16;

fn limits(dims: &Dims) -> Option<String> {
    let [launches, numbers] = ["launches", "numbers"].map(|name| dim(dims, name));
    if numbers != 1 {
        return Some(format!("a chain counts in 1 number, not in {numbers}"));
    }
    (launches == 0 || launches > MOST_LAUNCHES)
        .then(|| format!("a chain of {launches} launches is not one of 1 to {MOST_LAUNCHES}"))
}
