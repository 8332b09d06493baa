//! What is damaged, of another form or too large is refused in words.

use std::fs;
use std::path::Path;

use kernels::generate::{Checkpoint, GenerateError, Network, Request, Weights};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

use super::files::{Tensors, config, tensors, write, write_shards};
use super::{Expected, folder};
use crate::harness::devices;

/// Opens what `damage` leaves of the committed checkpoint, and expects these words.
fn refused(words: &str, damage: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &config(), &tensors());
    damage(folder.path());
    expect(words, Checkpoint::open(folder.path()).map(drop));
}

#[track_caller]
fn expect(words: &str, outcome: Result<(), GenerateError>) {
    let error = outcome.expect_err(words);
    let text = error.to_string();
    assert!(text.contains(words), "{words:?} is not in {text:?}");
    assert!(!error.hint().is_empty());
}

#[test]
fn damaged_files_are_refused() {
    let file = |folder: &Path| folder.join("model.safetensors");
    let cut = |keep: usize| {
        move |folder: &Path| {
            let bytes = fs::read(file(folder)).expect("there");
            fs::write(file(folder), &bytes[..keep.min(bytes.len() - 1)]).expect("writable");
        }
    };
    for keep in [0, 7, 100, usize::MAX] {
        refused("no whole safetensors file", cut(keep));
    }
    refused("no whole safetensors file", |folder| {
        let mut bytes = fs::read(file(folder)).expect("there");
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        fs::write(file(folder), bytes).expect("writable");
    });
    refused("there is neither model.safetensors nor", |folder| {
        fs::remove_file(file(folder)).expect("there");
    });
    refused("there is no config.json", |folder| {
        fs::remove_file(folder.join("config.json")).expect("there");
    });
    refused("is not JSON", |folder| {
        fs::write(folder.join("config.json"), "{").expect("writable");
    });
    expect(
        "no such folder",
        Checkpoint::open(Path::new("/nowhere/at/all")).map(drop),
    );
    refused("cannot read", |folder| {
        fs::remove_file(file(folder)).expect("there");
        fs::create_dir(file(folder)).expect("writable");
    });
}

#[test]
fn tensors_that_do_not_fit_the_configuration_are_refused() {
    let changed = |words: &str, change: fn(&mut Tensors)| {
        refused(words, |folder| {
            let mut tensors = tensors();
            change(&mut tensors);
            write(folder, &config(), &tensors);
        });
    };
    const UP: &str = "model.layers.1.mlp.up_proj.weight";
    changed(
        "tensor model.layers.1.mlp.up_proj.weight: is missing",
        |tensors| {
            tensors.remove(UP);
        },
    );
    changed("its shape is [32, 64]; config.json wants [64, 32]", |tensors| {
        tensors.get_mut(UP).expect("there").shape.reverse();
    });
    changed("its type is I16; supported are F16, BF16 and F32", |tensors| {
        tensors.get_mut(UP).expect("there").dtype = Dtype::I16;
    });
    changed(
        "the network that config.json describes has none of that name",
        |tensors| {
            let bias = tensors["model.norm.weight"].clone();
            tensors.insert("model.layers.0.self_attn.o_proj.bias".into(), bias);
        },
    );
}

#[test]
fn an_index_that_points_elsewhere_is_refused() {
    let indexed = |words: &str, change: fn(&mut Value)| {
        refused(words, |folder| {
            fs::remove_file(folder.join("model.safetensors")).expect("there");
            write_shards(folder, &config(), &tensors());
            let path = folder.join("model.safetensors.index.json");
            let mut index = serde_json::from_slice(&fs::read(&path).expect("there")).expect("JSON");
            change(&mut index);
            fs::write(path, index.to_string()).expect("writable");
        });
    };
    const NORM: &str = "model.norm.weight";
    for outside in [
        json!("../model-00000.safetensors"),
        json!("/etc/passwd"),
        json!(".."),
        json!(""),
        json!(7),
    ] {
        refused("which is no file of the same folder", |folder| {
            fs::remove_file(folder.join("model.safetensors")).expect("there");
            let index = json!({"weight_map": {NORM: outside}});
            fs::write(folder.join("model.safetensors.index.json"), index.to_string()).expect("writable");
        });
    }
    indexed("which does not hold it", |index| {
        index["weight_map"][NORM] = "model-00000.safetensors".into();
    });
    indexed("cannot read", |index| {
        index["weight_map"][NORM] = "model-99999.safetensors".into();
    });
    indexed("has no weight_map", |index| *index = json!({}));
    indexed("names no file", |index| *index = json!({"weight_map": {}}));
}

