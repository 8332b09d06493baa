//! The authority for `crossentropy.f16.v1`.

use attest::spec::Dims;
use rayon::prelude::*;

use super::SCALE;
use crate::elements::{f16s, u32s};
use crate::workload::{Row, VECTOR_ROW, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let index = row.index as usize;
    if row.output == 0 {
        let (rows, width) = (dim(dims, "rows"), VECTOR_ROW as usize);
        let losses = (index * width..rows.min((index + 1) * width)).into_par_iter();
        return losses.map(|row| Softmax::of(dims, inputs, row).loss()).collect();
    }
    Softmax::of(dims, inputs, index).gradient()
}

/// One row of logits, less the largest of them.
struct Softmax {
    logits: Vec<f64>,
    sum: f64,
    label: usize,
}

impl Softmax {
    fn of(dims: &Dims, inputs: &[&[u8]], row: usize) -> Self {
        let vocab = dim(dims, "vocab");
        let x: Vec<f64> = f16s(inputs[0], row * vocab..(row + 1) * vocab)
            .map(f64::from)
            .collect();
        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let logits: Vec<f64> = x.iter().map(|x| x - max).collect();
        Self {
            sum: logits.iter().map(|x| x.exp()).sum(),
            label: u32s(inputs[1], row..row + 1).map(|label| label as usize).sum(),
            logits,
        }
    }

    fn loss(&self) -> f64 {
        self.sum.ln() - self.logits[self.label]
    }

    fn gradient(&self) -> Vec<f64> {
        let mut gradient: Vec<f64> = self.logits.iter().map(|x| SCALE * x.exp() / self.sum).collect();
        gradient[self.label] -= SCALE;
        gradient
    }
}
