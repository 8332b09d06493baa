//! What this registry's own verdicts bear out of a statement.

use std::collections::BTreeSet;

use attest::digest::Sha256;
use attest::evidence::{Assessment, LoggedVerdict, assess};
use attest::statement::{Evidence, VerifiedStatement};
use serde_json::{Value, json};

use crate::store::{Kind, Store, StoreError};

/// Holds a statement against the verdicts it names. Costs the recomputation of challenged outputs.
pub(crate) fn of(store: &dyn Store, statement: &VerifiedStatement) -> Result<Assessment, StoreError> {
    let named: BTreeSet<Sha256> = statement
        .predicate
        .proofs
        .iter()
        .map(|proof| proof.verdict)
        .collect();
    let mut verdicts = Vec::new();
    for digest in named {
        verdicts.extend(verdict(store, &digest)?);
    }
    Ok(assess(statement, &verdicts))
}

/// The verdict with this digest, if this log has it. It was checked when it was made.
fn verdict(store: &dyn Store, digest: &Sha256) -> Result<Option<LoggedVerdict>, StoreError> {
    let entries = store.with_digest(digest)?;
    let Some(entry) = entries.into_iter().find(|entry| entry.kind == Kind::Verdict) else {
        return Ok(None);
    };
    let signed = store.signed(entry.place.index)?;
    let verdict = signed.and_then(|signed| serde_json::from_slice(&signed.payload).ok());
    Ok(verdict.map(|verdict| LoggedVerdict {
        verdict,
        digest: *digest,
        log_index: entry.place.index,
    }))
}

/// The strongest level that any part of the statement has: what lists filter by.
pub(crate) fn strongest(found: &Assessment) -> Evidence {
    let records = found.records.iter().map(|record| record.support.evidence);
    let levels = records.chain(found.proofs.iter().map(|proof| proof.evidence));
    levels.max().unwrap_or(Evidence::Claimed)
}

/// How many parts have which support, for lists.
pub(crate) fn counts(found: &Assessment) -> Value {
    let challenged = found
        .records
        .iter()
        .filter(|record| record.support.evidence == Evidence::Challenged);
    let timed = found
        .proofs
        .iter()
        .filter(|proof| proof.evidence == Evidence::Timed);
    let implausible = found.records.iter().filter(|record| record.implausible.is_some());
    json!({
        "strongest": strongest(found),
        "timedProofs": timed.count(),
        "challengedRecords": challenged.count(),
        "implausibleRecords": implausible.count(),
    })
}
