//! The authority for `rope.f16.v1`: angles from the position, not from the table.

use attest::spec::Dims;

use super::step;
use crate::elements::f16s;
use crate::workload::{Row, dim};

pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let [heads, width] = ["heads", "width"].map(|name| dim(dims, name));
    let index = row.index as usize;
    let token = (index / heads) as f64;
    let x: Vec<f64> = f16s(inputs[0], index * width..(index + 1) * width)
        .map(f64::from)
        .collect();
    let (pairs, _) = x.as_chunks();
    let turned = pairs.iter().enumerate().map(|(pair, [a, b])| {
        let (sin, cos) = (token * step(pair, width)).sin_cos();
        [a * cos - b * sin, a * sin + b * cos]
    });
    turned.flatten().collect()
}
