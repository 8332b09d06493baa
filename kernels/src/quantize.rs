//! Activations as `gemv.q4.v1` takes them: halves to i8 in blocks of 32 with an f16 scale each. A block's scale is the half
//! nearest to its largest |x| / 127, and its integers are those nearest to x / scale, ties to even and at most 127 in size;
//! all are zero where the scale is. Every device gives the same bits. Sizes: `blocks`.

use attest::spec::Dims;

use crate::halves::{narrow, widen};
pub(crate) use crate::q4::BLOCK;
use crate::stages::Op;
use crate::wide::wide;
use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

/// `x` to integers and scales.
pub(crate) static OP: Op = Op {
    plan,
    cpu,
    limits: None,
};

static KERNEL: Kernel = Kernel {
    name: "quantize",
    folder: "quantize",
    ptx: Some(include_str!("quantize/quantize.ptx")),
    spirv: Some(include_bytes!("quantize/quantize.spv")),
};

/// One thread a block: few, so that a row of activations is spread over multiprocessors.
const THREADS: usize = 64;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over the rest.
const MAX_GROUPS: usize = 65_535;

/// One launch, as a workload's.
pub fn plan(dims: &Dims, _target: Target) -> Plan {
    let blocks = dim(dims, "blocks");
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [blocks.div_ceil(THREADS).min(MAX_GROUPS) as u32, 1, 1],
            block: [THREADS as u32, 1, 1],
            push: vec![blocks as u32],
            buffers: vec![Slot::Input(0), Slot::Output(0), Slot::Output(1)],
            shared: 0,
        }],
    }
}

/// On the processor, as a workload's.
pub fn cpu(_dims: &Dims, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let x: &[[u16; BLOCK]] = bytemuck::cast_slice(inputs[0]);
    let [y, scales] = outputs else {
        unreachable!("integers and scales")
    };
    let y: &mut [[i8; BLOCK]] = bytemuck::cast_slice_mut(y);
    let scales: &mut [u16] = bytemuck::cast_slice_mut(scales);
    let (mut wide, mut steps) = ([[0.0; BLOCK]; STRIP], [0.0; STRIP]);
    let strips = y.chunks_mut(STRIP).zip(scales.chunks_mut(STRIP));
    for (x, (y, scales)) in x.chunks(STRIP).zip(strips) {
        let (wide, steps) = (&mut wide[..x.len()], &mut steps[..x.len()]);
        widen(x.as_flattened(), wide.as_flattened_mut());
        largest_steps(wide, steps);
        narrow(steps, scales);
        widen(scales, steps);
        integers(wide, steps, y);
    }
}

/// Blocks that are widened together: 8 KiB of f32.
const STRIP: usize = 64;

wide! {
    /// Of each block, the step at which its largest element is 127.
    fn largest_steps(x: &[[f32; BLOCK]], steps: &mut [f32]) {
        for (x, step) in x.iter().zip(steps) {
            *step = largest(x) / 127.0;
        }
    }
}

wide! {
    fn integers(x: &[[f32; BLOCK]], steps: &[f32], y: &mut [[i8; BLOCK]]) {
        for (y, (x, step)) in y.iter_mut().zip(x.iter().zip(steps)) {
            integers_of(x, *step, y);
        }
    }
}

/// Of the sizes of a block's elements.
#[inline(always)]
fn largest(x: &[f32; BLOCK]) -> f32 {
    const LANES: usize = 8;
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut lanes = [0.0; LANES];
    for x in x.as_chunks::<LANES>().0 {
        for (lane, x) in lanes.iter_mut().zip(x) {
            *lane = larger(x.abs(), *lane);
        }
    }
    lanes.into_iter().fold(0.0, larger)
}

/// 3 * 2^22, beside which an f32 has no room for fractions: adding it rounds to the nearest integer, ties to even, which then
/// stands in the low byte.
const ROUNDING: f32 = 12_582_912.0;

/// f32 quotients of two halves lie on the side of each tie on which the true ones do.
#[inline(always)]
fn integers_of(x: &[f32; BLOCK], scale: f32, y: &mut [i8; BLOCK]) {
    if scale == 0.0 {
        return y.fill(0);
    }
    for (y, x) in y.iter_mut().zip(x) {
        *y = ((x / scale).clamp(-127.0, 127.0) + ROUNDING).to_bits() as i8;
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use crate::specify::dims_of;

    use super::*;

    fn quantized(x: &[f32]) -> (Vec<i8>, Vec<f32>) {
        let x: Vec<u16> = x.iter().map(|&x| f16::from_f32(x).to_bits()).collect();
        let blocks = x.len() / BLOCK;
        let (mut y, mut scales) = (vec![1i8; x.len()], vec![1u16; blocks]);
        cpu(
            &dims_of(&[("blocks", blocks as u64)]),
            &[bytemuck::cast_slice(&x)],
            &mut [
                bytemuck::cast_slice_mut(&mut y),
                bytemuck::cast_slice_mut(&mut scales),
            ],
        );
        (
            y,
            scales
                .into_iter()
                .map(|bits| f16::from_bits(bits).to_f32())
                .collect(),
        )
    }

    #[test]
    fn blocks_are_scaled_by_their_largest_element_and_ties_go_to_even() {
        let mut x = [0.0; 3 * BLOCK];
        x[..6].copy_from_slice(&[-127.0, 0.5, 1.5, 2.5, -3.5, 0.4]);
        x[BLOCK] = 254.0;
        x[2 * BLOCK - 1] = -2.0;
        let (y, scales) = quantized(&x);
        assert_eq!(scales, [1.0, 2.0, 0.0]);
        assert_eq!(y[..6], [-127, 0, 2, 2, -4, 0]);
        assert_eq!((y[BLOCK], y[2 * BLOCK - 1]), (127, -1));
        assert!(y[2 * BLOCK..].iter().all(|&y| y == 0));
    }

    #[test]
    fn integers_stay_within_127_where_a_scale_is_rounded_down_to_a_subnormal() {
        let least = f32::powi(2.0, -24);
        let mut x = [0.0; BLOCK];
        x[0] = 190.0 * least;
        let (y, scales) = quantized(&x);
        assert_eq!((y[0], scales[0]), (127, least));
    }
}
