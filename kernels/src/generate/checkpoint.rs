//! A folder as `save_pretrained` writes it: `config.json`, and weights in one safetensors file or in those of an index. Files
//! are mapped, not read: a tensor's bytes come from the disk when it goes to a device.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorInfo};

use super::config::Config;
use super::error::GenerateError;
use super::inputs::Matrix;
use super::network::tensors;

/// A checkpoint of Llama's form whose tensors have been found, in the types and shapes that its configuration wants.
pub struct Checkpoint {
    pub(super) config: Config,
    shards: Vec<Shard>,
    /// Which shard holds a tensor.
    places: BTreeMap<String, usize>,
}

struct Shard {
    path: PathBuf,
    map: Mmap,
    tensors: BTreeMap<String, TensorInfo>,
    /// Where the header ends.
    data: usize,
}

/// A tensor in its file.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) path: &'a Path,
    pub(super) dtype: Dtype,
    pub(super) bytes: &'a [u8],
}

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

impl Checkpoint {
    /// Opens what `folder` holds. Weights are not looked at but for their types and shapes.
    pub fn open(folder: &Path) -> Result<Self, GenerateError> {
        let config = Config::read(folder)?;
        let (shards, places) = match folder.join(SINGLE).exists() {
            true => single(Shard::open(&folder.join(SINGLE))?),
            false => sharded(folder)?,
        };
        let checkpoint = Self {
            config,
            shards,
            places,
        };
        checkpoint.expect_tensors()?;
        Ok(checkpoint)
    }

    /// Sizes in the words of `config.json`.
    pub fn sizes(&self) -> [(&'static str, usize); 8] {
        let model = self.config.model;
        [
            ("num_hidden_layers", model.layers),
            ("hidden_size", model.hidden),
            ("num_attention_heads", model.heads),
            ("num_key_value_heads", model.kvheads),
            ("head_dim", model.head),
            ("intermediate_size", model.ffn),
            ("vocab_size", model.vocab),
            ("max_position_embeddings", self.config.longest),
        ]
    }

    /// Bytes of the files.
    pub fn file_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.map.len() as u64).sum()
    }

    pub(super) fn stored(&self, name: &str) -> Stored<'_> {
        let shard = &self.shards[self.places[name]];
        let info = &shard.tensors[name];
        let (start, end) = info.data_offsets;
        Stored {
            path: &shard.path,
            dtype: info.dtype,
            bytes: &shard.map[shard.data + start..shard.data + end],
        }
    }

    /// Every tensor of the network is there, and none that the network does not have.
    fn expect_tensors(&self) -> Result<(), GenerateError> {
        let wanted = tensors(&self.config);
        for matrix in &wanted {
            self.expect_tensor(matrix)?;
        }
        let known = |name: &str| wanted.iter().any(|matrix| matrix.name == name);
        // Older writers store what follows from theta, and some a tied matrix twice.
        let spare = |name: &str| name.ends_with(".rotary_emb.inv_freq") || name == "lm_head.weight";
        match { self.places.iter() }.find(|(name, _)| !known(name) && !spare(name)) {
            Some((name, &shard)) => Err(GenerateError::Tensor {
                path: self.shards[shard].path.clone(),
                tensor: name.clone(),
                reason: "the network that config.json describes has none of that name".to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn expect_tensor(&self, matrix: &Matrix) -> Result<(), GenerateError> {
        let wrong = |shard: usize, reason: String| GenerateError::Tensor {
            path: self.shards[shard].path.clone(),
            tensor: matrix.name.clone(),
            reason,
        };
        let Some(&shard) = self.places.get(&matrix.name) else {
            return Err(wrong(0, "is missing".to_owned()));
        };
        let info = &self.shards[shard].tensors[&matrix.name];
        if !matches!(info.dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32) {
            let reason = format!("its type is {:?}; supported are F16, BF16 and F32", info.dtype);
            return Err(wrong(shard, reason));
        }
        let shape = matrix.shape();
        if info.shape != shape {
            let reason = format!("its shape is {:?}; config.json wants {shape:?}", info.shape);
            return Err(wrong(shard, reason));
        }
        Ok(())
    }
}

fn single(shard: Shard) -> (Vec<Shard>, BTreeMap<String, usize>) {
    let places = shard.tensors.keys().map(|name| (name.clone(), 0)).collect();
    (vec![shard], places)
}

/// The files of the index, each once.
fn sharded(folder: &Path) -> Result<(Vec<Shard>, BTreeMap<String, usize>), GenerateError> {
    let path = folder.join(INDEX);
    let text = std::fs::read_to_string(&path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => GenerateError::NoCheckpoint {
            path: folder.to_owned(),
            reason: format!("there is neither {SINGLE} nor {INDEX}"),
        },
        _ => GenerateError::Unreadable {
            path: path.clone(),
            source,
        },
    })?;
    let damaged = |reason: String| GenerateError::Damaged {
        path: path.clone(),
        reason,
    };
    let index: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| damaged(format!("is not JSON: {error}")))?;
    let files = index.get("weight_map").and_then(serde_json::Value::as_object);
    let files = files
        .ok_or_else(|| damaged("has no weight_map that says which file holds which tensor".to_owned()))?;
    let (mut shards, mut opened, mut places) = (vec![], BTreeMap::new(), BTreeMap::new());
    for (tensor, file) in files {
        let name = file.as_str().filter(|name| is_plain(name)).ok_or_else(|| {
            damaged(format!(
                "puts {tensor} into {file}, which is no file of the same folder"
            ))
        })?;
        let shard = match opened.get(name) {
            Some(&shard) => shard,
            None => {
                shards.push(Shard::open(&folder.join(name))?);
                opened.insert(name, shards.len() - 1);
                shards.len() - 1
            }
        };
        if !shards[shard].tensors.contains_key(tensor) {
            return Err(damaged(format!(
                "puts {tensor} into {name}, which does not hold it"
            )));
        }
        places.insert(tensor.clone(), shard);
    }
    match shards.is_empty() {
        true => Err(damaged("names no file".to_owned())),
        false => Ok((shards, places)),
    }
}

/// Whether it is the name of a file, and no way to another folder.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    parts.next() == Some(Component::Normal(OsStr::new(name))) && parts.next().is_none()
}

impl Shard {
    fn open(path: &Path) -> Result<Self, GenerateError> {
        let unreadable = |source| GenerateError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(unreadable(ErrorKind::IsADirectory.into()));
        }
        let map = map(&file).map_err(unreadable)?;
        let (header, metadata) =
            SafeTensors::read_metadata(&map).map_err(|error| GenerateError::Damaged {
                path: path.to_owned(),
                reason: format!("{} bytes are no whole safetensors file: {error}", map.len()),
            })?;
        let tensors = metadata.tensors().into_iter();
        Ok(Self {
            path: path.to_owned(),
            data: size_of::<u64>() + header,
            tensors: tensors.map(|(name, info)| (name, info.clone())).collect(),
            map,
        })
    }
}

#[allow(unsafe_code, reason = "a file may be changed while it is mapped")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: bytes are only copied out and converted: another program that changes them gives other numbers, and one that
    // cuts the file short ends this one.
    unsafe { Mmap::map(file) }
}
