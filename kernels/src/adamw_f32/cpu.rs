//! On the CPU: by strips that stay in the first-level cache and are stored past it.

use attest::spec::Dims;

use super::{BETAS, EPSILON, LEARNING_RATE, WEIGHT_DECAY, corrections};
use crate::stream::strips_into;
use crate::wide::wide;

pub(super) fn run(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let from = [0, 1, 2, 3].map(|index| bytemuck::cast_slice::<u8, f32>(inputs[index]));
    let [p, m, v] = outputs else {
        unreachable!("the specification has three outputs")
    };
    let corrections = corrections().map(|correction| correction as f32);
    strips_into(
        [p, m, v].map(|output| bytemuck::cast_slice_mut(output)),
        |range, strips| step(strips, from.map(|input| &input[range.clone()]), corrections),
    );
}

wide! {
    fn step(to: [&mut [f32]; 3], from: [&[f32]; 4], corrections: [f32; 2]) {
        const DECAY: f32 = (1.0 - LEARNING_RATE * WEIGHT_DECAY) as f32;
        const SHARE: [f32; 2] = [(1.0 - BETAS[0]) as f32, (1.0 - BETAS[1]) as f32];
        let [rate, root] = corrections;
        let [p, g, m, v] = from;
        let [to_p, to_m, to_v] = to;
        let targets = to_p.iter_mut().zip(to_m).zip(to_v);
        for (((to_p, to_m), to_v), ((p, g), (m, v))) in targets.zip(p.iter().zip(g).zip(m.iter().zip(v))) {
            *to_m = m + SHARE[0] * (g - m);
            *to_v = BETAS[1] as f32 * v + SHARE[1] * (g * g);
            *to_p = DECAY * p - rate * (*to_m / (to_v.sqrt() * root + EPSILON as f32));
        }
    }
}
