//! One element of an output as its bits, as a number, as poison.

use attest::spec::Dtype;

use crate::workload::POISON;

pub(super) fn bits(element: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..element.len()].copy_from_slice(element);
    u32::from_le_bytes(word)
}

/// Whether an element was left as poison or is NaN. Both halves of the poison are NaN as f16 and bf16; a workload with i8
/// outputs would need another poison, and there is none.
pub(super) fn unwritten_in(dtype: Dtype) -> fn(&[u8]) -> bool {
    match dtype {
        Dtype::F32 => |element| f32::from_bits(bits(element)).is_nan(),
        Dtype::F16 => |element| half::f16::from_bits(bits(element) as u16).is_nan(),
        Dtype::Bf16 => |element| half::bf16::from_bits(bits(element) as u16).is_nan(),
        Dtype::I32 => |element| bits(element) == POISON,
        Dtype::I8 => |_| unreachable!("no workload has i8 outputs"),
    }
}

/// Element number `element` of `bytes`, exactly.
pub(super) fn value(dtype: Dtype, bytes: &[u8], element: usize) -> f64 {
    let size = dtype.size() as usize;
    let bits = bits(&bytes[element * size..][..size]);
    match dtype {
        Dtype::F32 => f64::from(f32::from_bits(bits)),
        Dtype::F16 => half::f16::from_bits(bits as u16).to_f64(),
        Dtype::Bf16 => half::bf16::from_bits(bits as u16).to_f64(),
        Dtype::I32 => f64::from(bits.cast_signed()),
        Dtype::I8 => f64::from((bits as u8).cast_signed()),
    }
}
