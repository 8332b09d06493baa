//! One entry against its leaf.

use attest::digest::Sha256;
use attest::dsse::VerifiedEnvelope;
use attest::key::PublicKey;
use attest::leaf;
use attest::proof::{Attempt, Stated, Verdict};
use attest::statement::Statement;

use crate::receipts::envelope_of;
use crate::signature::AwsLc;
use crate::store::{Entry, Kind, Signed};

/// What an entry states, as far as other parts of the database follow from it.
pub(super) enum Told {
    Attestation,
    /// The attempt's id.
    Attempt(Sha256),
    /// The attempt's id and the verdict's digest.
    Verdict(Sha256, Sha256),
}

/// The leaf is the authority; everything else at its index must follow from it. Attempts and verdicts are by `log_key`.
pub(super) fn compare(
    leaf: &[u8],
    entry: &Entry,
    signed: &Signed,
    log_key: Option<Sha256>,
) -> Result<Told, String> {
    let key = PublicKey::from_spki_der(&signed.spki).map_err(|error| error.to_string())?;
    let envelope = envelope_of(signed, &key.id());
    let opened = envelope.open(&key, &AwsLc).map_err(|error| error.to_string())?;
    if leaf::canonical(&opened.pae_digest(), &envelope.sig, &key) != leaf {
        return Err("the leaf is not of the payload, signature and key stored with it".to_owned());
    }
    if (entry.digest, entry.key_id) != (opened.pae_digest(), key.id()) {
        return Err("it is filed under another digest or key".to_owned());
    }
    if entry.kind != Kind::Attestation && log_key != Some(key.id()) {
        return Err(format!(
            "its {} is not signed with the log's key",
            entry.kind.name()
        ));
    }
    read(entry.kind, &opened)
}

fn read(kind: Kind, opened: &VerifiedEnvelope) -> Result<Told, String> {
    match kind {
        Kind::Attestation => Statement::read(opened)
            .map(|_| Told::Attestation)
            .map_err(|error| error.to_string()),
        Kind::Attempt => Stated::<Attempt>::read(opened)
            .map(|_| Told::Attempt(opened.pae_digest()))
            .map_err(|error| error.to_string()),
        Kind::Verdict => Stated::<Verdict>::read(opened)
            .map(|verdict| Told::Verdict(verdict.predicate.attempt, opened.pae_digest()))
            .map_err(|error| error.to_string()),
    }
}
