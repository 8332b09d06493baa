//! `config.json` of a Llama checkpoint: what of it is supported, and the rest refused.

mod rope;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::GenerateError;
use crate::llama::Model;
use rope::Rope;

/// What a checkpoint's `config.json` says.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) model: Model,
    /// Whether the embedding's matrix gives the logits too.
    pub(super) tied: bool,
    /// Tokens of a text that the network was made for.
    pub(super) longest: usize,
    /// What norms add to the mean of squares.
    pub(super) epsilon: f32,
    rope: Rope,
}

/// Past what networks have; an f32 holds them well.
const EPSILONS: RangeInclusive<f64> = 1e-12..=1e-2;

/// No size of a network is larger, so that no product of two or three overflows.
const MOST: u64 = 1 << 22;

const MOST_LAYERS: usize = 1024;

/// What the kernels of attention load at once of a head, and the longest that they hold.
const HEAD_VECTOR: usize = 8;
const LONGEST_HEAD: usize = 128;

impl Config {
    pub(super) fn read(folder: &Path) -> Result<Self, GenerateError> {
        let path = folder.join("config.json");
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let reason = if folder.is_dir() {
                    "there is no config.json"
                } else {
                    "there is no such folder"
                };
                return Err(GenerateError::NoCheckpoint {
                    path: folder.to_owned(),
                    reason: reason.to_owned(),
                });
            }
            read => read.map_err(|source| GenerateError::Unreadable {
                path: path.clone(),
                source,
            })?,
        };
        let damaged = |reason: String| GenerateError::Damaged {
            path: path.clone(),
            reason,
        };
        let fields = serde_json::from_str(&text).map_err(|error| damaged(format!("is not JSON: {error}")))?;
        let fields = Fields { path, fields };
        fields.expect_llama()?;
        fields.config()
    }

    /// Radians a token, of each pair of a head.
    pub(super) fn steps(&self) -> Vec<f64> {
        self.rope.steps(self.model.head)
    }
}

/// Fields that may be absent or hold one of some values, and what is supported.
fn plain() -> [(&'static str, Vec<Value>, &'static str); 7] {
    const FLOATS: &str = "supported are float16, bfloat16 and float32";
    let dtypes = || DTYPES.map(Value::from).to_vec();
    [
        ("hidden_act", vec!["silu".into()], "supported is silu"),
        (
            "attention_bias",
            vec![false.into()],
            "supported is attention without biases",
        ),
        (
            "mlp_bias",
            vec![false.into()],
            "supported are products without biases",
        ),
        (
            "quantization_config",
            vec![],
            "supported are weights in f16, bf16 or f32",
        ),
        (
            "partial_rotary_factor",
            vec![1.0.into(), 1.into()],
            "supported are heads that are turned whole",
        ),
        ("torch_dtype", dtypes(), FLOATS),
        ("dtype", dtypes(), FLOATS),
    ]
}

struct Fields {
    path: PathBuf,
    fields: Map<String, Value>,
}

impl Fields {
    /// Refuses what the kernels do not compute.
    fn expect_llama(&self) -> Result<(), GenerateError> {
        self.expect_architecture()?;
        for (name, allowed, supported) in plain() {
            match self.field(name) {
                Some(found) if !allowed.contains(found) => {
                    return Err(self.unsupported(name, found, supported));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn epsilon(&self) -> Result<f32, GenerateError> {
        let Some(found) = self.field("rms_norm_eps") else {
            return Ok(1e-6);
        };
        match found.as_f64() {
            Some(epsilon) if EPSILONS.contains(&epsilon) => Ok(epsilon as f32),
            _ => {
                let supported = format!("supported are {:e} to {:e}", EPSILONS.start(), EPSILONS.end());
                Err(self.unsupported("rms_norm_eps", found, &supported))
            }
        }
    }

    fn expect_architecture(&self) -> Result<(), GenerateError> {
        const LLAMA: &str = "LlamaForCausalLM";
        let found = match (self.field("architectures"), self.field("model_type")) {
            (Some(Value::Array(names)), _) if names.iter().any(|name| name == LLAMA) => return Ok(()),
            (None, Some(kind)) if kind == "llama" => return Ok(()),
            (Some(found), _) | (None, Some(found)) => found,
            (None, None) => &Value::Null,
        };
        Err(self.unsupported("the architecture", found, "supported is LlamaForCausalLM"))
    }

    fn config(&self) -> Result<Config, GenerateError> {
        let hidden = self.size("hidden_size", None)?;
        let heads = self.size("num_attention_heads", None)?;
        let model = Model {
            layers: self.size("num_hidden_layers", None)?,
            hidden,
            heads,
            kvheads: self.size("num_key_value_heads", Some(heads))?,
            head: self.size("head_dim", Some(hidden / heads))?,
            ffn: self.size("intermediate_size", None)?,
            vocab: self.size("vocab_size", None)?,
        };
        if model.layers > MOST_LAYERS {
            let supported = format!("supported are up to {MOST_LAYERS}");
            return Err(self.unsupported("num_hidden_layers", &model.layers.into(), &supported));
        }
        if !model.head.is_multiple_of(HEAD_VECTOR) || model.head > LONGEST_HEAD {
            let supported = format!("supported are multiples of {HEAD_VECTOR} up to {LONGEST_HEAD}");
            return Err(self.unsupported("head_dim", &model.head.into(), &supported));
        }
        if !model.heads.is_multiple_of(model.kvheads) {
            let found = Value::from(model.kvheads);
            let supported = format!("num_attention_heads of {heads} must be a multiple of it");
            return Err(self.unsupported("num_key_value_heads", &found, &supported));
        }
        let longest = self.size("max_position_embeddings", Some(2048))?;
        Ok(Config {
            model,
            tied: self.field("tie_word_embeddings") == Some(&true.into()),
            longest,
            epsilon: self.epsilon()?,
            rope: self.rope(longest)?,
        })
    }

    fn size(&self, name: &str, default: Option<usize>) -> Result<usize, GenerateError> {
        let supported = format!("it must be an integer from 1 to {MOST}");
        match (self.field(name), default) {
            (None, Some(default)) if default > 0 => Ok(default),
            (None, _) => Err(self.unsupported(name, &Value::Null, &supported)),
            (Some(found), _) => match found.as_u64() {
                Some(size @ 1..=MOST) => Ok(size as usize),
                _ => Err(self.unsupported(name, found, &supported)),
            },
        }
    }

    /// A field that is not null.
    fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn unsupported(&self, field: &str, found: &Value, supported: &str) -> GenerateError {
        GenerateError::Unsupported {
            path: self.path.clone(),
            field: field.to_owned(),
            found: if found.is_null() {
                "absent".to_owned()
            } else {
                found.to_string()
            },
            supported: supported.to_owned(),
        }
    }
}

const DTYPES: [&str; 3] = ["float16", "bfloat16", "float32"];
