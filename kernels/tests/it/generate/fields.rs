//! Fields of `config.json` that change what a network computes: the committed weights under others.

use std::path::Path;

use half::f16;
use kernels::generate::Weights;
use serde_json::Value;

use super::files::{Tensors, config, tensors, write};
use super::{Expected, generated};
use crate::harness::devices;

fn fill(folder: &Path, fields: &[(&str, Value)], tensors: &Tensors) {
    let mut config = config();
    for (name, value) in fields {
        config[name] = value.clone();
    }
    write(folder, &config, tensors);
}

/// A text of 40 tokens where the first training had 32, with the fields as newer and as older writers have them. Without
/// scaling transformers continues it differently. The smallest lead of a largest logit is 0.102 standard deviations.
#[test]
fn scaled_rope_gives_the_tokens_of_transformers_on_every_device() {
    let expected = Expected::read("llama3");
    let rope = &expected.fields["rope_parameters"];
    let written = [
        [("rope_parameters", rope.clone()), ("rope_scaling", Value::Null)],
        [("rope_parameters", Value::Null), ("rope_scaling", rope.clone())],
    ];
    for device in devices() {
        for fields in &written {
            let folder = tempfile::tempdir().expect("a folder");
            fill(folder.path(), fields, &tensors());
            let (tokens, worst) = generated(device.as_ref(), folder.path(), &expected, Weights::F16);
            assert_eq!(tokens, expected.tokens, "{}", device.facts().id);
            assert!(worst < 0.02, "{}: a logit is off by {worst}", device.facts().id);
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    fill(folder.path(), &[], &tensors());
    let (tokens, _) = generated(devices()[0].as_ref(), folder.path(), &expected, Weights::F16);
    assert_ne!(tokens, expected.tokens);
}

/// A trunk of 2^-9 the size gives the same norms where eps is 2^-18 the size: the tokens of the network as it is. With another
/// eps, beside which squares of 1e-6 are small, they are others.
#[test]
fn norms_take_their_eps_from_the_configuration_on_every_device() {
    const SIZE: f32 = 1.0 / 512.0;
    let expected = Expected::read("greedy");
    let mut small = tensors();
    let of_trunk = |name: &str| {
        ["embed", "o_proj", "down_proj"]
            .iter()
            .any(|part| name.contains(part))
    };
    for (_, tensor) in small.iter_mut().filter(|(name, _)| of_trunk(name)) {
        for word in tensor.bytes.as_chunks_mut().0 {
            *word = f16::from_f32(f16::from_le_bytes(*word).to_f32() * SIZE).to_le_bytes();
        }
    }
    for device in devices() {
        for (epsilon, same) in [(1e-5 * f64::from(SIZE * SIZE), true), (1e-5, false)] {
            let folder = tempfile::tempdir().expect("a folder");
            fill(folder.path(), &[("rms_norm_eps", epsilon.into())], &small);
            let (tokens, worst) = generated(device.as_ref(), folder.path(), &expected, Weights::F16);
            let id = &device.facts().id;
            assert_eq!(
                tokens == expected.tokens && worst < 0.02,
                same,
                "{id}, {epsilon:e}: {worst}"
            );
        }
    }
}
