//! Copies between the memory of the host and that of a device, by the device's copy engines: no kernel takes part.

use attest::spec::{Cache, Class, Dims, Dtype, Size, Spec};

use crate::elements::{f32s, vector_row};
use crate::specify::{case, formula, odd_vectors, tensor};
use crate::workload::{Kind, Plan, Reference, Row, Target, Workload};

/// A workload that copies `x` as `kind` says; `spec` is of [`spec`].
pub(crate) const fn workload(spec: &'static std::sync::LazyLock<Spec>, kind: Kind) -> Workload {
    Workload {
        spec,
        plan,
        tuned: None,
        cpu,
        reference: Reference::Rows(reference),
        inputs: None,
        derived: None,
        limits: None,
        odd_sizes: odd_vectors,
        kind,
    }
}

/// `name` without version: `mem.upload`.
pub(crate) fn spec(name: &str, title: &str) -> Spec {
    Spec {
        id: format!("{name}.v1"),
        title: title.into(),
        group: "memory".into(),
        class: Class::Exact,
        cache: Cache::Cold,
        cases: vec![
            case("4MiB", Size::Small, &[("n", 1 << 20)]),
            case("256MiB", Size::Standard, &[("n", 1 << 26)]),
            case("1GiB", Size::Large, &[("n", 1 << 28)]),
        ],
        inputs: vec![tensor(&format!("{name}/x"), Dtype::F32, &["n"])],
        outputs: vec![tensor("y", Dtype::F32, &["n"])],
        flop: formula("0"),
        // What crosses, counted once, as link speeds are.
        bytes: formula("4*n"),
        tokens: None,
        tolerance: None,
    }
}

fn plan(_dims: &Dims, _target: Target) -> Plan {
    Plan {
        scratch: vec![],
        launches: vec![],
    }
}

fn cpu(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    outputs[0].copy_from_slice(inputs[0]);
}

fn reference(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    f32s(inputs[0], vector_row(dims, row)).map(f64::from).collect()
}
