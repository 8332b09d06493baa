//! How the kernels are launched.

use attest::spec::Dims;

use crate::workload::{Kernel, Launch, Plan, Slot, Target, dim};

static KERNEL: Kernel = Kernel {
    name: "conv2d_f16",
    folder: "conv2d_f16",
    ptx: Some(include_str!("conv2d_f16.ptx")),
    spirv: Some(include_bytes!("conv2d_f16.spv")),
};

/// Pixels and channels of the outputs that one block computes, and its threads.
const PIXELS: usize = 128;
const CHANNELS: usize = 64;
const THREADS: u32 = 128;

/// Every Vulkan device takes this many groups in one dimension; the kernel strides over further pixels.
const MAX_GROUPS: usize = 65_535;

pub(super) fn plan(dims: &Dims, _target: Target) -> Plan {
    let [
        batch,
        height,
        width,
        cin,
        cout,
        kernel,
        stride,
        pad,
        oheight,
        owidth,
    ] = super::NAMES.map(|name| dim(dims, name));
    let pixels = batch * oheight * owidth;
    let window = kernel | stride << 8 | pad << 16;
    Plan {
        scratch: vec![],
        launches: vec![Launch {
            kernel: &KERNEL,
            grid: [
                cout.div_ceil(CHANNELS) as u32,
                pixels.div_ceil(PIXELS).min(MAX_GROUPS) as u32,
                1,
            ],
            block: [THREADS, 1, 1],
            push: [pixels, height, width, cin, cout, oheight, owidth, window]
                .map(|size| size as u32)
                .to_vec(),
            buffers: vec![Slot::Input(0), Slot::Input(1), Slot::Output(0)],
            shared: 0,
        }],
    }
}
