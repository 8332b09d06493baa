//! Verifying a receipt with nothing but itself and a trusted root: no network, no clock.
//!
//! What holds afterwards: the key in the leaf signed the statement, byte for byte; a log that the trusted root names
//! has that signature at that index of the tree its checkpoint states, and every trusted key of that log signed the
//! checkpoint; every figure in the statement equals its recomputation from the samples. Who holds the key, and whether
//! the figures are true, is not shown by this.

use jiff::Timestamp;

use crate::checkpoint::{Checkpoint, CheckpointError, HistoryError, Unverified};
use crate::digest::Sha256;
use crate::dsse::{EnvelopeError, VerifiedEnvelope};
use crate::key::{P256, PublicKey};
use crate::leaf::{self, LeafError};
use crate::merkle::{self, ProofError};
use crate::receipt::{Receipt, ReceiptError};
use crate::statement::{Statement, StatementError, VerifiedStatement};
use crate::trust::TrustedRoot;

/// A receipt of which everything was checked. Only this module makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifiedReceipt {
    pub statement: VerifiedStatement,
    /// The key that signed the statement.
    pub key: PublicKey,
    pub log_index: u64,
    /// The log that holds it.
    pub origin: String,
    pub tree_size: u64,
    /// The signed tree that the proof leads to.
    pub checkpoint: Checkpoint,
}

/// An envelope whose signature and place in a log were checked, whatever its payload says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoggedEnvelope {
    pub envelope: VerifiedEnvelope,
    pub log_index: u64,
    pub checkpoint: Checkpoint,
}

