use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{InclusionProof, MAX_RECEIPT_BYTES, MEDIA_TYPE, Receipt, ReceiptError};
use crate::checkpoint::MAX_TREE_SIZE;
use crate::digest::Sha256;
use crate::dsse::Envelope;
use crate::{json, leaf};

/// Levels of a tree of [`MAX_TREE_SIZE`] leaves.
const MAX_PATH: usize = 63;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Hint,
    tlog_entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Hint {
    hint: String,
}

/// Protobuf's JSON leaves out an index of 0 and an empty path; both read as what they stand for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default = "zero")]
    log_index: String,
    log_id: LogId,
    kind_version: KindVersion,
    inclusion_proof: Proof,
    canonicalized_body: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Serialize, Deserialize)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    #[serde(default = "zero")]
    log_index: String,
    root_hash: String,
    tree_size: String,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    envelope: String,
}

fn zero() -> String {
    "0".to_owned()
}

pub(super) fn write(receipt: &Receipt) -> Vec<u8> {
    let base64 = |hash: &Sha256| STANDARD.encode(hash.0);
    let envelope =
        serde_json::from_slice(&receipt.envelope.to_json()).expect("an envelope is written as JSON");
    let bundle = Bundle {
        media_type: MEDIA_TYPE.to_owned(),
        verification_material: Material {
            public_key: Hint {
                hint: base64(&receipt.key_hint),
            },
            tlog_entries: vec![Entry {
                log_index: receipt.log_index.to_string(),
                log_id: LogId {
                    key_id: base64(&receipt.log_id),
                },
                kind_version: KindVersion {
                    kind: leaf::KIND.to_owned(),
                    version: leaf::VERSION.to_owned(),
                },
                inclusion_proof: Proof {
                    log_index: receipt.proof.log_index.to_string(),
                    root_hash: base64(&receipt.proof.root),
                    tree_size: receipt.proof.tree_size.to_string(),
                    hashes: receipt.proof.path.iter().map(base64).collect(),
                    checkpoint: Checkpoint {
                        envelope: receipt.proof.checkpoint.clone(),
                    },
                },
                canonicalized_body: STANDARD.encode(&receipt.leaf),
            }],
        },
        dsse_envelope: envelope,
    };
    serde_json::to_vec(&bundle).expect("strings have a JSON form")
}

pub(super) fn read(bytes: &[u8]) -> Result<Receipt, ReceiptError> {
    let bundle: Bundle = json::from_slice(bytes, MAX_RECEIPT_BYTES)?;
    expect("mediaType", &bundle.media_type, MEDIA_TYPE)?;
    let mut entries = bundle.verification_material.tlog_entries;
    let entry = match entries.pop() {
        Some(entry) if entries.is_empty() => entry,
        last => {
            return Err(ReceiptError::EntryCount {
                got: entries.len() + usize::from(last.is_some()),
            });
        }
    };
    expect("kindVersion.kind", &entry.kind_version.kind, leaf::KIND)?;
    expect("kindVersion.version", &entry.kind_version.version, leaf::VERSION)?;
    let envelope = serde_json::to_vec(&bundle.dsse_envelope).expect("a JSON value has a JSON form");
    Ok(Receipt {
        key_hint: hash("publicKey.hint", &bundle.verification_material.public_key.hint)?,
        log_id: hash("logId.keyId", &entry.log_id.key_id)?,
        log_index: integer("logIndex", &entry.log_index)?,
        proof: entry.inclusion_proof.read()?,
        leaf: STANDARD
            .decode(&entry.canonicalized_body)
            .map_err(|_| refused("canonicalizedBody", &entry.canonicalized_body, "base64"))?,
        envelope: Envelope::parse(&envelope)?,
    })
}

impl Proof {
    fn read(self) -> Result<InclusionProof, ReceiptError> {
        if self.hashes.len() > MAX_PATH {
            return Err(ReceiptError::PathTooLong {
                got: self.hashes.len(),
            });
        }
        Ok(InclusionProof {
            log_index: integer("inclusionProof.logIndex", &self.log_index)?,
            tree_size: integer("inclusionProof.treeSize", &self.tree_size)?,
            root: hash("inclusionProof.rootHash", &self.root_hash)?,
            path: self
                .hashes
                .iter()
                .map(|text| hash("inclusionProof.hashes", text))
                .collect::<Result<_, _>>()?,
            checkpoint: self.checkpoint.envelope,
        })
    }
}

fn expect(field: &'static str, found: &str, expected: &'static str) -> Result<(), ReceiptError> {
    if found == expected {
        Ok(())
    } else {
        Err(refused(field, found, expected))
    }
}

fn integer(field: &'static str, text: &str) -> Result<u64, ReceiptError> {
    // Writing it again catches signs and leading zeros.
    text.parse::<u64>()
        .ok()
        .filter(|value| *value <= MAX_TREE_SIZE && value.to_string() == text)
        .ok_or_else(|| refused(field, text, "a decimal number from 0 to 2^63-1"))
}

fn hash(field: &'static str, text: &str) -> Result<Sha256, ReceiptError> {
    STANDARD
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .map(Sha256)
        .ok_or_else(|| refused(field, text, "32 bytes in base64"))
}

fn refused(field: &'static str, found: &str, expected: &'static str) -> ReceiptError {
    ReceiptError::Field {
        field,
        found: found.chars().take(120).collect(),
        expected,
    }
}
