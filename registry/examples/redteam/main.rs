//! The red team: every cheat we know of, tried over HTTP against a real registry. `redteam [TRIALS] [--only FAMILY]
//! [--table FILE]` tries each so often (1,000 when not said), prints a Markdown table, and ends with 1 when a cheat was caught less often than
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

use cheats::line::{self, Line};
use cheats::{Campaign, FAMILIES, forward};

/// Probability that a right registry leaves an interval of shares: 99.9 % stay inside.
const LEVEL: f64 = 1e-3;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker"] => work().map(|()| ExitCode::SUCCESS),
        ["--load"] => load::run(),
        ref rest => attack(&Asked::read(rest)?),
    }
}

/// What the command line asks for.
struct Asked<'a> {
    trials: usize,
    families: Vec<&'a str>,
    table: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn read(mut arguments: &[&'a str]) -> Result<Self, Failure> {
        let mut asked = Self {
            trials: 1000,
            families: FAMILIES.to_vec(),
            table: None,
        };
        while let [first, rest @ ..] = arguments {
            arguments = match (*first, rest) {
                ("--table", [file, rest @ ..]) => {
                    asked.table = Some(file);
                    rest
                }
                ("--only", [family, rest @ ..]) if FAMILIES.contains(family) => {
                    asked.families = vec![family];
                    rest
                }
                (trials, rest) => {
                    let usage = format!(
                        "usage: redteam [TRIALS] [--only {}] [--table FILE] | --load",
                        FAMILIES.join("|")
                    );
                    asked.trials = trials.parse().ok().filter(|&trials| trials > 0).ok_or(usage)?;
                    rest
                }
            };
        }
        Ok(asked)
    }
}

fn attack(asked: &Asked<'_>) -> Result<ExitCode, Failure> {
    let worker = Worker::spawn()?;
    let campaign = Campaign {
        trials: asked.trials,
        level: LEVEL,
        worker: worker.address,
    };
    let lines = campaign.run(&asked.families, &|line| eprintln!("{line}"));
    drop(worker);
    let table = line::table(&lines);
    println!("{table}");
    if let Some(file) = asked.table {
        std::fs::write(file, table)?;
    }
    Ok(match lines.iter().all(Line::holds) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The other process that work is forwarded to. Ends with its owner, also when that panics.
struct Worker {
    child: Child,
    address: SocketAddr,
}

impl Worker {
    fn spawn() -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("worker")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        let stdout = child.stdout.take().ok_or("the worker has no output")?;
        BufReader::new(stdout).read_line(&mut address)?;
        let address = address.trim().parse()?;
        Ok(Self { child, address })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn work() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    forward::serve(&listener)?;
    Ok(())
}
