//! From a request's body to an attestation the log may take.

use attest::dsse::{Envelope, EnvelopeError, MAX_ENVELOPE_BYTES, VerifiedEnvelope};
use attest::evidence::Assessment;
use attest::json::JsonError;
use attest::key::{KeyError, PublicKey};
use attest::leaf;
use attest::statement::{Measured, Statement, StatementError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::evidence;
use crate::signature::AwsLc;
use crate::store::{Accepted, Kind, Store, StoreError, Summary};

/// Largest submission: an envelope of the largest size and room for the key around it.
pub const MAX_BODY_BYTES: usize = MAX_ENVELOPE_BYTES + 4096;

/// Longest name that is indexed, in bytes. The longest GPU name of any driver seen has 90.
const MAX_NAME_BYTES: usize = 256;

/// More devices than any host holds.
const MAX_DEVICES: usize = 256;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmissionError {
    #[error("the body is not a JSON object with `envelope` and `publicKey`: {0}")]
    Body(#[from] JsonError),
    #[error("`publicKey` is not the base64 of a SubjectPublicKeyInfo: {0}")]
    KeyText(#[from] base64::DecodeError),
    #[error("`publicKey`: {0}")]
    Key(#[from] KeyError),
    #[error("`envelope`: {0}")]
    Envelope(EnvelopeError),
    #[error("the envelope's signature was not made by this public key over this payload")]
    Signature,
    #[error("the statement: {0}")]
    Statement(#[from] StatementError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the statement names {count} devices; at most {MAX_DEVICES} are accepted")]
    TooManyDevices { count: usize },
    #[error("a device's name has {bytes} bytes; at most {MAX_NAME_BYTES} are accepted")]
    LongName { bytes: usize },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    envelope: serde_json::Value,
    public_key: String,
}

/// Reads and verifies a submission. Costs a signature check: call it on a worker thread.
pub(crate) fn accept(
    body: &[u8],
    now: jiff::Timestamp,
    store: &dyn Store,
) -> Result<Accepted, SubmissionError> {
    let (envelope, verified, key) = open(body)?;
    let statement = Statement::read(&verified)?;
    let found = evidence::of(store, &statement)?;
    let summary = summarize(&statement, &found)?;
    let (digest, key_id) = (verified.pae_digest(), key.id());
    Ok(Accepted {
        kind: Kind::Attestation,
        leaf: leaf::canonical(&digest, &envelope.sig, &key),
        digest,
        key,
        key_id,
        envelope,
        accepted_ms: now.as_millisecond(),
        summary,
    })
}

/// Reads a body and checks its signature.
pub(crate) fn open(body: &[u8]) -> Result<(Envelope, VerifiedEnvelope, PublicKey), SubmissionError> {
    let body: Body = attest::json::from_slice(body, MAX_BODY_BYTES)?;
    let key = PublicKey::from_spki_der(&STANDARD.decode(&body.public_key)?)?;
    let mut envelope =
        Envelope::parse(body.envelope.to_string().as_bytes()).map_err(SubmissionError::Envelope)?;
    let verified = envelope.open(&key, &AwsLc).map_err(|error| match error {
        EnvelopeError::Signature(_) => SubmissionError::Signature,
        other => SubmissionError::Envelope(other),
    })?;
    // The hint decides nothing; with the true one, a receipt is the same bytes whoever submits.
    envelope.keyid = Some(key.id().to_string());
    Ok((envelope, verified, key))
}

/// What lists show and filter by.
fn summarize(statement: &Statement, found: &Assessment) -> Result<Summary, SubmissionError> {
    let measured = &statement.predicate.measured;
    if measured.devices.len() > MAX_DEVICES {
        return Err(SubmissionError::TooManyDevices {
            count: measured.devices.len(),
        });
    }
    if let Some(device) = measured
        .devices
        .iter()
        .find(|device| device.name.len() > MAX_NAME_BYTES)
    {
        return Err(SubmissionError::LongName {
            bytes: device.name.len(),
        });
    }
    let workloads = distinct(measured.records.iter().map(|record| &record.workload));
    Ok(Summary {
        json: summary_json(measured, &workloads, found),
        devices: distinct(measured.devices.iter().map(|device| &device.name)),
        workloads,
        evidence: evidence::strongest(found),
        support_json: (!found.proofs.is_empty()).then(|| json!(found).to_string()),
    })
}

fn summary_json(measured: &Measured, workloads: &[String], found: &Assessment) -> String {
    let devices: Vec<_> = measured
        .devices
        .iter()
        .map(|device| json!({"id": device.id, "name": device.name, "api": device.api, "kind": device.kind}))
        .collect();
    json!({
        "suite": {
            "name": measured.suite.name,
            "version": measured.suite.version,
            "complete": measured.suite.complete,
        },
        "tool": {"name": measured.tool.name, "version": measured.tool.version},
        "measurementStartedAt": measured.measurement_started_at,
        "measurementFinishedAt": measured.measurement_finished_at,
        "devices": devices,
        "workloads": workloads,
        "records": measured.records.len(),
        "evidence": evidence::counts(found),
    })
    .to_string()
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = names.cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}
