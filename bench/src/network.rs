//! The registry: a fresh checkpoint of it, and what its failing means for the program's end.

use attest::checkpoint::LogTrust;
use attest::statement::Freshness;
use attest::trust::TrustedRoot;
use registry::client::{Client, ClientError};

use crate::exit::{Done, Failure, Outcome, fail};

const LIES: &str = "keep what it said and ask its operator; nothing of it was believed or written";

/// A registry that lies is a failed verification; one that is down, slow or refuses is I/O. `hint` says what to do about
/// one that is down or slow.
pub(crate) fn failure(error: ClientError, hint: &str) -> Failure {
    let (outcome, hint) = match &error {
        error if error.is_lie() => (Outcome::VerificationFailed, Some(LIES)),
        error if error.is_down() || error.is_slow() => (Outcome::Io, Some(hint)),
        _ => (Outcome::Io, None),
    };
    let failure = Failure::new(outcome, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A checkpoint of the registry, verified against the trusted root. `hint` is for a registry that does not answer.
pub(crate) fn freshness(client: &Client, root: &TrustedRoot, hint: &str) -> Done<Freshness> {
    let checkpoint = client
        .checkpoint(&current_log(root)?)
        .map_err(|error| failure(error, hint))?;
    Ok(Freshness {
        origin: checkpoint.origin,
        tree_size: checkpoint.size,
        root_hash: checkpoint.root,
    })
}

/// The one log of the trusted root that still grows.
fn current_log(root: &TrustedRoot) -> Done<LogTrust> {
    match root.current().as_slice() {
        [origin] => root
            .log(origin)
            .ok_or_else(|| fail!(Usage, "the trusted root has no key of {origin:?}")),
        [] => Err(fail!(Usage, "every log of the trusted root is retired")
            .hint("fetch the registry's new trusted root")),
        several => Err(fail!(
            Usage,
            "the trusted root has {} growing logs: {several:?}",
            several.len()
        )
        .hint("name a trusted root of one registry with --trust")),
    }
}
