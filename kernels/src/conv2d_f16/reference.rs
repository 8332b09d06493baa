//! The authority for `conv2d.f16.v1`: products and sums in f64.

use attest::spec::Dims;

use crate::elements::{dot, f16s};
use crate::workload::{Row, dim};

/// Every channel of one pixel.
pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let [_, height, width, cin, cout, kernel, stride, pad, oheight, owidth] =
        super::NAMES.map(|name| dim(dims, name));
    let pixel = row.index as usize;
    let (image, oy, ox) = (
        pixel / (oheight * owidth),
        pixel / owidth % oheight,
        pixel % owidth,
    );
    let mut taps = Vec::with_capacity(kernel * kernel * cin);
    for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
        let inside = |at: usize, side: usize| at.checked_sub(pad).filter(|&at| at < side);
        match (inside(oy * stride + ky, height), inside(ox * stride + kx, width)) {
            (Some(y), Some(x)) => {
                let first = ((image * height + y) * width + x) * cin;
                taps.extend(f16s(inputs[0], first..first + cin).map(f64::from));
            }
            _ => taps.resize(taps.len() + cin, 0.0),
        }
    }
    let k = taps.len();
    (0..cout)
        .map(|channel| {
            dot(
                &taps,
                f16s(inputs[1], channel * k..(channel + 1) * k).map(f64::from),
            )
        })
        .collect()
}
