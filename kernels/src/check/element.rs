//! One element of an output as its bits and as a number.

use attest::spec::Dtype;

pub(super) fn bits(element: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..element.len()].copy_from_slice(element);
    u32::from_le_bytes(word)
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
