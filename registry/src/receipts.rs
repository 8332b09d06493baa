//! Receipts of logged entries, byte for byte as they were acknowledged, from what the database holds.

use attest::checkpoint::LogTrust;
use attest::digest::Sha256;
use attest::dsse::{Envelope, PAYLOAD_TYPE};
use attest::key::PublicKey;
use attest::receipt::{self, ReceiptError};

use crate::log;
use crate::store::{Place, Signed, Store, StoreError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiptFailure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Damaged(String),
    #[error("the receipt is not made: {0}")]
    Build(#[from] ReceiptError),
}

/// The receipt of the entry at `place`.
pub(crate) fn receipt(store: &dyn Store, trust: &LogTrust, place: Place) -> Result<Vec<u8>, ReceiptFailure> {
    let damaged = |what: &str| ReceiptFailure::Damaged(format!("entry {}: {what}", place.index));
    let signed = store
        .signed(place.index)?
        .ok_or_else(|| damaged("its payload is missing"))?;
    let note = store
        .note(place.tree_size)?
        .ok_or_else(|| damaged("its checkpoint is missing"))?;
    let key = PublicKey::from_spki_der(&signed.spki).map_err(|_| damaged("its key cannot be read"))?;
    let path = log::inclusion_path(store, place.tree_size, place.index)
        .map_err(|error| damaged(&error.to_string()))?;
    let envelope = envelope_of(&signed, &key.id());
    Ok(receipt::build(&envelope, &key, place.index, &note, &path, trust)?)
}

pub(crate) fn envelope_of(signed: &Signed, key_id: &Sha256) -> Envelope {
    Envelope {
        payload: signed.payload.clone(),
        payload_type: PAYLOAD_TYPE.to_owned(),
        keyid: Some(key_id.to_string()),
        sig: signed.signature.clone(),
    }
}
