//! Files of one network in other forms give the same tokens.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use kernels::generate::Weights;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, View, serialize};
use serde_json::{Value, json};

use super::{Expected, folder, generated};
use crate::harness::devices;

/// A tensor to be written.
#[derive(Clone)]
pub(super) struct Tensor {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

pub(super) type Tensors = BTreeMap<String, Tensor>;

/// The committed tensors.
pub(super) fn tensors() -> Tensors {
    let file = fs::read(folder().join("model.safetensors")).expect("committed");
    let read = SafeTensors::deserialize(&file).expect("a safetensors file");
    { read.iter() }
        .map(|(name, view)| {
            let tensor = Tensor {
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                bytes: view.data().to_vec(),
            };
            (name.to_owned(), tensor)
        })
        .collect()
}

pub(super) fn config() -> Value {
    let text = fs::read_to_string(folder().join("config.json")).expect("committed");
    serde_json::from_str(&text).expect("JSON")
}

pub(super) fn write(folder: &Path, config: &Value, tensors: &Tensors) {
    fs::write(folder.join("config.json"), config.to_string()).expect("writable");
    let file = serialize(tensors.clone(), None).expect("tensors");
    fs::write(folder.join("model.safetensors"), file).expect("writable");
}

/// Every tensor in a file of its own.
pub(super) fn write_shards(folder: &Path, config: &Value, tensors: &Tensors) {
    fs::write(folder.join("config.json"), config.to_string()).expect("writable");
    let mut files = serde_json::Map::new();
    for (index, (name, tensor)) in tensors.iter().enumerate() {
        let file = format!("model-{index:05}.safetensors");
        let bytes = serialize([(name, tensor.clone())], None).expect("a tensor");
        fs::write(folder.join(&file), bytes).expect("writable");
        files.insert(name.clone(), file.into());
    }
    let index = json!({"metadata": {}, "weight_map": files});
    fs::write(folder.join("model.safetensors.index.json"), index.to_string()).expect("writable");
}

fn converted(tensors: &Tensors, dtype: Dtype) -> Tensors {
    let convert = |tensor: &Tensor| {
        let (words, _) = tensor.bytes.as_chunks();
        let values = words.iter().map(|word| f16::from_le_bytes(*word).to_f32());
        let bytes = match dtype {
            Dtype::F32 => values.flat_map(f32::to_le_bytes).collect(),
            _ => values.flat_map(|x| bf16::from_f32(x).to_le_bytes()).collect(),
        };
        Tensor {
            dtype,
            bytes,
            ..tensor.clone()
        }
    };
    tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), convert(tensor)))
        .collect()
}

#[test]
fn files_of_other_types_and_shards_give_the_same_tokens() {
    let (expected, cpu) = (Expected::read("greedy"), devices().swap_remove(0));
    for dtype in [Dtype::BF16, Dtype::F32] {
        let folder = tempfile::tempdir().expect("a folder");
        write_shards(folder.path(), &config(), &converted(&tensors(), dtype));
        let (tokens, _) = generated(cpu.as_ref(), folder.path(), &expected, Weights::F16);
        assert_eq!(tokens, expected.tokens, "{dtype:?}");
    }
}

/// With one matrix at both ends the tokens are others, but the same whether it is stored once or twice.
#[test]
fn a_tied_matrix_serves_both_ends() {
    let (expected, cpu) = (Expected::read("greedy"), devices().swap_remove(0));
    let mut twice = tensors();
    twice.insert(
        "lm_head.weight".into(),
        twice["model.embed_tokens.weight"].clone(),
    );
    let mut once = twice.clone();
    once.remove("lm_head.weight");
    let tokens = |tensors: &Tensors, tied: bool, weights: Weights| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config();
        config["tie_word_embeddings"] = tied.into();
        write(folder.path(), &config, tensors);
        generated(cpu.as_ref(), folder.path(), &expected, weights).0
    };
    for weights in [Weights::F16, Weights::Q4] {
        let want = tokens(&twice, false, weights);
        assert_ne!(want, expected.tokens);
        assert_eq!(tokens(&once, true, weights), want);
        assert_eq!(tokens(&twice, true, weights), want);
    }
}
