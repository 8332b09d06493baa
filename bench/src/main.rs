//! The `hallmark` program: measuring, suites and commands.

mod answer;
mod choice;
mod cli;
mod commands;
mod config;
mod document;
mod exit;
mod files;
mod host;
mod import;
mod interrupt;
mod measure;
mod network;
mod pace;
mod password;
mod progress;
mod prove;
mod resume;
mod runner;
mod selection;
mod signer;
mod suite;
mod talk;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            talk::failure(&failure);
            failure.outcome.into()
        }
    }
}
