//! Inputs of a network and what fills them: tensors of a checkpoint, converted as they go to the device.

use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::tensor::Dtype;

use super::Weights;
use super::checkpoint::{Checkpoint, Stored};
use super::error::GenerateError;
use crate::device::Running;
use crate::halves;
use crate::quantize::BLOCK;
use crate::workload::Slot;

/// A tensor of a checkpoint; one row is a vector there.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) name: String,
    rows: usize,
    cols: usize,
    /// Rows of a head that rope turns: pairs of both halves of the head there, of neighbours here.
    head: Option<usize>,
}

/// Weights of a product; scales where they have 4 bits.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) weights: Slot,
    pub(super) scales: Option<Slot>,
}

enum Fill {
    Halves(Matrix),
    /// This input and the one after it: blocks and scales.
    Blocks(Matrix),
    Bytes(Vec<u8>),
}

#[derive(Default)]
pub(super) struct Inputs {
    pub(super) sizes: Vec<u64>,
    fills: Vec<(usize, Fill)>,
}

const HALF: usize = size_of::<u16>();

impl Matrix {
    pub(super) fn new(name: &str, rows: usize, cols: usize) -> Self {
        Self {
            name: name.to_owned(),
            rows,
            cols,
            head: None,
        }
    }

    pub(super) fn turned(self, head: usize) -> Self {
        Self {
            head: Some(head),
            ..self
        }
    }

    pub(super) fn shape(&self) -> Vec<usize> {
        match self.rows {
            1 => vec![self.cols],
            rows => vec![rows, self.cols],
        }
    }

    /// The row of the file that stands at `row` here.
    fn source(&self, row: usize) -> usize {
        let Some(head) = self.head else { return row };
        let (first, at) = (row / head * head, row % head);
        first + at / 2 + at % 2 * (head / 2)
    }

    /// Fills rows of `out` and of `scales` from rows of the file, widened to f32.
    fn convert(
        &self,
        stored: Stored<'_>,
        out: (&mut [u8], usize),
        scales: &mut [u8],
        row: impl Fn(&[f32], &mut [u8], &mut [u8]) -> Result<(), String> + Sync,
    ) -> Result<(), GenerateError> {
        let (out, width) = out;
        let scales_width = scales.len() / self.rows;
        let mut scales: Vec<&mut [u8]> = match scales_width {
            0 => (0..self.rows).map(|_| <&mut [u8]>::default()).collect(),
            width => scales.chunks_mut(width).collect(),
        };
        let rows = out.par_chunks_mut(width).zip(&mut scales).enumerate();
        rows.try_for_each_init(
            || vec![0.0; self.cols],
            |wide, (at, (out, scales))| {
                let source = self.source(at);
                widen(stored, source * self.cols, wide);
                row(wide, out, scales).map_err(|reason| GenerateError::Tensor {
                    path: stored.path.to_owned(),
                    tensor: self.name.clone(),
                    reason: format!("row {source}: {reason}"),
                })
            },
        )
    }
}

impl Inputs {
    pub(super) fn halves(&mut self, matrix: Matrix) -> Slot {
        let bytes = HALF * matrix.rows * matrix.cols;
        self.fill(Fill::Halves(matrix), bytes)
    }

    pub(super) fn product(&mut self, matrix: Matrix, weights: Weights) -> Product {
        if weights == Weights::F16 {
            return Product {
                weights: self.halves(matrix),
                scales: None,
            };
        }
        let blocks = matrix.rows * matrix.cols / BLOCK;
        let weights = self.fill(Fill::Blocks(matrix), blocks * BLOCK / 2);
        self.sizes.push((HALF * blocks) as u64);
        Product {
            weights,
            scales: Some(Slot::Input(self.sizes.len() - 1)),
        }
    }

    pub(super) fn bytes(&mut self, bytes: Vec<u8>) -> Slot {
        let len = bytes.len();
        self.fill(Fill::Bytes(bytes), len)
    }

    fn fill(&mut self, fill: Fill, bytes: usize) -> Slot {
        self.fills.push((self.sizes.len(), fill));
        self.sizes.push(bytes as u64);
        Slot::Input(self.sizes.len() - 1)
    }

    /// Names, rows and columns of the tensors.
    pub(super) fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.fills.iter().filter_map(|(_, fill)| match fill {
            Fill::Halves(matrix) | Fill::Blocks(matrix) => Some(matrix),
            Fill::Bytes(_) => None,
        })
    }

    /// Writes every input, a tensor at a time.
    pub(super) fn write(&self, checkpoint: &Checkpoint, to: &mut dyn Running) -> Result<(), GenerateError> {
        for (input, fill) in &self.fills {
            let sized = |input: usize| vec![0; self.sizes[input] as usize];
            match fill {
                Fill::Bytes(bytes) => to.write(*input, bytes)?,
                Fill::Halves(matrix) => {
                    let mut out = sized(*input);
                    let stored = checkpoint.stored(&matrix.name);
                    matrix.convert(stored, (&mut out, HALF * matrix.cols), &mut [], |x, out, _| {
                        narrowed(x, out)
                    })?;
                    to.write(*input, &out)?;
                }
                Fill::Blocks(matrix) => {
                    let (mut out, mut scales) = (sized(*input), sized(input + 1));
                    let stored = checkpoint.stored(&matrix.name);
                    matrix.convert(stored, (&mut out, matrix.cols / 2), &mut scales, quantized)?;
                    to.write(*input, &out)?;
                    to.write(input + 1, &scales)?;
                }
            }
        }
        Ok(())
    }
}

