//! One attestation: what was signed, and the receipt.

use attest::digest::Sha256;
use attest::dsse::ENVELOPE_MEDIA_TYPE;
use attest::receipt::ReceiptError;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::listing::{self, Parameters};
use super::problem::{self, Problem};
use super::reply::{self, Keep};
use super::{App, Shared, blocking};
use crate::diary;
use crate::receipts::{ReceiptFailure, envelope_of, receipt};
use crate::store::{Entry, Kind, Signed};

/// An entry with what was signed.
pub(crate) struct Attestation {
    pub(crate) entry: Entry,
    pub(crate) signed: Signed,
    /// Other keys that signed the same statement.
    pub(crate) also_signed_by: Vec<Sha256>,
}

pub(super) async fn show(
    State(app): State<Shared>,
    Path(digest): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let found = find(app, &digest, query.as_deref())?;
        Ok(reply::body(
            &headers,
            "application/json",
            Keep::Seconds(0),
            document(&found),
        ))
    })
    .await
}

pub(super) async fn envelope(
    State(app): State<Shared>,
    Path(digest): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let found = find(app, &digest, query.as_deref())?;
        let envelope = envelope_of(&found.signed, &found.entry.key_id).to_json();
        Ok(reply::body(
            &headers,
            ENVELOPE_MEDIA_TYPE,
            Keep::Seconds(0),
            envelope,
        ))
    })
    .await
}

pub(super) async fn receipt_of(
    State(app): State<Shared>,
    Path(digest): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let found = find(app, &digest, query.as_deref())?;
        let receipt = receipt(app.store.as_ref(), &app.trust, found.entry.place)?;
        Ok(reply::body(
            &headers,
            reply::RECEIPT_MEDIA_TYPE,
            Keep::Seconds(0),
            receipt,
        ))
    })
    .await
}

/// The published entry with this digest: by the key asked for, else the first one logged.
pub(crate) fn find(app: &App, digest: &str, query: Option<&str>) -> Result<Attestation, Problem> {
    let refused = |error: attest::digest::NotADigest| Problem::new(problem::BAD_DIGEST, error.to_string());
    let digest = Sha256::from_hex(digest).map_err(refused)?;
    let parameters = Parameters::read(query, &["key"])?;
    let key = parameters.digest("key")?;
    let size = app.head().size;
    let entries: Vec<Entry> = app
        .store
        .with_digest(&digest)?
        .into_iter()
        .filter(|entry| entry.kind == Kind::Attestation && entry.place.tree_size <= size)
        .collect();
    let (chosen, others): (Vec<_>, Vec<_>) = match key {
        Some(key) => entries.into_iter().partition(|entry| entry.key_id == key),
        None => {
            let first = entries.first().map(|entry| entry.place.index);
            entries
                .into_iter()
                .partition(|entry| Some(entry.place.index) == first)
        }
    };
    let missing = || Problem::new(problem::NOT_FOUND, format!("no attestation {digest} in this log"));
    let entry = chosen.into_iter().next().ok_or_else(missing)?;
    let signed = app.store.signed(entry.place.index)?.ok_or_else(missing)?;
    Ok(Attestation {
        entry,
        signed,
        also_signed_by: others.into_iter().map(|other| other.key_id).collect(),
    })
}

impl From<ReceiptFailure> for Problem {
    fn from(failure: ReceiptFailure) -> Self {
        match failure {
            ReceiptFailure::Store(error) => error.into(),
            ReceiptFailure::Build(error) => broken_receipt(&error),
            ReceiptFailure::Damaged(what) => {
                diary::event("damaged", &[("what", &what)]);
                Self::new(
                    problem::INTERNAL,
                    "this entry cannot be read whole; its operator should run `hallmark fsck`",
                )
            }
        }
    }
}

pub(super) fn broken_receipt(error: &ReceiptError) -> Problem {
    diary::event("receipt_failed", &[("error", &error.to_string())]);
    Problem::new(
        problem::INTERNAL,
        "the entry is in the log, but its receipt could not be made; ask for it later",
    )
}

fn document(found: &Attestation) -> Vec<u8> {
    let mut value = listing::entry_json(&found.entry);
    let digest = found.entry.digest;
    let key_id = found.entry.key_id;
    value["publicKey"] = STANDARD.encode(&found.signed.spki).into();
    value["alsoSignedBy"] = json!(found.also_signed_by);
    value["links"] = json!({
        "envelope": format!("/api/v1/attestations/{digest}/envelope?key={key_id}"),
        "receipt": format!("/api/v1/attestations/{digest}/receipt?key={key_id}"),
        "page": format!("/attestations/{digest}?key={key_id}"),
    });
    // The statement goes in as it was signed, byte for byte; the value before it is a non-empty object.
    let mut bytes = value.to_string().into_bytes();
    bytes.pop();
    bytes.extend_from_slice(b",\"statement\":");
    bytes.extend_from_slice(&found.signed.payload);
    bytes.push(b'}');
    bytes
}
