//! Reading what was measured: `compare`, `score`, `spread`, `import`, `report`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Path};
use crate::import::Tool;

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Receipt, envelope or run file of the baseline; FILE#cuda:0 picks a device
    pub baseline: String,
    /// The same of the candidate
    pub candidate: String,
    /// End with exit code 1 when the candidate is slower in any case
    #[arg(long)]
    pub fail_if_slower: bool,
    /// text, json or markdown
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(flatten)]
    pub believe: Believe,
}

#[derive(Debug, Args)]
pub(crate) struct Score {
    /// Receipt, envelope or run file to score; FILE#cuda:0 picks a device
    pub run: String,
    /// The same of the reference, which scores 1
    #[arg(long, value_name = "FILE")]
    pub reference: String,
    /// Records of which path count: portable, tuned or vendor
    #[arg(long, value_enum, default_value_t = Path::Portable)]
    pub path: Path,
    /// Weights of workloads or groups (JSON or TOML) [default: 1 for every case]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(flatten)]
    pub believe: Believe,
}

#[derive(Debug, Args)]
pub(crate) struct Spread {
    /// Receipts, envelopes or run files, two at least
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(flatten)]
    pub believe: Believe,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The tool's JSON
    pub file: PathBuf,
    /// The tool that wrote it
    #[arg(long, value_enum)]
    pub format: Tool,
    /// File to write
    #[arg(long, short, default_value = "imported.json")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Receipts, envelopes, run files or imported figures
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// html, markdown, json, csv or text
    #[arg(long, value_enum, default_value_t = Format::Html)]
    pub format: Format,
    /// File to write [default: standard output]
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub believe: Believe,
}

/// What input files are checked against. What is not checked is shown as such.
#[derive(Debug, Args)]
pub(crate) struct Believe {
    /// Trusted root for receipts
    #[arg(long, env = "HALLMARK_TRUST")]
    pub trust: Option<PathBuf>,
    /// Signer's public key (PEM) for envelopes
    #[arg(long)]
    pub public_key: Option<PathBuf>,
    /// Receipt of a verdict that bears out proofs; repeatable
    #[arg(long = "verdict", value_name = "FILE")]
    pub verdicts: Vec<PathBuf>,
}
