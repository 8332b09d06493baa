//! One element of an output as its bits and as a number.

use attest::spec::Dtype;

use crate::fp8::E4m3;

/// Up to four bytes as one number.
pub(super) fn word(bytes: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..bytes.len()].copy_from_slice(bytes);
    u32::from_le_bytes(word)
}

/// The bits of element number `element` of `bytes`.
pub(super) fn bits(dtype: Dtype, bytes: &[u8], element: usize) -> u32 {
    let width = dtype.bits() as usize;
    let first = element * width;
    let word = word(&bytes[first / 8..(first + width).div_ceil(8)]);
    (word >> (first % 8)) & (u32::MAX >> (32 - width))
}

/// Element number `element` of `bytes`, exactly.
pub(super) fn value(dtype: Dtype, bytes: &[u8], element: usize) -> f64 {
    let bits = bits(dtype, bytes, element);
    match dtype {
        Dtype::F32 => f64::from(f32::from_bits(bits)),
        Dtype::F16 => half::f16::from_bits(bits as u16).to_f64(),
        Dtype::Bf16 => half::bf16::from_bits(bits as u16).to_f64(),
        Dtype::Fp8E4m3 => f64::from(E4m3(bits as u8).to_f32()),
        Dtype::I32 => f64::from(bits.cast_signed()),
        Dtype::I8 => f64::from((bits as u8).cast_signed()),
        Dtype::Q4 => f64::from(bits) - 8.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nibbles_are_read_low_first_and_less_eight() {
        let bytes = [0x70, 0x8F];
        assert_eq!(
            [0, 1, 2, 3].map(|element| value(Dtype::Q4, &bytes, element)),
            [-8.0, -1.0, 7.0, 0.0]
        );
        assert_eq!(bits(Dtype::Q4, &bytes, 2), 15);
        assert_eq!(bits(Dtype::F16, &bytes, 0), 0x8F70);
    }
}
