//! The envelope: DSSE 1.0 around one statement with one signature.
//!
//! ```json
//! {"payload":"<base64>","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"<hex>","sig":"<base64>"}]}
//! ```
//!
//! The signature is ECDSA on P-256 with SHA-256, in ASN.1 DER, over the *pre-authentication encoding*
//!
//! ```text
//! DSSEv1 <bytes of payloadType> <payloadType> <bytes of payload> <payload>
//! ```
//!
//! with single spaces, decimal lengths, and the payload as it is before base64. To check one with other tools:
//!
//! ```text
//! jq -r .payload e.json | base64 -d > payload
//! jq -r '.signatures[0].sig' e.json | base64 -d > sig
//! { printf 'DSSEv1 28 application/vnd.in-toto+json %d ' $(wc -c < payload); cat payload; } > pae
//! openssl dgst -sha256 -verify public.pem -signature sig pae
//! ```
//!
//! Written: the standard base64 alphabet with padding, `keyid` the id of the key. Read: either alphabet but no mixture,
//! with or without padding, spare bits zero; members in any order; members not named here are ignored. Refused: another
//! `payloadType`, no or several signatures, a raw r||s pair, anything that is no strict DER, and more than
//! [`MAX_ENVELOPE_BYTES`]. A high s is accepted: OpenSSL and key services make it.
//!
//! Nothing rests on `keyid`. It may be missing or wrong; whoever opens an envelope brings the key.

mod base64;
mod parse;

use serde::Serialize;

use crate::digest::Sha256;
use crate::json::JsonError;
use crate::key::{PublicKey, SignatureCheck, SignatureError, SigningKey};

pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
pub const ENVELOPE_MEDIA_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

/// Largest envelope in bytes that is read: a statement of 1 MiB in base64 and 100 KiB for the rest.
pub const MAX_ENVELOPE_BYTES: usize = 3 << 19;

/// A payload with one signature, not yet checked against any key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub payload: Vec<u8>,
    pub payload_type: String,
    /// A hint which key to try; nothing rests on it.
    pub keyid: Option<String>,
    /// ASN.1 DER.
    pub sig: Vec<u8>,
}

/// Why an envelope is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("the envelope is not read: {0}")]
    Json(#[from] JsonError),
    #[error("the envelope has no {field:?}")]
    Missing { field: &'static str },
    #[error("{field:?} of the envelope is no base64 of RFC 4648, standard or URL-safe")]
    NotBase64 { field: &'static str },
    #[error("the envelope carries {count} signatures; exactly one is read")]
    SignatureCount { count: usize },
    #[error("the payload is of type {found:?}, not {PAYLOAD_TYPE:?}")]
    PayloadType { found: String },
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// What a statement with this payload is called: SHA-256 of its signed bytes.
pub fn signed_digest(payload: &[u8]) -> Sha256 {
    pae_digest(PAYLOAD_TYPE, payload)
}

impl Envelope {
    /// Signs a statement's bytes.
    pub fn sign(payload: Vec<u8>, key: &SigningKey) -> Self {
        let sig = key.sign_digest(&signed_digest(&payload));
        Self {
            payload,
            payload_type: PAYLOAD_TYPE.to_owned(),
            keyid: Some(key.public().id().to_string()),
            sig,
        }
    }

    /// Reads an envelope of at most [`MAX_ENVELOPE_BYTES`]. Its signature is well formed, no more.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        parse::envelope(bytes)
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&Written {
            payload: base64::encode(&self.payload),
            payload_type: &self.payload_type,
            signatures: [WrittenSignature {
                keyid: self.keyid.as_deref(),
                sig: base64::encode(&self.sig),
            }],
        })
        .expect("strings have a JSON form")
    }

    /// The bytes that are signed: DSSE's pre-authentication encoding.
    pub fn pae(&self) -> Vec<u8> {
        let mut pae = pae_head(&self.payload_type, self.payload.len()).into_bytes();
        pae.extend_from_slice(&self.payload);
        pae
    }

    /// Checks the signature; what comes back is what was signed, byte for byte.
    pub fn open(&self, key: &PublicKey, by: &dyn SignatureCheck) -> Result<VerifiedEnvelope, EnvelopeError> {
        let pae_digest = self.verify(key, by)?;
        Ok(VerifiedEnvelope::of(self.payload.clone(), pae_digest, key))
    }

    /// [`Envelope::open`] without a copy of the payload.
    pub fn into_opened(
        self,
        key: &PublicKey,
        by: &dyn SignatureCheck,
    ) -> Result<VerifiedEnvelope, EnvelopeError> {
        let pae_digest = self.verify(key, by)?;
        Ok(VerifiedEnvelope::of(self.payload, pae_digest, key))
    }

    /// The digest that was signed.
    fn verify(&self, key: &PublicKey, by: &dyn SignatureCheck) -> Result<Sha256, EnvelopeError> {
        let pae_digest = pae_digest(&self.payload_type, &self.payload);
        key.verify_digest(&pae_digest, &self.sig, by)?;
        Ok(pae_digest)
    }
}

/// A payload whose signature by a known key was checked. Only [`Envelope::open`] and
/// [`Envelope::into_opened`] make one.
#[derive(Clone, Debug)]
pub struct VerifiedEnvelope {
    payload: Vec<u8>,
    pae_digest: Sha256,
    key: PublicKey,
}

impl VerifiedEnvelope {
    fn of(payload: Vec<u8>, pae_digest: Sha256, key: &PublicKey) -> Self {
        Self {
            payload,
            pae_digest,
            key: key.clone(),
        }
    }

    /// The very bytes that were signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// SHA-256 of the signed bytes. With the key it names the entry, whatever the envelope looked like.
    pub fn pae_digest(&self) -> Sha256 {
        self.pae_digest
    }

    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}

fn pae_head(payload_type: &str, payload_bytes: usize) -> String {
    format!("DSSEv1 {} {payload_type} {payload_bytes} ", payload_type.len())
}

fn pae_digest(payload_type: &str, payload: &[u8]) -> Sha256 {
    Sha256::of_parts(&[pae_head(payload_type, payload.len()).as_bytes(), payload])
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    payload: String,
    payload_type: &'a str,
    signatures: [WrittenSignature<'a>; 1],
}

#[derive(Serialize)]
struct WrittenSignature<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    keyid: Option<&'a str>,
    sig: String,
}

#[cfg(test)]
mod tests;
