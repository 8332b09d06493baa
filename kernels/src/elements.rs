//! Elements of tensors in dense little-endian bytes, at any alignment.

use std::ops::Range;

use attest::spec::Dims;
use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};

use crate::fp8::E4m3;
use crate::workload::{Row, VECTOR_ROW, dim};

pub(crate) fn f32s(bytes: &[u8], range: Range<usize>) -> impl ExactSizeIterator<Item = f32> + '_ {
    bytes[range.start * 4..range.end * 4]
        .chunks_exact(4)
        .map(|word| f32::from_le_bytes(word.try_into().expect("four bytes")))
}

pub(crate) fn u32s(bytes: &[u8], range: Range<usize>) -> impl ExactSizeIterator<Item = u32> + '_ {
    let (words, _) = bytes.as_chunks();
    words[range].iter().map(|word| u32::from_le_bytes(*word))
}

pub(crate) fn f16_bits(bytes: &[u8], range: Range<usize>) -> impl ExactSizeIterator<Item = u16> + '_ {
    bytes[range.start * 2..range.end * 2]
        .chunks_exact(2)
        .map(|word| u16::from_le_bytes(word.try_into().expect("two bytes")))
}

/// f16 elements widened to f32, which is exact.
pub(crate) fn f16s(bytes: &[u8], range: Range<usize>) -> impl ExactSizeIterator<Item = f32> {
    let narrow: Vec<f16> = f16_bits(bytes, range).map(f16::from_bits).collect();
    let mut wide = vec![0.0; narrow.len()];
    narrow.convert_to_f32_slice(&mut wide);
    wide.into_iter()
}

/// bf16 elements widened to f32, which is exact.
pub(crate) fn bf16s(bytes: &[u8], range: Range<usize>) -> impl ExactSizeIterator<Item = f32> + '_ {
    f16_bits(bytes, range).map(|bits| bf16::from_bits(bits).to_f32())
}

/// fp8 e4m3 elements widened to f32, which is exact.
pub(crate) fn e4m3s(bytes: &[u8], range: Range<usize>) -> impl ExactSizeIterator<Item = f32> + '_ {
    bytes[range].iter().map(|&bits| E4m3(bits).to_f32())
}

pub(crate) fn i8s(bytes: &[u8], range: Range<usize>) -> impl ExactSizeIterator<Item = i8> + '_ {
    bytes[range].iter().map(|byte| byte.cast_signed())
}

/// Elements of a [`Row`] of an output of one dimension, `n`.
pub(crate) fn vector_row(dims: &Dims, row: Row) -> Range<usize> {
    let (n, width) = (dim(dims, "n"), VECTOR_ROW as usize);
    let start = row.index as usize * width;
    start..n.min(start + width)
}

/// Sum of products in f64, over eight lanes so that the reference of a large case takes seconds, not minutes.
pub(crate) fn dot(a: &[f64], b: impl ExactSizeIterator<Item = f64>) -> f64 {
    const LANES: usize = 8;
    let b: Vec<f64> = b.collect();
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}
