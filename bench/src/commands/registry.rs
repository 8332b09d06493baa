//! `hallmark submit`, `serve` and `fsck`: both ends of a registry.

use std::time::Duration;

use attest::trust::TrustedRoot;
use registry::client::{Client, ClientError};

use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::Trusted;
use crate::exit::{Done, Failure, OrFail as _, Outcome, fail};
use crate::{answer, files, network, signer, talk};

pub(super) fn submit(args: &cli::Submit, config: &Config) -> Done {
    let (client, root) = client(&args.registry, config)?;
    let envelope = files::read(&args.envelope)?;
    let key = match &args.public_key {
        Some(path) => signer::public_key(path)?,
        None => signer::open(&args.key, config)?.public().clone(),
    };
    let submitted = client.submit(&envelope, &key, &root).map_err(failure)?;
    files::write(&args.out, &submitted.receipt)?;
    let verified = &submitted.verified;
    let known = if submitted.new {
        ""
    } else {
        ", where it already was"
    };
    talk::say(&format!(
        "leaf {} of {}{known}; receipt verified",
        verified.log_index, verified.origin
    ));
    answer::print(&args.out.display().to_string())
}

/// The registry's client and the trusted root it is held to.
pub(super) fn client(args: &cli::Registry, config: &Config) -> Done<(Client, TrustedRoot)> {
    let client = client_if_named(args, config)?.ok_or_else(|| {
        fail!(Usage, "no registry is named")
            .hint("name one with --registry URL, HALLMARK_REGISTRY or the configuration file")
    })?;
    let trusted = Trusted::load(args.trust.as_deref(), None, config)?;
    Ok((client, trusted.root()?.clone()))
}

pub(super) fn client_if_named(args: &cli::Registry, config: &Config) -> Done<Option<Client>> {
    let url = args.registry.as_ref().or(config.registry.as_ref());
    url.map(|url| connect(url, args.timeout)).transpose()
}

pub(super) fn connect(url: &str, timeout: Duration) -> Done<Client> {
    Client::new(url, timeout).or_fail(Outcome::Usage)
}

pub(super) fn failure(error: ClientError) -> Failure {
    network::failure(error, AGAIN)
}

pub(super) const AGAIN: &str = "check the address; the envelope is kept, and submitting it again is safe even if it was logged; --timeout waits \
                     longer";

pub(super) fn serve(args: cli::Serve) -> Done {
    let address_file = args.address_file;
    let config = registry::Config::new(args.data, args.listen, args.origin);
    registry::serve(config, |running| {
        let address = running.address();
        talk::say(&format!("serving on http://{address}/"));
        if let Some(path) = &address_file
            && let Err(failure) = files::write(path, address.to_string().as_bytes())
        {
            talk::failure(&failure);
        }
    })
    .or_fail(Outcome::Io)
}

pub(super) fn fsck(args: &cli::Fsck) -> Done {
    let report = registry::fsck(&args.data).or_fail(Outcome::Io)?;
    match args.format {
        Format::Text => answer::print(&report.to_string())?,
        Format::Json => answer::json(&report)?,
        other => return Err(fail!(Usage, "a check is shown as text or json, not {other:?}")),
    }
    if report.is_sound() {
        Ok(())
    } else {
        Err(fail!(VerificationFailed, "{} is damaged", args.data.display()))
    }
}
