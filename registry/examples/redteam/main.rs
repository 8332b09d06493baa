//! The red team: every cheat we know of, tried over HTTP against a real registry. `redteam [TRIALS] [--table FILE]` tries
//! each so often (1,000 when not said), prints a Markdown table, and ends with 1 when a cheat was caught less often than
//! expected. `redteam --load` measures how far other traffic moves the times of honest providers.

#![allow(clippy::print_stdout, reason = "the table is this program's data")]
#![allow(clippy::unwrap_used, dead_code, reason = "shared with the tests")]

#[path = "../../tests/it/bench.rs"]
mod bench;
#[path = "cheats.rs"]
mod cheats;
mod load;
#[path = "../../tests/it/prover.rs"]
mod prover;
#[path = "../../tests/it/relay.rs"]
mod relay;
#[path = "../../tests/it/sample.rs"]
mod sample;
#[path = "../../tests/it/wire.rs"]
mod wire;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitCode, Stdio};

use cheats::forward;
use cheats::line::{self, Line};

/// Probability that a right registry leaves an interval of shares: 99.9 % stay inside.
const LEVEL: f64 = 1e-3;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker"] => work().map(|()| ExitCode::SUCCESS),
        ["--load"] => load::run(),
        [] => attack(1000, None),
        [trials] => attack(trials.parse()?, None),
        ["--table", file] => attack(1000, Some(file)),
        [trials, "--table", file] => attack(trials.parse()?, Some(file)),
        _ => Err("usage: redteam [TRIALS] [--table FILE] | --load".into()),
    }
}

fn attack(trials: usize, file: Option<&str>) -> Result<ExitCode, Failure> {
    let (mut child, worker) = spawn()?;
    let lines = cheats::all(trials, LEVEL, worker, &|line| eprintln!("{line}"));
    let _ = child.kill();
    child.wait()?;
    let table = line::table(&lines);
    println!("{table}");
    if let Some(file) = file {
        std::fs::write(file, table)?;
    }
    Ok(match lines.iter().all(Line::holds) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The other process that work is forwarded to.
fn spawn() -> Result<(Child, SocketAddr), Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("worker")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut address = String::new();
    let stdout = child.stdout.take().ok_or("the worker has no output")?;
    BufReader::new(stdout).read_line(&mut address)?;
    Ok((child, address.trim().parse()?))
}

fn work() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    forward::serve(&listener)?;
    Ok(())
}
