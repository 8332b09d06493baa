//! On the CPU: widened while packing, summed in f32, narrowed once to the nearest, ties to even.

use std::cell::RefCell;

use attest::spec::Dims;
use half::f16;
use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};
use rayon::prelude::*;

use crate::product::{Shape, Tile, product};
use crate::workload::dim;

thread_local! {
    /// Sums in f32, kept from call to call.
    static SUMS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [m, n, k] = ["m", "n", "k"].map(|name| dim(dims, name));
    let [a, b] =
        [inputs[0], inputs[1]].map(|bytes| bytemuck::cast_slice::<u8, u16>(bytes).reinterpret_cast());
    let mut sums = SUMS.take();
    sums.resize(m * n, 0);
    product::<f16>(Shape { m, n, k }, a, b, &mut sums, Tile::fused());
    narrow(bytemuck::cast_slice(&sums), bytemuck::cast_slice_mut(outputs[0]));
    SUMS.set(sums);
}

fn narrow(sums: &[f32], c: &mut [u16]) {
    const STRIP: usize = 1 << 14;
    c.par_chunks_mut(STRIP)
        .zip(sums.par_chunks(STRIP))
        .for_each(|(c, sums)| c.reinterpret_cast_mut::<f16>().convert_from_f32_slice(sums));
}
