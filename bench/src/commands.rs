//! One file for each group of commands.

mod certify;
mod compare;
mod devices;
mod generate;
mod import;
mod keys;
mod measure;
mod peers;
mod prove;
mod registry;
mod report;
mod score;
mod shell;
mod sign;
mod spot_check;
mod spread;
mod transcript;
mod trust;
mod verify;
mod workloads;

use crate::cli::{Cli, Command};
use crate::config::Config;
use crate::exit::Done;

/// Runs the command of the command line.
pub(crate) fn run(cli: Cli) -> Done {
    let config = Config::load()?;
    match cli.command {
        Command::Devices(show) => devices::run(show.format),
        Command::Workloads(show) => workloads::run(show.format),
        Command::Run(run) => measure::run(&run, cli.quiet),
        Command::Sign(sign) => sign::run(&sign, &config),
        Command::Verify(verify) => verify::run(&verify, &config),
        Command::Submit(submit) => registry::submit(&submit, &config),
        Command::Certify(certify) => certify::run(&certify, &config, cli.quiet),
        Command::Prove(prove) => prove::run(&prove, &config, cli.quiet),
        Command::SpotCheck(check) => spot_check::run(&check, &config, cli.quiet),
        Command::Compare(compare) => compare::run(&compare, &config),
        Command::Score(score) => score::run(&score, &config),
        Command::Spread(args) => spread::run(&args, &config),
        Command::Import(import) => import::run(&import),
        Command::Report(report) => report::run(&report, &config),
        Command::Keys(keys) => keys::run(keys, &config),
        Command::Trust(trust) => trust::run(trust, &config),
        Command::Serve(serve) => registry::serve(serve),
        Command::Fsck(fsck) => registry::fsck(&fsck),
        Command::Generate(generate) => generate::run(&generate, cli.quiet),
        Command::Peers(peers) => peers::run(&peers),
        Command::Schema(schema) => shell::schema(schema.document),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man => shell::man(),
    }
}
