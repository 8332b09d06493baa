//! Arguments of the commands that prove.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::time::duration;
use super::{Format, Key, Registry};

/// How much is proven, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Proving {
    /// Arithmetic (mlp), memory (vram) or both
    #[arg(long, value_enum, default_value_t = ProofChoice::All)]
    pub proof: ProofChoice,
    /// How long each proof works
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub target: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProofChoice {
    Mlp,
    Vram,
    All,
}

#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// A device (`cuda:0`) or all of one API (`vulkan`); repeatable [default: every device]
    #[arg(long = "device", value_name = "DEVICE")]
    pub devices: Vec<String>,
    #[command(flatten)]
    pub proving: Proving,
    #[command(flatten)]
    pub key: Key,
    #[command(flatten)]
    pub registry: Registry,
    /// Folder for transcripts and verdicts [default: in the data folder, named by time]
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct SpotCheck {
    /// A verdict, or the folder that hallmark prove or certify left
    pub certificate: PathBuf,
    /// How much slower than certified still passes, in per cent
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=90))]
    pub tolerance: u8,
    #[command(flatten)]
    pub key: Key,
    #[command(flatten)]
    pub registry: Registry,
    /// Folder for transcripts and verdicts of the check [default: in the data folder, named by time]
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
