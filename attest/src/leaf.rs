//! The log's leaves: `hashedrekord` 0.0.2 of Rekor v2, in the bytes of RFC 8785.
//!
//! A leaf holds the SHA-256 of the signed bytes, the signature and the key: enough to prove who signed what. The
//! statement is not in it, so it can be withheld or deleted and every proof stays valid; neither is a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::jcs;
use crate::json::{self, JsonError};
use crate::key::{KeyError, PublicKey};

pub const KIND: &str = "hashedrekord";
pub const VERSION: &str = "0.0.2";

/// Name of a P-256 key in Sigstore's documents.
pub(crate) const KEY_DETAILS: &str = "PKIX_ECDSA_P256_SHA_256";
pub(crate) const HASH_ALGORITHM: &str = "SHA2_256";

/// Largest leaf that is read; ours have about 500 bytes.
const MAX_LEAF_BYTES: usize = 16 << 10;

/// What one entry of the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// SHA-256 of the envelope's pre-authentication encoding.
    pub pae_digest: Sha256,
    /// ASN.1 DER.
    pub signature: Vec<u8>,
    pub key: PublicKey,
}

/// Why bytes are no leaf.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    #[error("the leaf is no {KIND} {VERSION}: {0}")]
    Json(#[from] JsonError),
    #[error("the leaf's {field} is {found:?}, not {expected:?}")]
    Field {
        field: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("the leaf's {field} is not base64 of the right length")]
    Base64 { field: &'static str },
    #[error("the leaf's key: {0}")]
    Key(#[from] KeyError),
    #[error("the leaf is not in canonical form (RFC 8785)")]
    NotCanonical,
}

/// Bytes of the leaf for a signature `sig_der` by `key` over the bytes with this digest.
pub fn canonical(pae_digest: &Sha256, sig_der: &[u8], key: &PublicKey) -> Vec<u8> {
    let leaf = Entry {
        api_version: VERSION.to_owned(),
        kind: KIND.to_owned(),
        spec: Spec {
            hashed_rekord: HashedRekord {
                data: Data {
                    algorithm: HASH_ALGORITHM.to_owned(),
                    digest: STANDARD.encode(pae_digest.0),
                },
                signature: Signature {
                    content: STANDARD.encode(sig_der),
                    verifier: Verifier {
                        key_details: KEY_DETAILS.to_owned(),
                        public_key: RawKey {
                            raw_bytes: STANDARD.encode(key.spki_der()),
                        },
                    },
                },
            },
        },
    };
    jcs::to_vec(&leaf).expect("strings have a canonical form")
}

/// Reads a leaf, in canonical form only: one entry has one leaf.
pub fn parse(bytes: &[u8]) -> Result<Leaf, LeafError> {
    let entry: Entry = json::from_slice(bytes, MAX_LEAF_BYTES)?;
    let HashedRekord { data, signature } = entry.spec.hashed_rekord;
    for (field, found, expected) in [
        ("apiVersion", entry.api_version, VERSION),
        ("kind", entry.kind, KIND),
        ("data.algorithm", data.algorithm, HASH_ALGORITHM),
        ("verifier.keyDetails", signature.verifier.key_details, KEY_DETAILS),
    ] {
        if found != expected {
            let found = found.chars().take(80).collect();
            return Err(LeafError::Field {
                field,
                found,
                expected,
            });
        }
    }
    let decode = |field, text: &str| STANDARD.decode(text).map_err(|_| LeafError::Base64 { field });
    let digest = decode("data.digest", &data.digest)?;
    let leaf = Leaf {
        pae_digest: Sha256(
            digest
                .try_into()
                .map_err(|_| LeafError::Base64 { field: "data.digest" })?,
        ),
        signature: decode("signature.content", &signature.content)?,
        key: PublicKey::from_spki_der(&decode(
            "publicKey.rawBytes",
            &signature.verifier.public_key.raw_bytes,
        )?)?,
    };
    if canonical(&leaf.pae_digest, &leaf.signature, &leaf.key) != bytes {
        return Err(LeafError::NotCanonical);
    }
    Ok(leaf)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    api_version: String,
    kind: String,
    spec: Spec,
}

#[derive(Serialize, Deserialize)]
struct Spec {
    #[serde(rename = "hashedRekordV002")]
    hashed_rekord: HashedRekord,
}

#[derive(Serialize, Deserialize)]
struct HashedRekord {
    data: Data,
    signature: Signature,
}

#[derive(Serialize, Deserialize)]
struct Data {
    algorithm: String,
    digest: String,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    content: String,
    verifier: Verifier,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifier {
    key_details: String,
    public_key: RawKey,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawKey {
    raw_bytes: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    fn sample() -> (Leaf, Vec<u8>) {
        let key = SigningKey::generate().unwrap();
        let leaf = Leaf {
            pae_digest: Sha256::of(b"signed bytes"),
            signature: key.sign(b"signed bytes"),
            key: key.public().clone(),
        };
        let bytes = canonical(&leaf.pae_digest, &leaf.signature, &leaf.key);
        (leaf, bytes)
    }

    #[test]
    fn a_leaf_has_the_bytes_of_the_format() {
        let (leaf, bytes) = sample();
        let want = format!(
            "{{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":{{\"hashedRekordV002\":{{\"data\":\
             {{\"algorithm\":\"SHA2_256\",\"digest\":\"{}\"}},\"signature\":{{\"content\":\"{}\",\"verifier\":\
             {{\"keyDetails\":\"PKIX_ECDSA_P256_SHA_256\",\"publicKey\":{{\"rawBytes\":\"{}\"}}}}}}}}}}}}",
            STANDARD.encode(leaf.pae_digest.0),
            STANDARD.encode(&leaf.signature),
            STANDARD.encode(leaf.key.spki_der()),
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), want);
    }

    #[test]
    fn a_leaf_reads_back_and_only_from_its_canonical_bytes() {
        let (leaf, bytes) = sample();
        assert_eq!(parse(&bytes).unwrap(), leaf);
        let text = String::from_utf8(bytes).unwrap();
        for (from, to, cause) in [
            ("{\"apiVersion\"", "{ \"apiVersion\"", "canonical"),
            ("{\"apiVersion\"", "{\"a\":1,\"apiVersion\"", "canonical"),
            ("0.0.2", "0.0.1", "apiVersion is \"0.0.1\""),
            ("hashedrekord", "dsse", "kind is \"dsse\""),
            ("SHA2_256", "SHA2_512", "data.algorithm"),
            ("PKIX_ECDSA_P256_SHA_256", "PKIX_ED25519", "verifier.keyDetails"),
            ("\"digest\":\"", "\"digest\":\"AAAA", "data.digest is not base64"),
            ("\"rawBytes\":\"", "\"rawBytes\":\"AAAA", "the leaf's key"),
            ("\"kind\":", "\"kind\":\"dsse\",\"kind\":", "stands twice"),
        ] {
            let error = parse(text.replacen(from, to, 1).as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(cause), "{to}: {error}");
        }
    }
}
