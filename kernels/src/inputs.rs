//! Inputs of a case, drawn from the seed: the streams of [`attest::exact::stream`], unless the workload has its own.

use attest::exact::stream::{Form, fill};
use attest::spec::{Dims, Tensor};
use rayon::prelude::*;

use crate::workload::{Workload, bytes};

/// Every input in the specification's order, as dense little-endian bytes.
pub fn generate(workload: &Workload, dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    if let Some(inputs) = workload.inputs {
        return inputs(dims, seed);
    }
    let tensors = &workload.spec.inputs;
    tensors
        .iter()
        .map(|tensor| tensor_bytes(tensor, dims, seed))
        .collect()
}

fn tensor_bytes(tensor: &Tensor, dims: &Dims, seed: &[u8; 32]) -> Vec<u8> {
    const STRIP: usize = 1 << 20;
    let form = Form::of(tensor.dtype).expect("inputs are no sums");
    let mut bytes = vec![0; bytes(tensor, dims) as usize];
    bytes
        .par_chunks_mut(STRIP)
        .enumerate()
        .for_each(|(strip, bytes)| {
            fill(seed, &tensor.name, form, (strip * STRIP) as u64, bytes);
        });
    bytes
}

#[cfg(test)]
mod tests {
    use attest::exact::stream;

    use super::*;
    use crate::catalogue::find;
    use crate::specify::dims_of;

    #[test]
    fn strips_join_to_the_stream_of_the_whole_tensor() {
        let n = (1 << 18) + 5;
        let workload = find("mem.triad.v1").expect("in the catalogue");
        let inputs = generate(workload, &dims_of(&[("n", n)]), &[7; 32]);
        for (input, tensor) in inputs.iter().zip(&workload.spec.inputs) {
            assert_eq!(
                input,
                &stream::bytes(&[7; 32], &tensor.name, Form::F32, n as usize)
            );
        }
    }
}
