//! On the CPU: one row a task, widened to f32 beside the first-level cache.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::elements::f16s;
use crate::halves::{narrow, widen};
use crate::wide::{sum_of, wide};
use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let cols = dim(dims, "cols");
    let x: &[u16] = bytemuck::cast_slice(inputs[0]);
    let [w, b] = [inputs[1], inputs[2]].map(|input| f16s(input, 0..cols).collect::<Vec<f32>>());
    let y: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    y.par_chunks_mut(cols).zip(x.par_chunks(cols)).for_each_init(
        || vec![0.0; cols],
        |row, (y, x)| {
            widen(x, row);
            normalize(row, &w, &b);
            narrow(row, y);
        },
    );
}

wide! {
    fn normalize(row: &mut [f32], w: &[f32], b: &[f32]) {
        let cols = row.len() as f64;
        let mean = (sum_of(row, |x| x) / cols) as f32;
        let squares = sum_of(row, |x| (x - mean) * (x - mean));
        let scale = (1.0 / (squares / cols + super::EPSILON).sqrt()) as f32;
        for (x, (w, b)) in row.iter_mut().zip(w.iter().zip(b)) {
            *x = (*x - mean) * scale * w + b;
        }
    }
}
