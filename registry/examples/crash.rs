//! The kill campaign: `crash [ROUNDS]`. Each round serves one folder, submits from 8 clients, proves from 4 providers, and
//! kills the server with SIGKILL at a random moment. Ends with every promise checked; exit code 1 when one was broken.

#![allow(clippy::print_stdout, reason = "the outcome is this program's data")]
#![allow(clippy::unwrap_used, dead_code, reason = "shared with the tests")]

#[path = "../tests/it/answers.rs"]
mod answers;
#[path = "../tests/it/campaign.rs"]
mod campaign;
#[path = "../tests/it/prover.rs"]
mod prover;
#[path = "../tests/it/providers.rs"]
mod providers;
#[path = "../tests/it/sample.rs"]
mod sample;
#[path = "../tests/it/wire.rs"]
mod wire;

use std::error::Error;
use std::io::Write as _;
use std::process::Command;

use registry::{Config, Rate, serve};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", folder] => child(folder),
        [] => parent(200),
        [rounds] => parent(rounds.parse()?),
        _ => Err("usage: crash [ROUNDS]".into()),
    }
}

fn parent(rounds: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
    let program = std::env::current_exe()?;
    let folder = tempfile::tempdir()?;
    let tally = campaign::run(rounds, &folder.path().join("data"), &|folder| {
        let mut command = Command::new(&program);
        command.arg("serve").arg(folder);
        command
    });
    match tally {
        Ok(tally) => {
            println!("{tally}");
            Ok(())
        }
        Err(error) => {
            println!("the registry's folder is kept: {}", folder.keep().display());
            Err(error)
        }
    }
}

fn child(folder: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut config = Config::new(
        folder.into(),
        "127.0.0.1:0".parse()?,
        "localhost/crash".to_owned(),
    );
    config.log_requests = false;
    config.limits.submissions = None;
    config.limits.reads = None;
    let plenty = Rate {
        per_second: 1e6,
        burst: 1e6,
    };
    config.limits.sessions.attempts = plenty;
    config.limits.sessions.check_seconds = plenty;
    serve(config, |running| {
        println!("listening {}", running.address());
        // Without the line the campaign waits for a server that is already there.
        let _ = std::io::stdout().flush();
    })?;
    Ok(())
}
