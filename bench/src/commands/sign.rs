//! `hallmark sign`: turn a run file into a signed envelope.

use std::path::Path;

use attest::checkpoint::LogTrust;
use attest::dsse::Envelope;
use attest::key::SigningKey;
use attest::statement::{Freshness, Statement};
use attest::trust::TrustedRoot;

use crate::commands::registry::{client, client_if_named};
use crate::config::Config;
use crate::document::{file_name, read_run};
use crate::exit::{Done, Or as _, Outcome, fail};
use crate::{answer, cli, files, signer, talk};

pub(super) fn run(args: &cli::Sign, config: &Config) -> Done {
    let key = signer::open(&args.key, config)?;
    let freshness = match client_if_named(&args.registry, config)? {
        Some(_) => Some(fresh(&args.registry, config)?),
        None => None,
    };
    if freshness.is_none() {
        talk::warn(
            "no registry named: the statement carries no checkpoint, so nothing shows when it was signed",
        );
    }
    let envelope = envelope(&args.run, &key, freshness)?;
    files::write(&args.out, &envelope.to_json())?;
    talk::say(&format!("signed with key {}", key.public().id()));
    answer::print(&args.out.display().to_string())
}

/// Signs a run file.
pub(super) fn envelope(run: &Path, key: &SigningKey, freshness: Option<Freshness>) -> Done<Envelope> {
    let (run_file, bytes) = read_run(run)?;
    let name = file_name(&run.display().to_string());
    let statement = Statement::from_run(&run_file, &bytes, &name, freshness).map_err(|error| {
        fail!(VerificationFailed, "{}: {error}", run.display()).hint("measure again with hallmark run")
    })?;
    let payload = attest::jcs::to_vec(&statement).or(Outcome::Unfit)?;
    Ok(Envelope::sign(payload, key))
}

/// A checkpoint of the registry, verified against the trusted root.
pub(super) fn fresh(registry: &cli::Registry, config: &Config) -> Done<Freshness> {
    let (client, root) = client(registry, config)?;
    let log = current_log(&root)?;
    let checkpoint = client.checkpoint(&log).map_err(super::registry::failure)?;
    Ok(Freshness {
        origin: checkpoint.origin,
        tree_size: checkpoint.size,
        root_hash: checkpoint.root,
    })
}

/// The one log of the trusted root that still grows.
fn current_log(root: &TrustedRoot) -> Done<LogTrust> {
    let current = root.current();
    match current.as_slice() {
        [origin] => root.log(origin).ok_or_else(|| fail!(Usage, "the trusted root has no key of {origin:?}")),
        [] => Err(fail!(Usage, "every log of the trusted root is retired").hint("fetch the registry's new trusted root")),
        several => Err(fail!(Usage, "the trusted root has {} growing logs: {several:?}", several.len())
            .hint("name a trusted root of one registry with --trust")),
    }
}
