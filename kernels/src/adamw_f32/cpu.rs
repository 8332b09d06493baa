//! On the CPU: a line of each output at a time, stored past the cache.

use attest::spec::Dims;

use super::{BETAS, EPSILON, LEARNING_RATE, WEIGHT_DECAY, corrections};
use crate::stream::map_into;

pub(super) fn run(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    const DECAY: f32 = (1.0 - LEARNING_RATE * WEIGHT_DECAY) as f32;
    const SHARE: [f32; 2] = [(1.0 - BETAS[0]) as f32, (1.0 - BETAS[1]) as f32];
    let from = [0, 1, 2, 3].map(|index| bytemuck::cast_slice::<u8, f32>(inputs[index]));
    let [p, m, v] = outputs else {
        unreachable!("the specification has three outputs")
    };
    let to = [p, m, v].map(|output| bytemuck::cast_slice_mut(output));
    let [rate, root] = corrections().map(|correction| correction as f32);
    map_into(to, from, |[p, g, m, v]| {
        let m = m + SHARE[0] * (g - m);
        let v = BETAS[1] as f32 * v + SHARE[1] * (g * g);
        [DECAY * p - rate * (m / (v.sqrt() * root + EPSILON as f32)), m, v]
    });
}
