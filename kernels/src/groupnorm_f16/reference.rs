//! The authority for `groupnorm.f16.v1`.

use attest::spec::Dims;

use crate::elements::f16s;
use crate::workload::{Row, dim};

/// The pixels of one channel of one image.
pub(super) fn row(dims: &Dims, inputs: &[&[u8]], row: Row) -> Vec<f64> {
    let [groups, gchannels, pixels] = ["groups", "gchannels", "pixels"].map(|name| dim(dims, name));
    let (row, cols) = (row.index as usize, gchannels * pixels);
    let first = row / gchannels * cols;
    let group: Vec<f64> = f16s(inputs[0], first..first + cols).map(f64::from).collect();
    let mean = group.iter().sum::<f64>() / cols as f64;
    let squares: f64 = group.iter().map(|x| (x - mean) * (x - mean)).sum();
    let root = (squares / cols as f64 + super::EPSILON).sqrt();
    let channel = row % (groups * gchannels);
    let [w, b] =
        [inputs[1], inputs[2]].map(|input| f16s(input, channel..channel + 1).map(f64::from).sum::<f64>());
    let first = row % gchannels * pixels;
    let x = &group[first..first + pixels];
    x.iter().map(|x| (x - mean) / root * w + b).collect()
}
