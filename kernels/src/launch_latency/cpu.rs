//! On the CPU: a task that every thread takes and the caller waits for.

use attest::spec::Dims;

use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let x: &[i32] = bytemuck::cast_slice(inputs[0]);
    let y: &mut [i32] = bytemuck::cast_slice_mut(outputs[0]);
    y[0] = (0..dim(dims, "launches")).fold(x[0], |number, _| {
        let taken = rayon::broadcast(|_| number + 1);
        taken[0]
    });
}
