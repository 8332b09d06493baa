//! What a fixture is.

use serde::{Deserialize, Serialize};

/// How a fixture's document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// Parsed, opened with the key `testdata/keys/provider.pem`, and read as a statement.
    Envelope,
    /// Verified with the trusted root of the log of `testdata/keys/log.pem`, signed by `provider.pem`.
    Receipt,
    /// As a receipt, after the checkpoint of 11 leaves in `testdata/checkpoints` was seen.
    ReceiptAfterCheckpoint,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Name of the folder.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What an attacker or an accident did, and why nobody may accept it.
    pub(crate) why: &'static str,
    /// The whole message of the refusal.
    pub(crate) error: String,
    pub(crate) input: Vec<u8>,
}

/// `case.json` beside a fixture's document.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) kind: Kind,
    pub(crate) why: String,
    pub(crate) error: String,
}

impl Case {
    /// The bytes of `case.json`.
    pub(crate) fn manifest(&self) -> Vec<u8> {
        let manifest = Manifest {
            kind: self.kind,
            why: self.why.to_owned(),
            error: self.error.clone(),
        };
        let mut bytes = serde_json::to_vec_pretty(&manifest).expect("strings have a JSON form");
        bytes.push(b'\n');
        bytes
    }
}
