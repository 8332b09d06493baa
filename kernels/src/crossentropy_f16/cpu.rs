//! On the CPU: one row a task. Exponentials stay in the second-level cache, each strip's relative to its largest logit.

use attest::spec::Dims;
use half::f16;
use rayon::prelude::*;

use super::SCALE;
use crate::exp::exp;
use crate::halves::{narrow, widen};
use crate::wide::{maximum, sum_of, wide};
use crate::workload::dim;

/// Logits of a strip: 8 KiB of f32.
pub(crate) const STRIP: usize = 2048;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let vocab = dim(dims, "vocab");
    let logits: &[u16] = bytemuck::cast_slice(inputs[0]);
    let labels: &[u32] = bytemuck::cast_slice(inputs[1]);
    let [loss, gradient] = outputs else {
        unreachable!("the specification has two outputs")
    };
    let losses: &mut [f32] = bytemuck::cast_slice_mut(loss);
    let gradient: &mut [u16] = bytemuck::cast_slice_mut(gradient);
    let rows = gradient.par_chunks_mut(vocab).zip(losses);
    rows.zip(logits.par_chunks(vocab).zip(labels)).for_each_init(
        || (vec![0.0; vocab], Vec::with_capacity(vocab.div_ceil(STRIP))),
        |(powers, peaks), ((gradient, loss), (logits, &label))| {
            *loss = row(logits, label as usize, gradient, powers, peaks);
        },
    );
}

/// Fills the gradient of one row and returns its loss.
fn row(
    logits: &[u16],
    label: usize,
    gradient: &mut [u16],
    powers: &mut [f32],
    peaks: &mut Vec<[f32; 2]>,
) -> f32 {
    let strips = |start: usize, strip: &mut [f32]| widen(&logits[start..start + strip.len()], strip);
    let sum = softmax(powers, peaks, SCALE, strips, |start, strip| {
        narrow(strip, &mut gradient[start..start + strip.len()]);
    });
    gradient[label] = f16::from_f32(powers[label] - SCALE as f32).to_bits();
    (sum - f16::from_bits(logits[label]).to_f64()) as f32
}

/// Fills `powers` with `scale` times the softmax of a row of logits, strip by strip: `begin` puts a strip's logits there, from
/// a column on, and `end` sees what became of them. Returns the logarithm of the sum of exponentials.
pub(crate) fn softmax(
    powers: &mut [f32],
    peaks: &mut Vec<[f32; 2]>,
    scale: f64,
    begin: impl Fn(usize, &mut [f32]),
    mut end: impl FnMut(usize, &[f32]),
) -> f64 {
    peaks.clear();
    let strips = (0..).step_by(STRIP).zip(powers.chunks_mut(STRIP));
    peaks.extend(strips.map(|(start, powers)| {
        begin(start, powers);
        exponentials(powers)
    }));
    let top = peaks
        .iter()
        .fold(f32::NEG_INFINITY, |top, [peak, _]| top.max(*peak));
    let sum: f64 = peaks
        .iter()
        .map(|[peak, sum]| f64::from(exp(peak - top) * sum))
        .sum();
    let share = scale / sum;
    let strips = (0..).step_by(STRIP).zip(powers.chunks_mut(STRIP));
    for ((start, powers), [peak, _]) in strips.zip(&*peaks) {
        times(powers, (f64::from(exp(peak - top)) * share) as f32);
        end(start, powers);
    }
    sum.ln() + f64::from(top)
}

wide! {
    /// Replaces logits by their exponentials relative to the largest; returns that and the sum.
    fn exponentials(x: &mut [f32]) -> [f32; 2] {
        let peak = maximum(x);
        for x in x.iter_mut() {
            *x = exp(*x - peak);
        }
        [peak, sum_of(x, |x| x) as f32]
    }
}

wide! {
    fn times(x: &mut [f32], factor: f32) {
        for x in x {
            *x *= factor;
        }
    }
}
