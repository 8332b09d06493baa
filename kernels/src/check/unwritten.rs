//! Elements that a launch never wrote: they still hold the poison.

use attest::spec::Dtype;
use rayon::prelude::*;

use super::element::word;
use crate::fp8::E4m3;
use crate::workload::POISON;

/// Bytes of an output of bytes or nibbles that are judged together. One word of it may equal the poison by chance, once in
/// 2^32 words; two words in a row do not. Such outputs are whole multiples of this.
pub(super) const RUN: usize = 8;

/// The first element that holds the poison, or NaN in a float.
pub(super) fn first(dtype: Dtype, bytes: &[u8]) -> Option<usize> {
    const STRIP: usize = 1 << 16;
    let (run, unwritten) = judge(dtype);
    let found = bytes
        .par_chunks(STRIP * run)
        .enumerate()
        .find_map_first(|(strip, bytes)| {
            let within = bytes.chunks_exact(run).position(unwritten)?;
            Some(strip * STRIP + within)
        });
    found.map(|index| index * run * 8 / dtype.bits() as usize)
}

/// Bytes judged at once, and whether they were left as poison or are NaN. Both halves of the poison are NaN as f16 and bf16.
fn judge(dtype: Dtype) -> (usize, fn(&[u8]) -> bool) {
    match dtype {
        Dtype::F32 => (4, |element| f32::from_bits(word(element)).is_nan()),
        Dtype::F16 => (2, |element| half::f16::from_bits(word(element) as u16).is_nan()),
        Dtype::Bf16 => (2, |element| half::bf16::from_bits(word(element) as u16).is_nan()),
        // Every other byte of the poison is NaN.
        Dtype::Fp8E4m3 => (1, |element| E4m3(element[0]).to_f32().is_nan()),
        Dtype::I32 => (4, |element| word(element) == POISON),
        Dtype::I8 | Dtype::Q4 => (RUN, |run| run.chunks_exact(4).all(|bytes| word(bytes) == POISON)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poison_in_bytes_is_found_where_two_words_hold_it_and_not_where_one_does() {
        let poison = POISON.to_le_bytes();
        let mut bytes = vec![1; 64];
        bytes[20..24].copy_from_slice(&poison);
        assert_eq!(first(Dtype::I8, &bytes), None);
        bytes[16..20].copy_from_slice(&poison);
        assert_eq!(first(Dtype::I8, &bytes), Some(16));
    }

    #[test]
    fn the_first_of_many_strips_is_named() {
        let mut bytes = vec![0; 1 << 22];
        for at in [(1 << 21) + 8, 3 << 20] {
            bytes[at..at + 8].copy_from_slice(&[POISON.to_le_bytes(), POISON.to_le_bytes()].concat());
        }
        assert_eq!(first(Dtype::I8, &bytes), Some((1 << 21) + 8));
        assert_eq!(first(Dtype::I32, &bytes), Some((1 << 19) + 2));
    }
}
