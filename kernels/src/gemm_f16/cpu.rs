//! On the CPU: widened, summed in f32, narrowed once to the nearest, ties to even.

use attest::spec::Dims;
use half::f16;
use half::slice::HalfBitsSliceExt as _;

use crate::product::{Shape, narrowed};
use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name));
    let [a, b] = [inputs[0], inputs[1]].map(bytemuck::cast_slice::<u8, u16>);
    let c: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    narrowed::<f16, f16>(
        Shape { m, n, k },
        a.reinterpret_cast(),
        b.reinterpret_cast(),
        c.reinterpret_cast_mut(),
    );
}
