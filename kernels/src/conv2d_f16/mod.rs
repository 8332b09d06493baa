//! `conv2d.f16.v1`: two-dimensional convolution as networks define it (a correlation, no dilation, one group), f16 in memory,
//! summed in f32 and narrowed once: y[n, oy, ox, o] = sum over ky, kx, c of x[n, oy * stride + ky - pad, ox * stride + kx - pad, c] *
//! w[o, ky, kx, c], where x is zero outside of the image. The kernel is square.
//!
//! Channels come last (NHWC), in images and in weights: the taps of one pixel are then stretches of memory, which is the layout
//! that matrix units and their libraries want, and PyTorch's `channels_last`. Operations count every tap, those that fall on
//! the padding included, as is customary.

mod cpu;
mod launch;
mod reference;
mod tile;

use std::sync::LazyLock;

use attest::spec::{Cache, Case, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::specify::{case, formula, sizes, tensor};
use crate::workload::{Kind, Reference, Workload, dim};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: None,
    derived: None,
    limits: Some(limits),
    odd_sizes,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "conv2d.f16.v1".into(),
    title: "Convolution of images in f16 with sums in f32, channels last.".into(),
    group: "vision".into(),
    class: Class::Float,
    cache: Cache::Hot,
    cases: vec![
        // ResNet-20 on CIFAR-10, its last stage, four images.
        images("8x8x64", Size::Small, [4, 8, 64, 64, 3, 1, 1]),
        // ResNet-50 on ImageNet, eight images: the first layer, the 3 x 3 layers of its four stages, the last layer of a block.
        images("resnet50-stem", Size::Standard, [8, 224, 3, 64, 7, 2, 3]),
        images("resnet50-56x56x64", Size::Standard, [8, 56, 64, 64, 3, 1, 1]),
        images("resnet50-28x28x128", Size::Standard, [8, 28, 128, 128, 3, 1, 1]),
        images("resnet50-14x14x256", Size::Standard, [8, 14, 256, 256, 3, 1, 1]),
        images("resnet50-7x7x512", Size::Standard, [8, 7, 512, 512, 3, 1, 1]),
        images("resnet50-14x14x1024", Size::Standard, [8, 14, 256, 1024, 1, 1, 0]),
        // SDXL's UNet, two images, with the prompt and without.
        images("sdxl-64x64x640", Size::Standard, [2, 64, 640, 640, 3, 1, 1]),
        images("sdxl-128x128x320", Size::Standard, [2, 128, 320, 320, 3, 1, 1]),
        // Both with many images.
        images("resnet50-256x14x14x256", Size::Large, [256, 14, 256, 256, 3, 1, 1]),
        images("sdxl-16x64x64x640", Size::Large, [16, 64, 640, 640, 3, 1, 1]),
    ],
    inputs: vec![
        tensor("conv2d.f16/x", Dtype::F16, &["batch", "height", "width", "cin"]),
        tensor("conv2d.f16/w", Dtype::F16, &["cout", "kernel", "kernel", "cin"]),
    ],
    outputs: vec![tensor("y", Dtype::F16, &["batch", "oheight", "owidth", "cout"])],
    flop: formula("2*batch*oheight*owidth*cout*kernel*kernel*cin"),
    bytes: formula("2*batch*height*width*cin + 2*cout*kernel*kernel*cin + 2*batch*oheight*owidth*cout"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 488_340_000,
        abs_ppt: formula("29810 + 238420*kernel*kernel*cin"),
        derivation: "Sums in f32 of k = kernel*kernel*cin products err by at most 4*k*2^-24 (40 times the expected error of k \
                     roundings of partial sums that walk at random with standard deviation sqrt(i)/3); narrowing to f16 \
                     adds 2^-11 of the value, or 2^-25 where it is subnormal. Sums kept in f16 err by 2^13 times as much."
            .into(),
    }),
}
});

const NAMES: [&str; 10] = [
    "batch", "height", "width", "cin", "cout", "kernel", "stride", "pad", "oheight", "owidth",
];

/// Places of the kernel along a side of the image.
fn places(side: u64, kernel: u64, stride: u64, pad: u64) -> u64 {
    (side + 2 * pad - kernel) / stride + 1
}

/// Square images: batch, side, cin, cout, kernel, stride, pad.
fn images(name: &str, size: Size, [batch, side, cin, cout, kernel, stride, pad]: [u64; 7]) -> Case {
    let out = places(side, kernel, stride, pad);
    let sizes = [batch, side, side, cin, cout, kernel, stride, pad, out, out];
    let dims: Vec<_> = NAMES.into_iter().zip(sizes).collect();
    case(name, size, &dims)
}