/// Elements of a stored tensor from `first` on, in f32.
fn widen(stored: Stored<'_>, first: usize, wide: &mut [f32]) {
    let elements = |size: usize| &stored.bytes[first * size..][..wide.len() * size];
    match stored.dtype {
        Dtype::F32 => {
            let words = elements(size_of::<f32>()).as_chunks().0.iter();
            wide.iter_mut()
                .zip(words)
                .for_each(|(x, word)| *x = f32::from_le_bytes(*word));
        }
        Dtype::BF16 => {
            let words = elements(HALF).as_chunks().0.iter();
            let pairs = wide.iter_mut().zip(words);
            pairs.for_each(|(x, word)| *x = bf16::from_le_bytes(*word).to_f32());
        }
        _ => {
            let words = elements(HALF).as_chunks().0.iter();
            let halves: Vec<u16> = words.map(|word| u16::from_le_bytes(*word)).collect();
            halves::widen(&halves, wide);
        }
    }
}

/// Refuses what no f16 holds.
fn expect_halves(x: &[f32]) -> Result<(), String> {
    // Half a step past 65504 and more rounds to infinity.
    const FIRST_TOO_LARGE: f32 = 65_520.0;
    match x.iter().position(|x| x.is_nan() || x.abs() >= FIRST_TOO_LARGE) {
        None => Ok(()),
        Some(at) => Err(format!(
            "element {at} is {}; weights are finite and at most 65504 in size",
            x[at]
        )),
    }
}

fn narrowed(x: &[f32], out: &mut [u8]) -> Result<(), String> {
    expect_halves(x)?;
    let mut halves = vec![0; x.len()];
    halves::narrow(x, &mut halves);
    out.copy_from_slice(bytemuck::cast_slice(&halves));
    Ok(())
}

/// As llama.cpp's Q4_0: a block's scale is an eighth of its largest element, with that one's sign turned, so that it is
/// the one whose nibble is 0.
fn quantized(x: &[f32], out: &mut [u8], scales: &mut [u8]) -> Result<(), String> {
    expect_halves(x)?;
    let (blocks, _) = x.as_chunks::<BLOCK>();
    let (out, _) = out.as_chunks_mut::<{ BLOCK / 2 }>();
    let (scales, _) = scales.as_chunks_mut::<HALF>();
    for (x, (out, stored)) in blocks.iter().zip(out.iter_mut().zip(scales)) {
        let most = x
            .iter()
            .fold(0.0, |most: f32, &x| if x.abs() > most.abs() { x } else { most });
        let scale = most / -8.0;
        *stored = f16::from_f32(scale).to_le_bytes();
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        let nibble = |x: f32| (x * inverse + 8.5).clamp(0.0, 15.0) as u8;
        let (low, high) = x.split_at(BLOCK / 2);
        for (out, (&low, &high)) in out.iter_mut().zip(low.iter().zip(high)) {
            *out = nibble(low) | nibble(high) << 4;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_of_two_halves_becomes_one_of_neighbours() {
        let matrix = Matrix::new("", 16, 1).turned(8);
        let sources: Vec<usize> = (0..16).map(|row| matrix.source(row)).collect();
        assert_eq!(sources, [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15]);
    }

    #[test]
    fn four_bits_are_those_nearest_to_the_weights() {
        let mut x = [0.0; 2 * BLOCK];
        x[..5].copy_from_slice(&[-4.0, 3.5, 0.24, 0.26, -0.26]);
        let (mut out, mut scales) = ([1; BLOCK], [1; 2 * HALF]);
        quantized(&x, &mut out, &mut scales).expect("finite");
        let scale = |block: usize| f16::from_le_bytes([scales[2 * block], scales[2 * block + 1]]).to_f32();
        assert_eq!([scale(0), scale(1)], [0.5, 0.0]);
        assert_eq!(
            out[..5].iter().map(|out| out & 15).collect::<Vec<_>>(),
            [0, 15, 8, 9, 7]
        );
        assert!(out[BLOCK / 2..].iter().all(|&out| out == 0x88));
    }

    #[test]
    fn what_is_no_half_is_refused() {
        for wrong in [f32::NAN, f32::INFINITY, -65_520.0] {
            let reason = expect_halves(&[1.0, 65_519.0, wrong]).expect_err("no half");
            assert!(reason.contains("element 2"), "{reason}");
        }
    }
}
