//! On the CPU: one group a task, widened to f32 by strips that stay in the first-level cache, once for its mean and variance
//! and once for its outputs.

use attest::spec::Dims;
use rayon::prelude::*;

use crate::elements::f16s;
use crate::halves::{narrow, widen};
use crate::wide::{sum_of, wide};
use crate::workload::dim;

/// 16 KiB of f32.
const STRIP: usize = 4096;

pub(super) fn run(dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let [groups, gchannels, pixels] = ["groups", "gchannels", "pixels"].map(|name| dim(dims, name));
    let cols = gchannels * pixels;
    let x: &[u16] = bytemuck::cast_slice(inputs[0]);
    let [w, b] = [inputs[1], inputs[2]].map(|input| f16s(input, 0..groups * gchannels).collect::<Vec<f32>>());
    let y: &mut [u16] = bytemuck::cast_slice_mut(outputs[0]);
    let tasks = y.par_chunks_mut(cols).zip(x.par_chunks(cols)).enumerate();
    tasks.for_each(|(row, (y, x))| {
        let mut strip = [0.0; STRIP];
        let moments = moments(x, &mut strip);
        let scale = 1.0 / (moments.squares / moments.count + super::EPSILON).sqrt();
        let channels = row % groups * gchannels..;
        let pairs = y.chunks_mut(pixels).zip(x.chunks(pixels));
        for (channel, (y, x)) in channels.zip(pairs) {
            for (y, x) in y.chunks_mut(STRIP).zip(x.chunks(STRIP)) {
                let strip = &mut strip[..x.len()];
                widen(x, strip);
                shift(strip, moments.mean as f32, scale as f32 * w[channel], b[channel]);
                narrow(strip, y);
            }
        }
    });
}

/// Of some numbers: how many, their mean, and the sum of squares around it.
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

fn moments(x: &[u16], strip: &mut [f32; STRIP]) -> Moments {
    let mut all = Moments::default();
    for x in x.chunks(STRIP) {
        let strip = &mut strip[..x.len()];
        widen(x, strip);
        all.join(&of_strip(strip));
    }
    all
}

impl Moments {
    fn join(&mut self, other: &Self) {
        let (count, apart) = (self.count + other.count, other.mean - self.mean);
        self.mean += apart * other.count / count;
        self.squares += other.squares + apart * apart * self.count * other.count / count;
        self.count = count;
    }
}

wide! {
    fn of_strip(strip: &[f32]) -> Moments {
        let count = strip.len() as f64;
        let mean = (sum_of(strip, |x| x) / count) as f32;
        let squares = sum_of(strip, |x| (x - mean) * (x - mean));
        Moments { count, mean: f64::from(mean), squares }
    }
}

wide! {
    fn shift(strip: &mut [f32], mean: f32, factor: f32, bias: f32) {
        for x in strip {
            *x = (*x - mean) * factor + bias;
        }
    }
}