/// One product, images smaller than the kernel, channels that vectors divide and do not, strides past the kernel, kernels on
/// nothing but padding, pixels and channels around the sizes of tiles.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 1, 1, 1, 1, 1, 0],
        [1, 1, 1, 3, 5, 3, 1, 1],
        [2, 5, 3, 8, 17, 1, 1, 0],
        [1, 7, 9, 16, 64, 3, 2, 1],
        [3, 4, 4, 5, 7, 3, 1, 1],
        [1, 9, 6, 3, 66, 7, 2, 3],
        [2, 8, 8, 24, 65, 3, 1, 1],
        [1, 13, 11, 12, 3, 5, 3, 4],
        [1, 3, 130, 4, 2, 1, 2, 0],
        [1, 2, 3, 257, 33, 3, 1, 2],
        [5, 6, 7, 40, 31, 3, 1, 1],
    ];
    let whole = list.map(|[batch, height, width, cin, cout, kernel, stride, pad]| {
        let [oheight, owidth] = [height, width].map(|side| places(side, kernel, stride, pad));
        [
            batch, height, width, cin, cout, kernel, stride, pad, oheight, owidth,
        ]
    });
    sizes(NAMES, &whole)
}

/// What kernels take in one byte each.
const MOST_KERNEL: u64 = 255;

/// A kernel strides 65,535 * 128 pixels past the last one.
const MOST_ELEMENTS: u64 = (1 << 32) - (1 << 23);

const MOST_CHANNELS: u64 = 65_535 * 64;

fn limits(dims: &Dims) -> Option<String> {
    let sizes @ [
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
    ] = NAMES.map(|name| dim(dims, name) as u64);
    if let Some(index) = sizes
        .iter()
        .position(|&size| size == 0)
        .filter(|&index| NAMES[index] != "pad")
    {
        return Some(format!("{} of 0: nothing to convolve", NAMES[index]));
    }
    if kernel.max(stride).max(pad) > MOST_KERNEL {
        return Some(format!(
            "kernel, stride and pad of {kernel}, {stride} and {pad} are past {MOST_KERNEL}"
        ));
    }
    if cout > MOST_CHANNELS {
        return Some(format!(
            "cout of {cout} is past {MOST_CHANNELS}: Vulkan counts 65,535 blocks of 64"
        ));
    }
    let counted = |sizes: &[u64]| {
        let product = sizes
            .iter()
            .try_fold(1u64, |product, &size| product.checked_mul(size));
        product.is_some_and(|product| product <= MOST_ELEMENTS)
    };
    let tensors = [
        &[batch, height, width, cin][..],
        &[cout, kernel, kernel, cin],
        &[batch, oheight, owidth, cout],
    ];
    if tensors.iter().any(|sizes| !counted(sizes)) {
        return Some(
            "a tensor has more elements than the 2^32-2^23 that kernels count to; take a smaller batch"
                .into(),
        );
    }
    [("height", height, oheight), ("width", width, owidth)]
        .into_iter()
        .find_map(|(name, side, out)| {
            if side + 2 * pad < kernel {
                return Some(format!(
                    "a kernel of {kernel} is larger than the {name} of {side} and its padding of {pad}"
                ));
            }
            let places = places(side, kernel, stride, pad);
            (places != out).then(|| format!("o{name} is {out}, but a {name} of {side} gives {places}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(changes: &[(&str, u64)]) -> Option<String> {
        let mut dims = images("", Size::Small, [2, 8, 4, 4, 3, 1, 1]).dims;
        for &(name, size) in changes {
            dims.insert(name.into(), size);
        }
        limits(&dims)
    }

    #[test]
    fn every_case_and_odd_size_is_taken() {
        let cases = SPEC.cases.iter().map(|case| case.dims.clone());
        assert!(cases.chain(odd_sizes()).all(|dims| limits(&dims).is_none()));
    }

    #[test]
    fn outputs_that_do_not_follow_from_inputs_are_refused() {
        assert_eq!(refusal(&[]), None);
        assert_eq!(
            refusal(&[("owidth", 7)]).as_deref(),
            Some("owidth is 7, but a width of 8 gives 8")
        );
        assert!(refusal(&[("kernel", 11)]).is_some());
        assert!(refusal(&[("stride", 0)]).is_some());
        assert!(refusal(&[("pad", 256)]).is_some());
        assert!(refusal(&[("batch", 1 << 24)]).is_some());
        assert!(refusal(&[("cout", u64::MAX)]).is_some());
    }
}
