//! Inputs of a case, drawn from the seed: the streams of [`attest::exact::stream`], unless the workload has its own.

use attest::exact::stream::{Form, fill};
use attest::spec::{Dims, Dtype, Tensor};
use half::f16;
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

/// The stream of an f16 tensor times 2^`power`, at most 2^14: every element is zero or normal, so exponents rise by `power`.
pub(crate) fn f16_times_power(tensor: &Tensor, dims: &Dims, seed: &[u8; 32], power: u16) -> Vec<u8> {
    let mut bytes = tensor_bytes(tensor, dims, seed);
    let (halves, _) = bytes.as_chunks_mut();
    halves.par_iter_mut().for_each(|half| {
        let bits = u16::from_le_bytes(*half);
        let raised = if bits == 0 { 0 } else { bits + (power << 10) };
        *half = raised.to_le_bytes();
    });
    bytes
}

/// An f16 tensor without zeros: 2^`power` to 2^(`power` + 1) in 1024 steps, of either sign. Half-word e of the stream gives
/// element e its sign, by the highest bit, and its fraction, by the ten lowest. `power` is -14 to 15.
pub(crate) fn normal_f16s(tensor: &Tensor, dims: &Dims, seed: &[u8; 32], power: i16) -> Vec<u8> {
    let exponent = (15 + power).cast_unsigned() << 10;
    let mut bytes = drawn(tensor, Form::I8, dims, seed);
    let (halves, _) = bytes.as_chunks_mut();
    halves.par_iter_mut().for_each(|half| {
        *half = (u16::from_le_bytes(*half) & 0x83FF | exponent).to_le_bytes();
    });
    bytes
}

/// The f16 stream of an f32 tensor's name, widened: eleven significant bits, which TF32 has.
pub(crate) fn f16_widened(tensor: &Tensor, dims: &Dims, seed: &[u8; 32]) -> Vec<u8> {
    let halves = Tensor {
        dtype: Dtype::F16,
        ..tensor.clone()
    };
    let halves = tensor_bytes(&halves, dims, seed);
    let mut bytes = vec![0; 2 * halves.len()];
    let ((words, _), (halves, _)) = (bytes.as_chunks_mut(), halves.as_chunks());
    words.par_iter_mut().zip(halves).for_each(|(word, half)| {
        *word = f16::from_le_bytes(*half).to_f32().to_le_bytes();
    });
    bytes
}

/// The stream of an f16 tensor times 2^`power`, -14 to 14: exact, as f16 counts in 2^-24 where it is small.
pub(crate) fn scaled_f16s(tensor: &Tensor, dims: &Dims, seed: &[u8; 32], power: i32) -> Vec<u8> {
    let factor = f32::powi(2.0, power);
    let mut bytes = tensor_bytes(tensor, dims, seed);
    let (halves, _) = bytes.as_chunks_mut();
    halves.par_iter_mut().with_min_len(1 << 14).for_each(|half| {
        let value = f16::from_le_bytes(*half).to_f32();
        *half = f16::from_f32(value * factor).to_le_bytes();
    });
    bytes
}

/// An index tensor: words of its stream times `below` over 2^32, rounded down. `below` is at most 2^32.
pub(crate) fn indices(tensor: &Tensor, dims: &Dims, seed: &[u8; 32], below: u64) -> Vec<u8> {
    let mut bytes = drawn(tensor, Form::I8, dims, seed);
    let (words, _) = bytes.as_chunks_mut();
    words.par_iter_mut().for_each(|word| {
        let scaled = u64::from(u32::from_le_bytes(*word)) * below;
        *word = ((scaled >> 32) as u32).to_le_bytes();
    });
    bytes
}

/// The stream of a tensor.
pub(crate) fn tensor_bytes(tensor: &Tensor, dims: &Dims, seed: &[u8; 32]) -> Vec<u8> {
    let form = Form::of(tensor.dtype).expect("inputs are no sums");
    drawn(tensor, form, dims, seed)
}

fn drawn(tensor: &Tensor, form: Form, dims: &Dims, seed: &[u8; 32]) -> Vec<u8> {
    const STRIP: usize = 1 << 20;
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
    use crate::elements::{f16s, f32s, u32s};
    use crate::specify::dims_of;

    #[test]
    fn a_power_of_two_scales_every_element() {
        let spec = find("gelu.f16.v1").expect("in the catalogue").spec;
        let dims = dims_of(&[("rows", 3), ("cols", 4001)]);
        let [one, four] = [0, 2].map(|power| f16_times_power(&spec.inputs[0], &dims, &[7; 32], power));
        assert_eq!(one, tensor_bytes(&spec.inputs[0], &dims, &[7; 32]));
        let ends = 0..3 * 4001;
        let pairs = f16s(&one, ends.clone()).zip(f16s(&four, ends));
        assert!({ pairs }.all(|(one, four)| 4.0 * one == four));
    }

    #[test]
    fn normal_halves_fill_one_power_of_two_of_both_signs() {
        let spec = find("gelu.f16.v1").expect("in the catalogue").spec;
        let dims = dims_of(&[("rows", 3), ("cols", 4001)]);
        for power in [-14, -8, 15] {
            let drawn = normal_f16s(&spec.inputs[0], &dims, &[7; 32], power);
            let drawn: Vec<f32> = f16s(&drawn, 0..3 * 4001).collect();
            let unit = f32::from(power).exp2();
            assert!(
                drawn
                    .iter()
                    .all(|value| (unit..2.0 * unit).contains(&value.abs()))
            );
            let negative = drawn.iter().filter(|value| value.is_sign_negative()).count();
            assert!((5_500..6_500).contains(&negative), "{negative} of 12,003");
            let above = drawn.iter().filter(|value| value.abs() >= 1.5 * unit).count();
            assert!((5_500..6_500).contains(&above), "{above} of 12,003");
        }
    }

    #[test]
    fn widened_halves_keep_their_values_and_lose_nothing_in_tf32() {
        let spec = find("gemm.tf32.v1").expect("in the catalogue").spec;
        let dims = dims_of(&[("m", 3), ("n", 1), ("k", 4001)]);
        let bytes = f16_widened(&spec.inputs[0], &dims, &[7; 32]);
        let halves = stream::bytes(&[7; 32], &spec.inputs[0].name, Form::F16, 3 * 4001);
        let ends = 0..3 * 4001;
        assert!(f32s(&bytes, ends.clone()).eq(f16s(&halves, ends.clone())));
        assert!(u32s(&bytes, ends).all(|bits| bits % (1 << 13) == 0));
    }

    #[test]
    fn indices_lie_below_their_limit_and_reach_all_of_it() {
        let spec = find("mem.gather.v1").expect("in the catalogue").spec;
        let dims = dims_of(&[("reads", 4000)]);
        let words = stream::bytes(&[7; 32], "mem.gather/indices", Form::I8, 16_000);
        for below in [1, 3, 100, 1 << 32] {
            let drawn: Vec<u32> = u32s(&indices(&spec.inputs[1], &dims, &[7; 32], below), 0..4000).collect();
            let share = |word: u32| ((u128::from(word) * u128::from(below)) >> 32) as u32;
            assert!(drawn.iter().copied().eq(u32s(&words, 0..4000).map(share)));
            let found: std::collections::BTreeSet<_> = drawn.iter().collect();
            assert!(below > 100 || found.iter().copied().copied().eq(0..below as u32));
        }
    }

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
