//! On the CPU: strips widened to f32 beside the first-level cache.

use attest::spec::Dims;

use crate::exp::exp;
use crate::halves::map_into;
use crate::wide::wide;

pub(super) fn run(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let y = bytemuck::cast_slice_mut(outputs[0]);
    map_into(y, [bytemuck::cast_slice(inputs[0])], |[x]| gelu(x));
}

wide! {
    fn gelu(strip: &mut [f32]) {
        /// 2 √(2/π), and that times 0.044715.
        const SLOPE: f32 = 1.595_769;
        const CUBIC: f32 = 0.071_354_814;
        for x in strip {
            let twice_u = *x * (SLOPE + CUBIC * (*x * *x));
            *x /= 1.0 + exp(-twice_u);
        }
    }
}
