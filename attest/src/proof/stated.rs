//! Signed statements of the protocol: in-toto, as attestations are, with predicates of their own.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::WorkError;
use crate::digest::Sha256;
use crate::dsse::VerifiedEnvelope;
use crate::jcs::{self, JcsError};
use crate::json::{self, JsonError};
use crate::statement::{DigestSet, MAX_STATEMENT_BYTES, STATEMENT_TYPE, Subject};
use crate::trust::TrustedRoot;
use crate::verify::{LoggedEnvelope, VerifyError, verify_logged};

/// A predicate of the protocol.
pub trait Terms: Serialize + DeserializeOwned {
    /// `predicateType`
    const TYPE: &'static str;

    /// What must hold beyond the shape.
    fn check(&self) -> Result<(), ProtocolError>;
}

/// An in-toto Statement v1 around [`Terms`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stated<T> {
    #[serde(rename = "_type")]
    pub statement_type: String,
    pub subject: Vec<Subject>,
    pub predicate_type: String,
    pub predicate: T,
}

/// Why a message of the protocol is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    #[error("the statement is not read: {0}")]
    Json(#[from] JsonError),
    #[error("the statement cannot be written: {0}")]
    Jcs(#[from] JcsError),
    #[error("the statement is of type {found:?}, not {want:?}")]
    Type { found: String, want: &'static str },
    #[error("{what} is {found:?} and no RFC 3339 time that ends in Z")]
    Time { what: &'static str, found: String },
    #[error("task {task}: {error}")]
    Work { task: usize, error: WorkError },
    #[error("{count} {what} are named; between 1 and {limit} are accepted")]
    Count {
        what: &'static str,
        count: usize,
        limit: usize,
    },
    #[error("task {task} is for device {device}, but {devices} devices are named")]
    NoSuchDevice {
        task: usize,
        device: u32,
        devices: usize,
    },
    #[error("tasks {first} and {second} run at the same time and are for one device, {identity}")]
    OneDevice {
        first: usize,
        second: usize,
        identity: Sha256,
    },
    #[error("task {task} is of another workload than task 0; one attempt holds one workload")]
    MixedWork { task: usize },
    #[error("{what} is not what it follows from")]
    Inconsistent { what: &'static str },
    #[error("{what} is {bytes} bytes long; at most {limit} are accepted")]
    TooLong {
        what: &'static str,
        bytes: usize,
        limit: usize,
    },
}

impl<T: Terms> Stated<T> {
    /// A statement about `subject`, name and digest each.
    pub fn new(subject: impl IntoIterator<Item = (String, Sha256)>, predicate: T) -> Self {
        let subject = subject.into_iter().map(|(name, sha256)| Subject {
            name,
            digest: DigestSet { sha256 },
        });
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: subject.collect(),
            predicate_type: T::TYPE.to_owned(),
            predicate,
        }
    }

    /// Reads and checks what was signed.
    pub fn read(envelope: &VerifiedEnvelope) -> Result<Self, ProtocolError> {
        let head: Head = json::from_slice(envelope.payload(), MAX_STATEMENT_BYTES)?;
        for (found, want) in [
            (head.statement_type, STATEMENT_TYPE),
            (head.predicate_type, T::TYPE),
        ] {
            if found != want {
                let found = found.chars().take(100).collect();
                return Err(ProtocolError::Type { found, want });
            }
        }
        let stated: Self = json::from_slice(envelope.payload(), MAX_STATEMENT_BYTES)?;
        stated.predicate.check()?;
        Ok(stated)
    }

    /// The bytes that are signed: RFC 8785, checked as they will be on reading.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ProtocolError> {
        self.predicate.check()?;
        let bytes = jcs::to_vec(self)?;
        if bytes.len() > MAX_STATEMENT_BYTES {
            return Err(ProtocolError::TooLong {
                what: "the statement",
                bytes: bytes.len(),
                limit: MAX_STATEMENT_BYTES,
            });
        }
        Ok(bytes)
    }
}

/// What tells a statement from another before it is read whole.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(rename = "_type")]
    statement_type: String,
    predicate_type: String,
}

/// Verifies the receipt of something the registry itself signed: with its log's ECDSA key, and logged there.
pub fn registry_signed(receipt: &[u8], root: &TrustedRoot) -> Result<LoggedEnvelope, VerifyError> {
    let logged = verify_logged(receipt, root, None)?;
    let got = logged.envelope.key().id();
    let log = root.log(&logged.checkpoint.origin);
    match log.and_then(|log| log.id()) {
        Some(want) if want == got => Ok(logged),
        Some(want) => Err(VerifyError::WrongSigner { got, want }),
        None => Err(VerifyError::UnknownLog {
            origin: logged.checkpoint.origin,
        }),
    }
}

/// Checks an RFC 3339 time in UTC.
pub(super) fn time(what: &'static str, text: &str) -> Result<(), ProtocolError> {
    let sound = text.len() <= 40 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok();
    match sound {
        true => Ok(()),
        false => Err(ProtocolError::Time {
            what,
            found: text.chars().take(40).collect(),
        }),
    }
}
