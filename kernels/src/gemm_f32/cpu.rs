//! On the CPU.

use attest::spec::Dims;

use crate::product::{Shape, fused};
use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name));
    fused(
        Shape { m, n, k },
        bytemuck::cast_slice(inputs[0]),
        bytemuck::cast_slice(inputs[1]),
        bytemuck::cast_slice_mut(outputs[0]),
    );
}
