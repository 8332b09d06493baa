//! Why a user's network does not run, and what to do next.

use std::path::PathBuf;

use crate::device::DeviceError;

#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}: {reason}", path.display())]
    NoCheckpoint { path: PathBuf, reason: String },
    #[error("{}: {field} is {found}; {supported}", path.display())]
    Unsupported {
        path: PathBuf,
        field: String,
        found: String,
        supported: String,
    },
    #[error("{}: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{}: tensor {tensor}: {reason}", path.display())]
    Tensor {
        path: PathBuf,
        tensor: String,
        reason: String,
    },
    #[error("{reason}")]
    Prompt { reason: String },
    #[error("{reason}")]
    TooLong { reason: String },
    #[error("this network runs on no device: {reason}")]
    Refused { reason: String },
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("{device}: after {tokens} tokens the largest logit is {logit}, that of id {id}")]
    NotFinite {
        device: String,
        tokens: usize,
        logit: f32,
        id: u32,
    },
}

impl GenerateError {
    /// What the user does next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the path and its permissions",
            Self::NoCheckpoint { .. } => {
                "name a folder as `save_pretrained` writes it: config.json, and model.safetensors or the files of \
                 model.safetensors.index.json"
            }
            Self::Unsupported { .. } => {
                "supported: LlamaForCausalLM with SiLU, no biases, rope of any theta, plain or scaled as linear or llama3, weights \
                 in f16, bf16 or f32"
            }
            Self::Damaged { .. } => "download or save the file again",
            Self::Tensor { .. } => {
                "config.json and the weights must be of one checkpoint; save or download both again"
            }
            Self::Prompt { .. } => "ids come from the model's own tokenizer; there is none here",
            Self::TooLong { .. } => "shorten the prompt or generate fewer tokens",
            Self::Refused { .. } => {
                "other weights (--weights f16) or a shorter text may be within what kernels take"
            }
            Self::Device(_) => {
                "close what else uses the device, choose another one, use --weights q4, or shorten the prompt"
            }
            Self::NotFinite { .. } => {
                "activations left f16's range of 65504: this network needs bf16 or f32 between operations"
            }
        }
    }

    /// Whether a file could not be read, or holds other bytes than it says.
    pub fn is_io(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }

    /// Whether the device is at fault, and not what the user named.
    pub fn is_device(&self) -> bool {
        matches!(
            self,
            Self::Device(_) | Self::NotFinite { .. } | Self::Refused { .. }
        )
    }
}
