//! `groupnorm.f16.v1`: y = (x - mean) / sqrt(mean((x - mean)²) + 1e-5) * w + b, mean and variance over the channels and pixels
//! of one group of one image, weight and bias by channel; f16 in memory, f32 in between. Channels come before pixels (NCHW),
//! as PyTorch's are by default: a group is one stretch of memory.
//!
//! GPUs cut groups into parts, so that a few large groups occupy a whole device: each part has the sum of its elements and of
//! the squares around its own mean, and those of all parts give the group's (Chan, Golub and LeVeque, 1979).

mod cpu;
mod launch;
mod reference;

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
    id: "groupnorm.f16.v1".into(),
    title: "Group normalization of images in f16, channels before pixels, with weight and bias.".into(),
    group: "vision".into(),
    class: Class::Float,
    cache: Cache::Cold,
    cases: vec![
        // Stable Diffusion 1.5, the middle of its UNet: 1280 channels of 8 x 8 pixels; 32 groups and two images, with the
        // prompt and without, here and below.
        images("8x8x1280", Size::Small, [2, 32, 40, 64]),
        // The three levels of SDXL's UNet.
        images("32x32x1280", Size::Standard, [2, 32, 40, 1024]),
        images("64x64x640", Size::Standard, [2, 32, 20, 4096]),
        images("128x128x320", Size::Standard, [2, 32, 10, 16_384]),
        // Eight pictures at once.
        images("16x128x128x320", Size::Large, [16, 32, 10, 16_384]),
    ],
    inputs: vec![
        tensor("groupnorm.f16/x", Dtype::F16, &NAMES),
        tensor("groupnorm.f16/w", Dtype::F16, &["groups", "gchannels"]),
        tensor("groupnorm.f16/b", Dtype::F16, &["groups", "gchannels"]),
    ],
    outputs: vec![tensor("y", Dtype::F16, &NAMES)],
    flop: formula("7*batch*groups*gchannels*pixels"),
    bytes: formula("4*batch*groups*gchannels*pixels + 4*groups*gchannels"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 495_000_000,
        abs_ppt: formula("45000000"),
        derivation: "Narrowing to f16 errs by 2^-11 of the value. Sums of inputs, multiples of 2^-10, are exact below \
                     2^14, so the mean errs by two roundings, 2^-23 at most, which a group without variance multiplies by \
                     316 = 1/sqrt(1e-5): 3.8e-5 absolute. The sum of squares takes at most 168 roundings of 2^-24, halved \
                     by the root, and root, division and products 16 more: 6e-6 of the product, which is at most |y| + 1 \
                     beside the bias: 6e-6 relative and absolute."
            .into(),
    }),
}
});

/// `gchannels` are the channels of one group.
const NAMES: [&str; 4] = ["batch", "groups", "gchannels", "pixels"];

/// Keeps a group without variance from dividing by zero; SDXL's UNet uses the same.
const EPSILON: f64 = 1e-5;

fn images(name: &str, size: Size, sizes: [u64; 4]) -> Case {
    let dims: Vec<_> = NAMES.into_iter().zip(sizes).collect();
    case(name, size, &dims)
}

/// Groups of one element, of one part and of several, with pixels that 16-byte vectors divide and do not.
fn odd_sizes() -> Vec<Dims> {
    let list = [
        [1, 1, 1, 1],
        [2, 3, 1, 1],
        [1, 2, 3, 5],
        [3, 2, 4, 8],
        [1, 5, 3, 1021],
        [1, 1, 1, 8193],
        [1, 2, 2, 4096],
        [2, 1, 3, 8200],
        [7, 32, 13, 1],
        [1, 3, 259, 49],
    ];
    sizes(NAMES, &list)
}

/// Kernels stride 65,535 blocks past the last part, which may be of one element.
const MOST_ELEMENTS: u64 = (1 << 32) - (1 << 16);

fn limits(dims: &Dims) -> Option<String> {
    let sizes = NAMES.map(|name| dim(dims, name) as u64);
    let elements = sizes
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(size));
    match elements {
        Some(0) => Some("a group of no elements has no mean".into()),
        Some(elements) if elements <= MOST_ELEMENTS => None,
        _ => Some(format!(
            "{sizes:?} elements are past the 2^32-2^16 that kernels count to; take a smaller batch"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_groups_and_uncounted_elements_are_refused() {
        let refusal = |sizes| limits(&images("", Size::Small, sizes).dims);
        assert_eq!(refusal([1, 1, 65_535, 65_536]), None);
        for sizes in [[1, 2, 0, 3], [1, 1, 65_535, 65_537], [u64::MAX, 2, 1, 1]] {
            assert!(refusal(sizes).is_some(), "{sizes:?}");
        }
    }
}
