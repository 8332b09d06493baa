//! On the CPU.

use attest::spec::Dims;
use rayon::prelude::*;

pub(super) fn run(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let part = inputs[0].len().div_ceil(rayon::current_num_threads());
    outputs[0]
        .par_chunks_mut(part)
        .zip(inputs[0].par_chunks(part))
        .for_each(|(y, x)| y.copy_from_slice(x));
}
