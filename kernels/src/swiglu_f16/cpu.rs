//! On the CPU: strips widened to f32 beside the first-level cache.

use attest::spec::Dims;

use crate::exp::exp;
use crate::halves::map_into;
use crate::wide::wide;

pub(super) fn run(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let y = bytemuck::cast_slice_mut(outputs[0]);
    map_into(
        y,
        [0, 1].map(|index| bytemuck::cast_slice(inputs[index])),
        |[a, b]| swiglu(a, b),
    );
}

wide! {
    fn swiglu(a: &mut [f32], b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a = *a / (1.0 + exp(-*a)) * b;
        }
    }
}
