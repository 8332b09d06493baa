//! On the CPU: widened, summed in f32, narrowed once to the nearest, ties to even.

use attest::spec::Dims;
use half::bf16;
use half::slice::HalfBitsSliceExt as _;

use crate::fp8::E4m3;
use crate::product::{Shape, narrowed};
use crate::workload::dim;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name));
    let c: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    narrowed::<E4m3, bf16>(
        Shape { m, n, k },
        E4m3::of(inputs[0]),
        E4m3::of(inputs[1]),
        c.reinterpret_cast_mut(),
    );
}
