//! The command line. Flags stand over environment variables, those over the configuration file.

mod generate;
mod measure;
mod prove;
mod read;
mod time;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use generate::{Generate, Weights};
pub(crate) use measure::{Certify, Mode, Path, Run, Selection};
pub(crate) use prove::{ProofChoice, Prove, Proving, SpotCheck};
pub(crate) use read::{Believe, Compare, Import, Report, Score, Spread};
use time::duration;

/// Measures what a machine does on AI work, signs it, and lets anybody check it.
#[derive(Debug, Parser)]
#[command(name = "hallmark", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Say nothing on standard error but warnings and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 good, 1 verdict bad, 2 usage, 3 inconclusive, 4 environment unfit,
5 verification failed, 6 I/O or network, 130 interrupted.

Configuration: $XDG_CONFIG_HOME/hallmark/config.toml (registry, key, trust, data).
Standard output holds only the answer; everything else goes to standard error.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List devices, and what each cannot run and why
    Devices(Show),
    /// List workloads with their cases and spec digests
    Workloads(Show),
    /// Measure a suite and write a run file, or go on with one
    Run(Run),
    /// Sign a run file
    Sign(Sign),
    /// Check a receipt, an envelope or a transcript, offline
    Verify(Verify),
    /// Send a signed envelope to a registry and keep the receipt
    Submit(Submit),
    /// Prove, run, sign, submit and verify: the whole way in one command
    Certify(Certify),
    /// Prove speed and memory to a registry, on its clock
    Prove(Prove),
    /// Check on this machine that it still does what it is certified for
    SpotCheck(SpotCheck),
    /// Put two attestations side by side
    Compare(Compare),
    /// One number for a run against a named reference
    Score(Score),
    /// How far the medians of several runs of one machine lie apart
    Spread(Spread),
    /// Read figures of another tool, to stand beside ours in a report
    Import(Import),
    /// Draw a report from receipts, envelopes or run files
    Report(Report),
    /// Make and show signing keys
    #[command(subcommand)]
    Keys(Keys),
    /// Say which registries are trusted
    #[command(subcommand)]
    Trust(Trust),
    /// Run a registry
    Serve(Serve),
    /// Check a registry's data and re-derive its root
    Fsck(Fsck),
    /// Run your own Llama checkpoint: token ids in, token ids and times out; no record comes of it
    Generate(Generate),
    /// Measure a card's own ceilings: vendor matrix products and device copies
    Peers(Peers),
    /// Print the JSON Schema of a document, or the registry's OpenAPI
    Schema(Schema),
    /// Print a shell completion script
    Completions { shell: clap_complete::Shell },
    /// Print the manual page
    Man,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Markdown,
    Csv,
    Html,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// The provider's key.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// Signing key (PKCS#8 PEM) [default: made once in the data folder]
    #[arg(long, env = "HALLMARK_KEY")]
    pub key: Option<PathBuf>,
    /// File holding the key's password; else HALLMARK_KEY_PASSWORD, else a prompt
    #[arg(long, env = "HALLMARK_KEY_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,
}

/// The registry and why it is believed.
#[derive(Debug, Args)]
pub(crate) struct Registry {
    /// Registry's address, as in http://127.0.0.1:4790
    #[arg(long, env = "HALLMARK_REGISTRY")]
    pub registry: Option<String>,
    /// Trusted root that vouches for its log
    #[arg(long, env = "HALLMARK_TRUST")]
    pub trust: Option<PathBuf>,
    /// Time a request may take
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = duration)]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// Run file written by `hallmark run`
    pub run: PathBuf,
    #[command(flatten)]
    pub key: Key,
    #[command(flatten)]
    pub registry: Registry,
    /// Envelope to write
    #[arg(long, short, default_value = "envelope.json")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// Envelope written by `hallmark sign`
    pub envelope: PathBuf,
    /// The signer's public key (PEM) [default: that of --key]
    #[arg(long)]
    pub public_key: Option<PathBuf>,
    #[command(flatten)]
    pub key: Key,
    #[command(flatten)]
    pub registry: Registry,
    /// Receipt to write
    #[arg(long, short, default_value = "receipt.json")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A receipt, or an envelope together with --public-key
    #[arg(required_unless_present = "transcript")]
    pub file: Option<PathBuf>,
    /// A transcript of a proof: its verdict is recomputed from the opened lanes
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "disclosures", "not_before"])]
    pub transcript: Option<PathBuf>,
    /// Trusted root that vouches for the log
    #[arg(long, env = "HALLMARK_TRUST")]
    pub trust: Option<PathBuf>,
    /// Accept only this signer (PEM)
    #[arg(long)]
    pub public_key: Option<PathBuf>,
    /// Receipt of a verdict that bears out proofs; repeatable
    #[arg(long = "verdict", value_name = "FILE")]
    pub verdicts: Vec<PathBuf>,
    /// Private facts to hold to the statement, as written beside the envelope: a JSON object of disclosures
    #[arg(long, value_name = "FILE")]
    pub disclosures: Option<PathBuf>,
    /// Refuse a receipt whose checkpoint is older than this one
    #[arg(long, value_name = "FILE")]
    pub not_before: Option<PathBuf>,
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key; an existing one is never overwritten
    New {
        /// Key file [default: in the data folder]
        #[arg(long, short)]
        out: Option<PathBuf>,
        /// File holding the password; else HALLMARK_KEY_PASSWORD, else a prompt
        #[arg(long, env = "HALLMARK_KEY_PASSWORD_FILE")]
        password_file: Option<PathBuf>,
        /// Leave the key unencrypted
        #[arg(long, conflicts_with = "password_file")]
        no_password: bool,
    },
    /// Print the public key (PEM) and, on standard error, its id
    Show {
        #[command(flatten)]
        key: Key,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Trust {
    /// Print the logs and keys of a trusted root
    Show {
        file: PathBuf,
        /// text or json
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Fetch a registry's trusted root; compare its fingerprint by another way before relying on it
    Fetch {
        #[command(flatten)]
        registry: Registry,
        /// File to write [default: where other commands look for it]
        #[arg(long, short)]
        out: Option<PathBuf>,
    },
    /// Make a trusted root from the verifier key lines that a log's operator publishes
    Make {
        /// Every key of one log, each as <origin>+<key id>+<base64>
        #[arg(required = true)]
        verifiers: Vec<String>,
        #[arg(long, short, default_value = "trusted_root.json")]
        out: PathBuf,
    },
    /// Close the current log of a trusted root and add the next one's
    Rotate {
        /// Trusted root to extend
        file: PathBuf,
        /// Trusted root of the new log
        next: PathBuf,
        #[arg(long, short)]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Folder of the registry's data; made if missing
    #[arg(long, env = "HALLMARK_DATA")]
    pub data: PathBuf,
    /// Address to listen on; port 0 takes a free one and prints it
    #[arg(long, default_value = "127.0.0.1:4790")]
    pub listen: std::net::SocketAddr,
    /// Name of the log, a host name and path without scheme; fixed once the log has an entry
    #[arg(long, default_value = "localhost/hallmark")]
    pub origin: String,
    /// File to write the address to once it is listened on
    #[arg(long)]
    pub address_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Fsck {
    /// The registry's data folder
    pub data: PathBuf,
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Peers {
    /// Ordinal of the CUDA device
    #[arg(long, default_value_t = 0)]
    pub device: usize,
    /// text or json
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    #[arg(value_enum)]
    pub document: Document,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Document {
    /// The signed in-toto statement
    Statement,
    /// The run file
    Run,
    /// The registry's HTTP interface
    Openapi,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
