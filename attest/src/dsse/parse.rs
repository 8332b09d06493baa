//! One strict pass over the bytes of an envelope.

use super::{Envelope, EnvelopeError, MAX_ENVELOPE_BYTES, PAYLOAD_TYPE, base64};
use crate::json::Scanner;
use crate::key::check_form;

pub(super) fn envelope(bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
    let mut scanner = Scanner::new(bytes, MAX_ENVELOPE_BYTES)?;
    let mut payload = None;
    let mut payload_type = None;
    let mut signatures = None;
    scanner.object(|scanner, key| {
        match key {
            "payload" => payload = Some(scanner.string()?),
            "payloadType" => payload_type = Some(scanner.string()?),
            "signatures" => signatures = Some(read_signatures(scanner)?),
            _ => scanner.value()?,
        }
        Ok::<_, EnvelopeError>(())
    })?;
    scanner.end()?;

    let missing = |field| EnvelopeError::Missing { field };
    let payload_type = payload_type.ok_or_else(|| missing("payloadType"))?;
    if payload_type != PAYLOAD_TYPE {
        return Err(EnvelopeError::PayloadType {
            found: payload_type.chars().take(120).collect(),
        });
    }
    let payload = decode("payload", &payload.ok_or_else(|| missing("payload"))?)?;
    let signature = signatures.ok_or_else(|| missing("signatures"))?;
    let sig = decode("sig", &signature.sig.ok_or_else(|| missing("sig"))?)?;
    check_form(&sig)?;
    Ok(Envelope {
        payload,
        payload_type: payload_type.into_owned(),
        keyid: signature.keyid,
        sig,
    })
}

/// The one element of `signatures` as it was written.
#[derive(Default)]
struct Signature {
    keyid: Option<String>,
    sig: Option<String>,
}

fn read_signatures(scanner: &mut Scanner<'_>) -> Result<Signature, EnvelopeError> {
    let mut signature = Signature::default();
    let mut count = 0;
    scanner.array(|scanner| {
        count += 1;
        scanner.object(|scanner, key| {
            match key {
                "keyid" => signature.keyid = Some(scanner.string()?.into_owned()),
                "sig" => signature.sig = Some(scanner.string()?.into_owned()),
                _ => scanner.value()?,
            }
            Ok::<_, EnvelopeError>(())
        })
    })?;
    if count != 1 {
        return Err(EnvelopeError::SignatureCount { count });
    }
    Ok(signature)
}

fn decode(field: &'static str, text: &str) -> Result<Vec<u8>, EnvelopeError> {
    base64::decode(text).ok_or(EnvelopeError::NotBase64 { field })
}
