//! From signed bytes to a statement, and from a run to the statement that is signed.

use std::ops::Deref;

use super::check::{self, RecordError};
use super::{
    Attempt, DeviceKind, DigestSet, Evidence, Freshness, MAX_STATEMENT_BYTES, PREDICATE_TYPE, Predicate,
    ProofRef, STATEMENT_TYPE, Statement, Subject, identity,
};
use crate::digest::Sha256;
use crate::dsse::VerifiedEnvelope;
use crate::jcs::{self, JcsError};
use crate::json::{self, JsonError};
use crate::key::PublicKey;
use crate::proof::WorkError;
use crate::run::{RUN_FORMAT, Run};

/// Why a statement is refused, on reading or on writing.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    #[error("the statement is not read: {0}")]
    Json(#[from] JsonError),
    #[error("the statement cannot be written: {0}")]
    Jcs(#[from] JcsError),
    #[error("the statement has {bytes} bytes; at most {MAX_STATEMENT_BYTES} are written")]
    TooLarge { bytes: usize },
    #[error("the statement is of type {found:?}, not {STATEMENT_TYPE:?}")]
    StatementType { found: String },
    #[error("the predicate is of type {found:?}, not {PREDICATE_TYPE:?}")]
    PredicateType { found: String },
    #[error("the run file is of format {found:?}, not {RUN_FORMAT:?}")]
    RunFormat { found: String },
    #[error("the run file names {uuids} device UUIDs for {devices} devices")]
    Uuids { uuids: usize, devices: usize },
    #[error("the statement has {count} subjects for {devices} devices; one more than devices is wanted")]
    SubjectCount { count: usize, devices: usize },
    #[error("subject {index} is called {found:?}; subject 0 is the run file, subject i+1 is device/i")]
    SubjectName { index: usize, found: String },
    #[error("{field} is {found:?} and no RFC 3339 time that ends in Z")]
    Time { field: &'static str, found: String },
    #[error("the measurement finished at {finish}, before it started at {start}")]
    EndsBeforeItStarts { start: String, finish: String },
    #[error("its sessions {fault}")]
    Sessions { fault: &'static str },
    #[error("{field} is empty")]
    EmptyText { field: &'static str },
    #[error("{field} holds the control character {found:?}")]
    ControlCharacter { field: &'static str, found: char },
    #[error("{field} is {value}, beyond 2^53-1")]
    Unwritable { field: &'static str, value: u64 },
    #[error("device code {path:?} is listed twice")]
    RepeatedCode { path: String },
    #[error("device {id:?} is listed twice")]
    RepeatedDevice { id: String },
    #[error("device {id:?} is on {api} and must be called {api}:<number>")]
    DeviceId { id: String, api: &'static str },
    #[error("device {id:?} ({name:?}) cannot be of kind {kind:?}")]
    DeviceKind {
        id: String,
        kind: DeviceKind,
        name: String,
    },
    #[error("the specification of {id:?} is embedded twice")]
    RepeatedSpec { id: String },
    #[error("the specification of {id:?} has no canonical bytes: {source}")]
    SpecBytes {
        id: String,
        #[source]
        source: JcsError,
    },
    #[error("the specification of {id:?} has {count} {what}; at most {limit} are read")]
    SpecTooLarge {
        id: String,
        what: &'static str,
        count: usize,
        limit: usize,
    },
    #[error(
        "the specification of {id:?} must have a tolerance when it is of class float, and none otherwise"
    )]
    SpecTolerance { id: String },
    #[error(
        "the specification of {id:?} gives {tensor:?} a tolerance, which only outputs of class float have"
    )]
    TensorTolerance { id: String, tensor: String },
    #[error("the {what} is {level:?}, which a signed statement alone cannot show")]
    Unsupported { what: String, level: Evidence },
    #[error(
        "the withheld digests are not sorted, not unique, not SHA-256 in base64url, or not named sha-256"
    )]
    Disclosures,
    #[error("proof {index}: {error}")]
    Work { index: usize, error: WorkError },
    #[error("proof {index} {fault}")]
    Proof { index: usize, fault: &'static str },
    #[error("the suite is called complete but {}", incomplete(.partial))]
    NotComplete { partial: Option<usize> },
    #[error("record {index} ({workload}): {reason}")]
    Record {
        index: usize,
        workload: String,
        #[source]
        reason: RecordError,
    },
}

fn incomplete(partial: &Option<usize>) -> String {
    match partial {
        Some(index) => format!("record {index} is partial"),
        None => "has no record".to_owned(),
    }
}

/// A statement whose signature, shape and every figure were checked. Only [`Statement::read`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedStatement {
    statement: Statement,
    digest: Sha256,
    key: PublicKey,
}

impl VerifiedStatement {
    /// SHA-256 of the signed bytes (the PAE): the attestation's public name.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    /// The signer.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    pub fn into_inner(self) -> Statement {
        self.statement
    }
}

impl Deref for VerifiedStatement {
    type Target = Statement;

    fn deref(&self) -> &Statement {
        &self.statement
    }
}

impl Statement {
    /// Reads what was signed, recomputing every figure from its samples.
    pub fn read(envelope: &VerifiedEnvelope) -> Result<VerifiedStatement, StatementError> {
        let statement = json::from_slice(envelope.payload(), MAX_STATEMENT_BYTES)?;
        check::statement(&statement)?;
        Ok(VerifiedStatement {
            statement,
            digest: envelope.pae_digest(),
            key: envelope.key().clone(),
        })
    }

    /// States a run. `file` are the bytes of its run file, which the first subject binds; `freshness` is a checkpoint
    /// seen just now. The result has passed every check that [`Statement::read`] makes.
    pub fn from_run(
        run: &Run,
        file: &[u8],
        file_name: &str,
        freshness: Option<Freshness>,
    ) -> Result<Self, StatementError> {
        if run.format != RUN_FORMAT {
            return Err(StatementError::RunFormat {
                found: run.format.clone(),
            });
        }
        let devices = &run.measured.devices;
        if run.device_uuids.len() != devices.len() {
            return Err(StatementError::Uuids {
                uuids: run.device_uuids.len(),
                devices: devices.len(),
            });
        }
        let mut subject = vec![subject(file_name.to_owned(), Sha256::of(file))];
        for (index, (device, uuid)) in devices.iter().zip(&run.device_uuids).enumerate() {
            subject.push(self::subject(
                format!("device/{index}"),
                identity(&device.vendor, uuid),
            ));
        }
        let statement = Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate {
                measured: run.measured.clone(),
                freshness,
                attempt: None,
                proofs: Vec::new(),
                sd: Vec::new(),
                sd_alg: None,
            },
        };
        statement.to_bytes()?;
        Ok(statement)
    }

    /// The same statement with what was proven, and the attempt its run was made under.
    pub fn with_proofs(
        mut self,
        attempt: Option<Attempt>,
        proofs: Vec<ProofRef>,
    ) -> Result<Self, StatementError> {
        self.predicate.attempt = attempt;
        self.predicate.proofs = proofs;
        self.to_bytes()?;
        Ok(self)
    }

    /// The bytes that are signed: RFC 8785, at most [`MAX_STATEMENT_BYTES`], checked as they will be on reading.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StatementError> {
        let bytes = jcs::to_vec(self)?;
        if bytes.len() > MAX_STATEMENT_BYTES {
            return Err(StatementError::TooLarge { bytes: bytes.len() });
        }
        check::statement(self)?;
        Ok(bytes)
    }
}

fn subject(name: String, sha256: Sha256) -> Subject {
    Subject {
        name,
        digest: DigestSet { sha256 },
    }
}
