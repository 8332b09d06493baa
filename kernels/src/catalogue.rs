//! Every workload, in the order reports show them.

use crate::workload::Workload;

pub static WORKLOADS: &[&Workload] = &[
    &crate::mem_copy::WORKLOAD,
    &crate::mem_triad::WORKLOAD,
    &crate::gemm_f32::WORKLOAD,
    &crate::gemm_f32_exact::WORKLOAD,
    &crate::gemm_f16::WORKLOAD,
    &crate::gemm_i8::WORKLOAD,
    &crate::gemv_f16::WORKLOAD,
    &crate::softmax_f32::WORKLOAD,
    &crate::rmsnorm_f16::WORKLOAD,
    &crate::layernorm_f16::WORKLOAD,
    &crate::gelu_f16::WORKLOAD,
    &crate::swiglu_f16::WORKLOAD,
    &crate::proof_mlp_i8::WORKLOAD,
    &crate::proof_vram::WORKLOAD,
];

/// The workload of that id, version included: `gemm.f32.v1`.
pub fn find(id: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().copied().find(|workload| workload.spec.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use attest::spec::{Class, Size};

    use super::*;
    use crate::workload::CPU;

    #[test]
    fn ids_are_unique_and_versioned() {
        let ids: BTreeSet<_> = WORKLOADS
            .iter()
            .map(|workload| workload.spec.id.as_str())
            .collect();
        assert_eq!(ids.len(), WORKLOADS.len());
        for id in ids {
            let version = id.rsplit(".v").next().expect("rsplit yields a part");
            assert!(version.parse::<u32>().is_ok(), "{id} ends in no version");
            assert!(std::ptr::eq(find(id).expect("listed"), find(id).expect("listed")));
        }
    }

    #[test]
    fn every_workload_has_cases_of_each_size_and_counts_for_each_case() {
        for workload in WORKLOADS {
            let spec = workload.spec;
            for size in [Size::Small, Size::Standard, Size::Large] {
                assert!(
                    spec.cases.iter().any(|case| case.size == size),
                    "{} has no {size:?} case",
                    spec.id
                );
            }
            assert_eq!(
                spec.class == Class::Exact,
                spec.tolerance.is_none(),
                "{}: a tolerance belongs to float workloads only",
                spec.id
            );
            for case in &spec.cases {
                spec.flop.eval(&case.dims).expect("flop formula");
                let tensors = spec.inputs.iter().chain(&spec.outputs);
                let counted: u64 = tensors
                    .map(|tensor| crate::workload::bytes(tensor, &case.dims))
                    .sum();
                let bytes = spec.bytes.eval(&case.dims).expect("bytes formula");
                // A definition with a table between inputs and outputs counts its traffic too.
                let table = !(workload.plan)(&case.dims, CPU).scratch.is_empty();
                assert!(
                    bytes == counted || table && bytes > counted,
                    "{} {}: {bytes} bytes, {counted} of its tensors",
                    spec.id,
                    case.name
                );
                if let Some(tolerance) = &spec.tolerance {
                    tolerance.abs_ppt.eval(&case.dims).expect("tolerance formula");
                }
            }
        }
    }
}
