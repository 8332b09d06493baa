//! What to measure: `run` and `certify`.

use std::path::PathBuf;
use std::time::Duration;

use attest::statement::PathClass;
use clap::{Args, ValueEnum};

use super::time::duration;
use super::{Format, Key, Proving, Registry};

/// What to measure, and where.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// smoke, standard or full
    #[arg(long, default_value = "smoke")]
    pub suite: String,
    /// A device (`cuda:0`) or all of one API (`vulkan`); repeatable [default: every device]
    #[arg(long = "device", value_name = "DEVICE")]
    pub devices: Vec<String>,
    /// Only workloads whose id starts with this; repeatable, or a list with commas
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    pub only: Vec<String>,
    /// No workload whose id starts with this; repeatable, or a list with commas
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// How the work is run: portable, tuned (the best kernel of ours for the device) or vendor (the maker's library);
    /// repeatable, or a list with commas [default: portable, and what else the device has]
    #[arg(long = "path", value_name = "PATH", value_enum, value_delimiter = ',')]
    pub paths: Vec<Path>,
    /// Seed of the inputs, 64 hexadecimal digits [default: the public seed]
    #[arg(long, value_name = "HEX")]
    pub seed: Option<String>,
    /// burst, or sustained: a minute of every record, nothing left out
    #[arg(long, value_enum, default_value_t = Mode::Burst)]
    pub mode: Mode,
    /// Sampling time of each record, as in 500ms or 2s [default: shares of the suite's time]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub budget: Option<Duration>,
    /// Time of the whole run, shared over its records, as in 5m [default: the suite's for each device]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "budget")]
    pub time_budget: Option<Duration>,
}

/// How the work is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Path {
    Portable,
    Tuned,
    Vendor,
}

impl From<Path> for PathClass {
    fn from(path: Path) -> Self {
        match path {
            Path::Portable => Self::Portable,
            Path::Tuned => Self::Tuned,
            Path::Vendor => Self::Vendor,
        }
    }
}

/// How long each record is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    Burst,
    Sustained,
}

impl From<Mode> for attest::statement::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Burst => Self::Burst,
            Mode::Sustained => Self::Sustained,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub selection: Selection,
    /// Measure what is missing in a run file that was cut short; the rest is as it says
    #[arg(long, value_name = "FILE", conflicts_with_all = ["suite", "devices", "only", "skip", "paths", "seed", "mode", "budget", "time_budget"])]
    pub resume: Option<PathBuf>,
    /// Run file to write [default: run.json, or the one that is resumed]
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    /// text, json, markdown or csv
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Certify {
    #[command(flatten)]
    pub selection: Selection,
    /// Prove nothing: every figure is the provider's word
    #[arg(long)]
    pub no_proof: bool,
    #[command(flatten)]
    pub proving: Proving,
    #[command(flatten)]
    pub key: Key,
    #[command(flatten)]
    pub registry: Registry,
    /// Folder for run file, envelope, receipt and report [default: in the data folder, named by time]
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
