//! Every workload, in the order reports show them.

use crate::workload::Workload;

pub static WORKLOADS: &[&Workload] = &[
    &crate::mem_copy::WORKLOAD,
    &crate::mem_triad::WORKLOAD,
    &crate::mem_gather::WORKLOAD,
    &crate::mem_upload::WORKLOAD,
    &crate::mem_download::WORKLOAD,
    &crate::launch_latency::WORKLOAD,
    &crate::gemm_f32::WORKLOAD,
    &crate::gemm_f32_exact::WORKLOAD,
    &crate::gemm_tf32::WORKLOAD,
    &crate::llm_exact::WORKLOAD,
    &crate::gemm_f16::WORKLOAD,
    &crate::gemm_bf16::WORKLOAD,
    &crate::gemm_fp8::WORKLOAD,
    &crate::gemm_i8::WORKLOAD,
    &crate::gemm_q4::WORKLOAD,
    &crate::gemm_batched_f16::WORKLOAD,
    &crate::gemv_f16::WORKLOAD,
    &crate::gemv_q4::WORKLOAD,
    &crate::softmax_f32::WORKLOAD,
    &crate::rmsnorm_f16::WORKLOAD,
    &crate::layernorm_f16::WORKLOAD,
    &crate::gelu_f16::WORKLOAD,
    &crate::swiglu_f16::WORKLOAD,
    &crate::rope_f16::WORKLOAD,
    &crate::attention_prefill_f16::WORKLOAD,
    &crate::attention_decode_f16::WORKLOAD,
    &crate::embedding_gather_f16::WORKLOAD,
    &crate::conv2d_f16::WORKLOAD,
    &crate::groupnorm_f16::WORKLOAD,
    &crate::crossentropy_f16::WORKLOAD,
    &crate::adamw_f32::WORKLOAD,
    &crate::sampling_topk::WORKLOAD,
    &crate::train_block_f32::WORKLOAD,
    &crate::llm_prefill::WORKLOAD,
    &crate::llm_decode::WORKLOAD,
    &crate::diffusion_step::WORKLOAD,
    &crate::train_step::WORKLOAD,
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

    use attest::spec::{Class, Dims, Dtype, Size, Spec, Tensor};

    use super::*;
    use crate::workload::{CPU, Kind};

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

    /// Bytes of all tensors; of a transfer those that cross, of a round trip none. Where an input is indices of another
    /// dimension than a table's first, the rows they choose count in place of the table they are chosen from: as many as
    /// are written.
    fn moved(kind: Kind, spec: &Spec, dims: &Dims) -> u64 {
        let bytes = |tensors: &[Tensor]| -> u64 {
            tensors
                .iter()
                .map(|tensor| crate::workload::bytes(tensor, dims))
                .sum()
        };
        if kind == Kind::RoundTrip {
            return 0;
        }
        let chosen = |pair: &[Tensor]| match pair {
            [table, indices] if chooses(table, indices) => {
                let rows = bytes(std::slice::from_ref(table)) / dims[&table.shape[0]];
                rows.cast_signed()
                    * (dims[&indices.shape[0]].cast_signed() - dims[&table.shape[0]].cast_signed())
            }
            _ => 0,
        };
        let instead: i64 = spec.inputs.windows(2).map(chosen).sum();
        let inputs = bytes(&spec.inputs).checked_add_signed(instead).expect("bytes");
        inputs + if kind.copies() { 0 } else { bytes(&spec.outputs) }
    }

    /// Whether indices choose rows of the table before them.
    fn chooses(table: &Tensor, indices: &Tensor) -> bool {
        let shapes = (table.shape.len(), indices.shape.len());
        indices.dtype == Dtype::I32 && shapes == (2, 1) && table.shape[0] != indices.shape[0]
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
            let exact_outputs = spec.outputs.iter().filter(|_| spec.class == Class::Exact);
            assert!(
                { exact_outputs.chain(&spec.inputs) }.all(|tensor| tensor.tolerance.is_none()),
                "{}: a tolerance of its own belongs to float outputs only",
                spec.id
            );
            for case in &spec.cases {
                spec.flop.eval(&case.dims).expect("flop formula");
                let counted = moved(workload.kind, spec, &case.dims);
                let bytes = spec.bytes.eval(&case.dims).expect("bytes formula");
                // A definition with a table between inputs and outputs counts its traffic too.
                let table = !(workload.plan)(&case.dims, CPU).scratch.is_empty();
                assert!(
                    bytes == counted || table && bytes > counted,
                    "{} {}: {bytes} bytes, {counted} of its tensors",
                    spec.id,
                    case.name
                );
                for tolerance in spec.outputs.iter().filter_map(|output| spec.tolerance_of(output)) {
                    tolerance.abs_ppt.eval(&case.dims).expect("tolerance formula");
                }
            }
        }
    }
}
