//! On the CPU.

use attest::spec::Dims;

use crate::stream::zip_into;

pub(super) fn run(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let x: &[f32] = bytemuck::cast_slice(inputs[0]);
    // The second input is the first again: a load that the compiler drops.
    zip_into(bytemuck::cast_slice_mut(outputs[0]), x, x, |x, _| x);
}
