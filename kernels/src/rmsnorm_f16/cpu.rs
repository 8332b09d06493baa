//! On the CPU: one row a task, widened to f32 beside the first-level cache.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::halves::{narrow, widen};
use crate::wide::{sum_of, wide};
use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let cols = dim(dims, "cols");
    let epsilon = super::epsilon(dims);
    let x: &[u16] = bytemuck::cast_slice(inputs[0]);
    let mut w = vec![0.0; cols];
    widen(bytemuck::cast_slice(inputs[1]), &mut w);
    let y: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    y.par_chunks_mut(cols).zip(x.par_chunks(cols)).for_each_init(
        || vec![0.0; cols],
        |row, (y, x)| {
            widen(x, row);
            normalize(row, &w, epsilon);
            narrow(row, y);
        },
    );
}

wide! {
    fn normalize(row: &mut [f32], w: &[f32], epsilon: f64) {
        let squares = sum_of(row, |x| x * x);
        let scale = 1.0 / (squares / row.len() as f64 + epsilon).sqrt();
        let scale = scale as f32;
        for (x, w) in row.iter_mut().zip(w) {
            *x = *x * scale * w;
        }
    }
}