#[test]
fn networks_of_another_form_are_refused() {
    let changed = |words: &str, field: &str, value: Value| {
        refused(words, |folder| {
            let mut config = config();
            config[field] = value;
            fs::write(folder.join("config.json"), config.to_string()).expect("writable");
        });
    };
    changed(
        "supported is LlamaForCausalLM",
        "architectures",
        json!(["MixtralForCausalLM"]),
    );
    changed("attention without biases", "attention_bias", json!(true));
    changed("products without biases", "mlp_bias", json!(true));
    changed("supported is silu", "hidden_act", json!("gelu"));
    for epsilon in [json!(0.0), json!(-1e-6), json!(0.5), json!("1e-6")] {
        changed("supported are 1e-12 to 1e-2", "rms_norm_eps", epsilon);
    }
    for place in ["rope_scaling", "rope_parameters"] {
        let llama3 = |factor: f64, low: f64, trained: u64| {
            json!({"rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": 4.0,
                   "original_max_position_embeddings": trained})
        };
        for (words, rope) in [
            (
                "types default, linear and llama3",
                json!({"rope_type": "yarn", "factor": 8.0}),
            ),
            (
                "types default, linear and llama3",
                json!({"type": "dynamic", "factor": 8.0}),
            ),
            ("types default, linear and llama3", json!({"rope_type": 3})),
            ("must hold the fields of rope", json!("llama3")),
            ("factor must be 1 or more", json!({"type": "linear"})),
            ("factor must be 1 or more", llama3(0.5, 1.0, 8)),
            ("below its high_freq_factor", llama3(8.0, 4.0, 8)),
            ("below its high_freq_factor", llama3(8.0, 0.0, 8)),
            (
                "below its high_freq_factor",
                json!({"rope_type": "llama3", "factor": 8.0}),
            ),
            ("original_max_position_embeddings must be", llama3(8.0, 1.0, 0)),
            ("turned whole", json!({"partial_rotary_factor": 0.5})),
            ("theta is \"10000\"; it must be", json!({"rope_theta": "10000"})),
            (
                "rope_theta is 0.5; it must be a number above 1",
                json!({"rope_theta": 0.5}),
            ),
        ] {
            changed(words, place, rope);
        }
    }
    changed(
        "weights in f16, bf16 or f32",
        "quantization_config",
        json!({"bits": 4}),
    );
    changed("float16, bfloat16 and float32", "dtype", json!("float64"));
    changed("must be a multiple of it", "num_key_value_heads", json!(3));
    for head in [4, 12, 136] {
        changed("supported are multiples of 8 up to 128", "head_dim", json!(head));
    }
    changed("supported are up to 1024", "num_hidden_layers", json!(1025));
    for size in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("32"),
        json!(u64::MAX),
        Value::Null,
    ] {
        changed("an integer from 1 to", "hidden_size", size);
    }
}

/// Sizes that no kernel takes, though a file has them.
#[test]
fn networks_that_kernels_do_not_take_are_refused() {
    let opened = |change: fn(&mut Value, &mut Tensors)| {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut config, mut tensors) = (config(), tensors());
        change(&mut config, &mut tensors);
        write(folder.path(), &config, &tensors);
        Checkpoint::open(folder.path()).expect("tensors of those shapes")
    };
    let request = |weights| Request {
        prompt: vec![1],
        tokens: 1,
        weights,
    };
    let narrow = opened(|config, tensors| {
        config["intermediate_size"] = 40.into();
        for (name, tensor) in tensors.iter_mut().filter(|(name, _)| name.contains(".mlp.")) {
            tensor.shape = if name.contains("down") {
                vec![32, 40]
            } else {
                vec![40, 32]
            };
            tensor.bytes.truncate(2 * 40 * 32);
        }
    });
    Network::new(&narrow, request(Weights::F16))
        .map(drop)
        .expect("vectors of eight");
    let reason = "intermediate_size of 40 is no multiple of the 32";
    expect(reason, Network::new(&narrow, request(Weights::Q4)).map(drop));
}

#[test]
fn prompts_and_lengths_outside_the_network_are_refused() {
    let checkpoint = Checkpoint::open(&folder()).expect("committed");
    let network = |prompt: &[u32], tokens: usize| {
        let request = Request {
            prompt: prompt.to_vec(),
            tokens,
            weights: Weights::F16,
        };
        Network::new(&checkpoint, request).map(drop)
    };
    network(&[95; 63], 1).expect("the whole context");
    expect("id 96 is outside the vocabulary of 96", network(&[1, 96], 1));
    expect("the prompt has no token", network(&[], 1));
    expect("0 tokens were asked for", network(&[1], 0));
    expect("past the max_position_embeddings of 64", network(&[1; 60], 5));
    expect(
        "past the max_position_embeddings of 64",
        network(&[1], usize::MAX),
    );
}

/// Found when the tensor goes to the device.
#[test]
fn weights_that_no_half_holds_are_refused() {
    const NAME: &str = "model.layers.2.self_attn.k_proj.weight";
    let (expected, cpu) = (Expected::read("greedy"), devices().swap_remove(0));
    for (bits, words) in [
        (0x7E00u16, "row 5: element 3 is NaN"),
        (0xFC00, "row 5: element 3 is -inf"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut tensors = tensors();
        let at = 2 * (5 * 32 + 3);
        tensors.get_mut(NAME).expect("there").bytes[at..at + 2].copy_from_slice(&bits.to_le_bytes());
        write(folder.path(), &config(), &tensors);
        let checkpoint = Checkpoint::open(folder.path()).expect("sound but for its numbers");
        for weights in [Weights::F16, Weights::Q4] {
            let network = Network::new(&checkpoint, expected.request(weights)).expect("a network");
            expect(words, network.load(cpu.as_ref()).map(drop));
        }
    }
}

/// Every weight is a half, but not what comes of them.
#[test]
fn activations_past_f16_are_noticed() {
    let (expected, cpu) = (Expected::read("greedy"), devices().swap_remove(0));
    let folder = tempfile::tempdir().expect("a folder");
    let mut tensors = tensors();
    for tensor in tensors.values_mut().filter(|tensor| tensor.shape.len() == 1) {
        tensor.bytes.as_chunks_mut().0.fill(0x7BFFu16.to_le_bytes());
    }
    write(folder.path(), &config(), &tensors);
    let checkpoint = Checkpoint::open(folder.path()).expect("sound");
    let network = Network::new(&checkpoint, expected.request(Weights::F16)).expect("a network");
    let mut session = network.load(cpu.as_ref()).expect("loaded");
    expect("the largest logit is", session.prefill().map(drop));
}
