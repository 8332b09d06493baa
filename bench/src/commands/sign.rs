//! `hallmark sign`: turn a run file into a signed envelope, and keep what was concealed in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use attest::disclosure::{self, Concealed};
use attest::dsse::Envelope;
use attest::key::SigningKey;
use attest::statement::{Attempt, Freshness, ProofRef, Statement};

use crate::commands::registry::{client, client_if_named};
use crate::config::Config;
use crate::document::{file_name, read_run};
use crate::exit::{Done, OrFail as _, Outcome, fail};
use crate::{answer, cli, files, network, signer, talk};

pub(super) fn run(args: &cli::Sign, config: &Config) -> Done {
    let key = signer::open(&args.key, config)?;
    let freshness = match client_if_named(&args.registry, config)? {
        Some(_) => Some(fresh(&args.registry, config)?),
        None => {
            talk::warn(
                "no registry named: the statement carries no checkpoint, so nothing shows when it was signed",
            );
            None
        }
    };
    sign(&args.run, &key, freshness, Backing::default())?.write(&args.out)?;
    talk::say(&format!("signed with key {}", key.public().id()));
    answer::print(&args.out.display().to_string())
}

/// A signed run, and the private facts that it holds only as digests.
pub(super) struct Signed {
    pub envelope: Vec<u8>,
    disclosures: BTreeMap<String, String>,
}

impl Signed {
    /// Writes the envelope, and beside it the disclosures for their owner alone.
    pub(super) fn write(&self, envelope: &Path) -> Done {
        files::write(envelope, &self.envelope)?;
        let disclosures = serde_json::to_vec_pretty(&self.disclosures).or_fail(Outcome::Io)?;
        files::write_private(&disclosures_beside(envelope), &disclosures)
    }
}

/// `envelope.json` keeps its disclosures in `envelope.disclosures.json`.
fn disclosures_beside(envelope: &Path) -> PathBuf {
    envelope.with_extension("disclosures.json")
}

/// What verdicts add to a run: the attempt whose nonce its inputs follow from, and what was proven.
#[derive(Default)]
pub(super) struct Backing {
    pub attempt: Option<Attempt>,
    pub proofs: Vec<ProofRef>,
}

/// Signs a run file.
pub(super) fn sign(
    run: &Path,
    key: &SigningKey,
    freshness: Option<Freshness>,
    backing: Backing,
) -> Done<Signed> {
    let (run_file, bytes) = read_run(run)?;
    let refused = |error: attest::statement::StatementError| {
        fail!(VerificationFailed, "{}: {error}", run.display()).hint("measure again with hallmark run")
    };
    let name = file_name(&run.display().to_string());
    let mut statement = Statement::from_run(&run_file, &bytes, &name, freshness)
        .and_then(|statement| statement.with_proofs(backing.attempt, backing.proofs))
        .map_err(refused)?;
    let facts = run_file
        .private
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let Concealed { digests, disclosures } = disclosure::conceal(&facts).or_fail(Outcome::Usage)?;
    statement.predicate.sd = digests;
    statement.predicate.sd_alg = Some(disclosure::ALGORITHM.to_owned());
    let payload = statement.to_bytes().map_err(refused)?;
    Ok(Signed {
        envelope: Envelope::sign(payload, key).to_json(),
        disclosures: disclosures
            .iter()
            .map(|(name, text)| (name.clone(), text.as_str().to_owned()))
            .collect(),
    })
}

/// A checkpoint of the registry, verified against the trusted root.
pub(super) fn fresh(registry: &cli::Registry, config: &Config) -> Done<Freshness> {
    let (client, root) = client(registry, config)?;
    network::freshness(&client, &root, super::registry::AGAIN)
}
