//! A registry and nothing else: `serve DIR [ADDRESS]`. Prints the address it bound.

#![allow(clippy::print_stdout, reason = "the address is this program's data")]

use std::error::Error;
use std::io::Write as _;

use registry::{Config, serve};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: serve DIR [ADDRESS]")?;
    let listen = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:0".to_owned())
        .parse()?;
    let mut config = Config::new(folder.into(), listen, "localhost/hallmark".to_owned());
    config.log_requests = false;
    config.limits.submissions = None;
    config.limits.reads = None;
    serve(config, |running| {
        println!("listening {}", running.address());
        let _ = std::io::stdout().flush();
    })?;
    Ok(())
}
