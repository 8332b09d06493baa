//! Running the user's own network: `generate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Format;

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Folder of a Llama checkpoint: config.json and safetensors files, as `save_pretrained` writes them
    #[arg(long, value_name = "FOLDER")]
    pub model: PathBuf,
    /// A device (`cuda:0`) or all of one API (`vulkan`); repeatable [default: every device]
    #[arg(long = "device", value_name = "DEVICE")]
    pub devices: Vec<String>,
    /// Ids of the prompt's tokens, from the model's own tokenizer
    #[arg(long, value_name = "IDS", value_delimiter = ',', default_value = "1")]
    pub prompt_ids: Vec<u32>,
    /// Tokens to generate
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub tokens: usize,
    /// How products' weights are held: f16, or rounded to 4 bits
    #[arg(long, value_enum, default_value_t = Weights::F16)]
    pub weights: Weights,
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Weights {
    F16,
    Q4,
}
