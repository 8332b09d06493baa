//! On the CPU.

use attest::spec::Dims;

use crate::dots::{are_available, dots};
use crate::product::{Shape, Tile, product};
use crate::workload::dim;

/// Rows of A for which B is not repacked.
const FEW: usize = 64;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name));
    let [a, b] = [inputs[0], inputs[1]].map(bytemuck::cast_slice::<u8, f32>);
    let shape = Shape { m, n, k };
    match m <= FEW && k > 0 && are_available() {
        true => {
            let c: &mut [f32] = bytemuck::cast_slice_mut(outputs[0]);
            dots(shape, a, b, c, |sums, c| c.copy_from_slice(sums));
        }
        false => product(shape, a, b, bytemuck::cast_slice_mut(outputs[0]), Tile::fused()),
    }
}