/// Why a receipt is not believed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("the receipt is of the log {origin:?}, which the trusted root does not name")]
    UnknownLog { origin: String },
    #[error("the receipt names the log key {got}; the key of {origin:?} is {want}")]
    LogId {
        got: Sha256,
        want: Sha256,
        origin: String,
    },
    #[error("the receipt gives two indices: {outer} for the entry, {inner} in its proof")]
    TwoIndices { outer: u64, inner: u64 },
    #[error("the proof is for a tree of {proof} leaves, the checkpoint for one of {checkpoint}")]
    TreeSize { proof: u64, checkpoint: u64 },
    #[error("the proof states the root {proof}, the checkpoint {checkpoint}")]
    RootHash { proof: Sha256, checkpoint: Sha256 },
    #[error("the receipt's leaf: {0}")]
    Leaf(#[from] LeafError),
    #[error("the receipt is signed by the key {got}, not by {want}")]
    WrongSigner { got: Sha256, want: Sha256 },
    #[error("the receipt's key hint is {hint}, but the key in its leaf is {key}")]
    KeyHint { hint: Sha256, key: Sha256 },
    #[error("the log's leaf is about other signed bytes ({leaf}) than the envelope's ({envelope})")]
    OtherEnvelope { leaf: Sha256, envelope: Sha256 },
    #[error("the log's leaf holds another signature than the envelope")]
    OtherSignature,
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("the log does not hold the leaf at index {index}: {cause}")]
    Inclusion {
        index: u64,
        #[source]
        cause: ProofError,
    },
    #[error(transparent)]
    Statement(#[from] StatementError),
    #[error("the log {origin:?} was retired at {retired}, and the measurement ended after it, at {measured}")]
    Retired {
        origin: String,
        retired: Timestamp,
        measured: Timestamp,
    },
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// Verifies a receipt offline. With `expected_key` the signer must be that key; without, it is whoever the leaf names,
/// and the caller says who that is.
pub fn verify_receipt(
    bytes: &[u8],
    root: &TrustedRoot,
    expected_key: Option<&PublicKey>,
) -> Result<VerifiedReceipt, VerifyError> {
    let logged = verify_logged(bytes, root, expected_key)?;
    let statement = Statement::read(&logged.envelope)?;
    check_not_retired(&statement, &logged.checkpoint.origin, root)?;
    Ok(VerifiedReceipt {
        key: logged.envelope.key().clone(),
        log_index: logged.log_index,
        origin: logged.checkpoint.origin.clone(),
        tree_size: logged.checkpoint.size,
        checkpoint: logged.checkpoint,
        statement,
    })
}

/// As [`verify_receipt`], and the receipt's checkpoint must not be older than one already `seen` of the same log, nor be
/// another tree of its size. That a larger tree extends it takes a proof: [`Checkpoint::follows`].
pub fn verify_receipt_after(
    bytes: &[u8],
    root: &TrustedRoot,
    expected_key: Option<&PublicKey>,
    seen: &Checkpoint,
) -> Result<VerifiedReceipt, VerifyError> {
    let receipt = verify_receipt(bytes, root, expected_key)?;
    receipt.checkpoint.not_older_than(seen)?;
    Ok(receipt)
}

/// Verifies signature and log proof, and leaves the payload unread: for entries of other predicate types.
pub fn verify_logged(
    bytes: &[u8],
    root: &TrustedRoot,
    expected_key: Option<&PublicKey>,
) -> Result<LoggedEnvelope, VerifyError> {
    let receipt = Receipt::parse(bytes)?;
    let checkpoint = Unverified::parse(&receipt.proof.checkpoint)?;
    check_agreement(&receipt, checkpoint.claimed())?;
    let key = check_leaf(&receipt, expected_key)?;
    let envelope = receipt.envelope.open(&key, &P256)?;
    check_inclusion(&receipt)?;
    let checkpoint = check_checkpoint(&checkpoint, &receipt, root)?;
    Ok(LoggedEnvelope {
        envelope,
        log_index: receipt.log_index,
        checkpoint,
    })
}

/// What the receipt says twice must be the same.
fn check_agreement(receipt: &Receipt, checkpoint: &Checkpoint) -> Result<(), VerifyError> {
    let proof = &receipt.proof;
    if receipt.log_index != proof.log_index {
        return Err(VerifyError::TwoIndices {
            outer: receipt.log_index,
            inner: proof.log_index,
        });
    }
    if proof.tree_size != checkpoint.size {
        return Err(VerifyError::TreeSize {
            proof: proof.tree_size,
            checkpoint: checkpoint.size,
        });
    }
    if proof.root != checkpoint.root {
        return Err(VerifyError::RootHash {
            proof: proof.root,
            checkpoint: checkpoint.root,
        });
    }
    Ok(())
}

/// The leaf must be that of this envelope; its key is the signer.
fn check_leaf(receipt: &Receipt, expected_key: Option<&PublicKey>) -> Result<PublicKey, VerifyError> {
    let leaf = leaf::parse(&receipt.leaf)?;
    let signer = leaf.key.id();
    if let Some(want) = expected_key.map(PublicKey::id).filter(|want| *want != signer) {
        return Err(VerifyError::WrongSigner { got: signer, want });
    }
    if receipt.key_hint != signer {
        return Err(VerifyError::KeyHint {
            hint: receipt.key_hint,
            key: signer,
        });
    }
    let signed = Sha256::of(&receipt.envelope.pae());
    if leaf.pae_digest != signed {
        return Err(VerifyError::OtherEnvelope {
            leaf: leaf.pae_digest,
            envelope: signed,
        });
    }
    if leaf.signature != receipt.envelope.sig {
        return Err(VerifyError::OtherSignature);
    }
    Ok(leaf.key)
}

fn check_inclusion(receipt: &Receipt) -> Result<(), VerifyError> {
    let (proof, index) = (&receipt.proof, receipt.log_index);
    let leaf = merkle::leaf_hash(&receipt.leaf);
    merkle::verify_inclusion(index, proof.tree_size, &leaf, &proof.path, &proof.root)
        .map_err(|cause| VerifyError::Inclusion { index, cause })
}

fn check_checkpoint(
    checkpoint: &Unverified,
    receipt: &Receipt,
    root: &TrustedRoot,
) -> Result<Checkpoint, VerifyError> {
    let origin = &checkpoint.claimed().origin;
    let log = root.log(origin).ok_or_else(|| VerifyError::UnknownLog {
        origin: origin.clone(),
    })?;
    if let Some(want) = log.id().filter(|want| *want != receipt.log_id) {
        return Err(VerifyError::LogId {
            got: receipt.log_id,
            want,
            origin: origin.clone(),
        });
    }
    Ok(checkpoint.verify(&log)?)
}

fn check_not_retired(statement: &Statement, origin: &str, root: &TrustedRoot) -> Result<(), VerifyError> {
    let Some(retired) = root.retired(origin) else {
        return Ok(());
    };
    let measured = statement
        .predicate
        .measured
        .measurement_finished_at
        .parse::<Timestamp>();
    let measured = measured.expect("a statement that was read has an RFC 3339 time");
    if measured > retired {
        return Err(VerifyError::Retired {
            origin: origin.to_owned(),
            retired,
            measured,
        });
    }
    Ok(())
}
