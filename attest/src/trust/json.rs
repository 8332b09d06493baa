use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MAX_TRUSTED_ROOT_BYTES, MEDIA_TYPE, TrustError, TrustedKey};
use crate::checkpoint::LogKey;
use crate::key::PublicKey;
use crate::leaf::{HASH_ALGORITHM, KEY_DETAILS as ECDSA_DETAILS};
use crate::{json, note};

const ED25519_DETAILS: &str = "PKIX_ED25519";
const SCHEME: &str = "https://";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: String,
    tlogs: Vec<Tlog>,
    // Sigstore's readers want the lists there; this log has none of these.
    #[serde(default, skip_deserializing)]
    certificate_authorities: [(); 0],
    #[serde(default, skip_deserializing)]
    ctlogs: [(); 0],
    #[serde(default, skip_deserializing)]
    timestamp_authorities: [(); 0],
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tlog {
    base_url: String,
    hash_algorithm: String,
    public_key: Key,
    log_id: LogId,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    raw_bytes: String,
    key_details: String,
    valid_for: ValidFor,
}

#[derive(Serialize, Deserialize)]
struct ValidFor {
    start: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

pub(super) fn write(keys: &[TrustedKey]) -> Vec<u8> {
    let document = Document {
        media_type: MEDIA_TYPE.to_owned(),
        tlogs: keys.iter().map(Tlog::of).collect(),
        certificate_authorities: [],
        ctlogs: [],
        timestamp_authorities: [],
    };
    let mut bytes = serde_json::to_vec_pretty(&document).expect("strings have a JSON form");
    bytes.push(b'\n');
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<TrustedKey>, TrustError> {
    let document: Document = json::from_slice(bytes, MAX_TRUSTED_ROOT_BYTES)?;
    expect("mediaType", &document.media_type, MEDIA_TYPE)?;
    document
        .tlogs
        .iter()
        .enumerate()
        .map(|(i, tlog)| tlog.read(&format!("tlogs[{i}]")))
        .collect()
}

impl Tlog {
    fn of(trusted: &TrustedKey) -> Self {
        let origin = &trusted.origin;
        Self {
            base_url: format!("{SCHEME}{origin}"),
            hash_algorithm: HASH_ALGORITHM.to_owned(),
            public_key: Key {
                raw_bytes: STANDARD.encode(trusted.key.spki_der()),
                key_details: match trusted.key {
                    LogKey::Ecdsa(_) => ECDSA_DETAILS,
                    LogKey::Ed25519(_) => ED25519_DETAILS,
                }
                .to_owned(),
                valid_for: ValidFor {
                    start: trusted.valid_from.to_string(),
                    end: trusted.valid_until.map(|until| until.to_string()),
                },
            },
            log_id: LogId {
                key_id: STANDARD.encode(trusted.key.log_id(origin).0),
            },
        }
    }

    fn read(&self, at: &str) -> Result<TrustedKey, TrustError> {
        let field = |name: &str| format!("{at}.{name}");
        let origin = self.base_url.strip_prefix(SCHEME).unwrap_or_default();
        if note::check_name(origin).is_err() {
            return Err(refused(
                &field("baseUrl"),
                &self.base_url,
                "https:// and the log's origin",
            ));
        }
        expect(&field("hashAlgorithm"), &self.hash_algorithm, HASH_ALGORITHM)?;
        let key = self.public_key.read(&field("publicKey"))?;
        // An id that is another key's would send a verifier to the wrong signature line.
        if self.log_id.key_id != STANDARD.encode(key.log_id(origin).0) {
            return Err(refused(
                &field("logId"),
                &self.log_id.key_id,
                "the id of this key",
            ));
        }
        let validity = &self.public_key.valid_for;
        let time = |name: &str, text: &str| {
            text.parse::<Timestamp>()
                .map_err(|_| refused(&field(name), text, "a time in RFC 3339"))
        };
        Ok(TrustedKey {
            origin: origin.to_owned(),
            key,
            valid_from: time("publicKey.validFor.start", &validity.start)?,
            valid_until: match &validity.end {
                Some(end) => Some(time("publicKey.validFor.end", end)?),
                None => None,
            },
        })
    }
}

impl Key {
    fn read(&self, at: &str) -> Result<LogKey, TrustError> {
        let spki = STANDARD.decode(&self.raw_bytes).unwrap_or_default();
        let key = match self.key_details.as_str() {
            ECDSA_DETAILS => PublicKey::from_spki_der(&spki).ok().map(LogKey::Ecdsa),
            ED25519_DETAILS => LogKey::ed25519_from_spki(&spki),
            other => {
                let expected = "PKIX_ECDSA_P256_SHA_256 or PKIX_ED25519";
                return Err(refused(&format!("{at}.keyDetails"), other, expected));
            }
        };
        key.ok_or_else(|| {
            let expected = "the SubjectPublicKeyInfo of a key of this type in base64";
            refused(&format!("{at}.rawBytes"), &self.raw_bytes, expected)
        })
    }
}

fn expect(field: &str, found: &str, expected: &'static str) -> Result<(), TrustError> {
    if found == expected {
        Ok(())
    } else {
        Err(refused(field, found, expected))
    }
}

fn refused(field: &str, found: &str, expected: &'static str) -> TrustError {
    TrustError::Field {
        field: field.to_owned(),
        found: found.chars().take(120).collect(),
        expected,
    }
}
