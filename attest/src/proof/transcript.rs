//! The whole exchange in one file, and its verification by anybody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::session::Of;
use super::stated::{ProtocolError, registry_signed};
use super::{Attempt, Request, Session, Stated, Verdict};
use crate::digest::Sha256;
use crate::dsse::{Envelope, EnvelopeError};
use crate::jcs::JcsError;
use crate::json::{self, JsonError};
use crate::key::{KeyError, P256, PublicKey};
use crate::trust::TrustedRoot;
use crate::verify::VerifyError;

/// Largest transcript that is read: openings of 4 MiB and three statements around them.
pub const MAX_TRANSCRIPT_BYTES: usize = 8 << 20;

const FORMAT: &str = "urn:hallmark:transcript:v1";

/// A session with everything that was signed about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    format: String,
    /// The provider's envelope and key.
    request: Value,
    public_key: String,
    /// Receipt of the attempt.
    attempt: Value,
    session: Session,
    /// Receipt of the verdict.
    verdict: Value,
}

/// Why a transcript does not bear out its verdict.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    #[error("the transcript is not read: {0}")]
    Json(#[from] JsonError),
    #[error("the transcript is of format {found:?}, not {FORMAT:?}")]
    Format { found: String },
    #[error("the provider's key: {0}")]
    Key(#[from] KeyError),
    #[error("the provider's key is no base64")]
    KeyText,
    #[error("the request's envelope: {0}")]
    Envelope(#[from] EnvelopeError),
    #[error("the request: {0}")]
    Request(#[source] ProtocolError),
    #[error("the attempt's receipt: {0}")]
    AttemptReceipt(#[source] VerifyError),
    #[error("the attempt: {0}")]
    Attempt(#[source] ProtocolError),
    #[error("the attempt is not the one the registry makes of this request")]
    OtherRequest,
    #[error("the verdict's receipt: {0}")]
    VerdictReceipt(#[source] VerifyError),
    #[error("the verdict: {0}")]
    Verdict(#[source] ProtocolError),
    #[error("the verdict is logged at {verdict}, before its attempt at {attempt}")]
    Order { attempt: u64, verdict: u64 },
    #[error("attempt and verdict are in different logs")]
    TwoLogs,
    #[error(
        "recomputed, the session gives another verdict: {recomputed}, where the registry signed: {signed}"
    )]
    OtherVerdict { signed: String, recomputed: String },
    #[error(transparent)]
    Jcs(#[from] JcsError),
}

/// A transcript whose verdict was recomputed. Only [`Transcript::verify`] makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifiedTranscript {
    pub key: PublicKey,
    pub attempt: Stated<Attempt>,
    pub attempt_index: u64,
    pub verdict: Stated<Verdict>,
    /// SHA-256 of the verdict's signed bytes.
    pub verdict_digest: Sha256,
    pub verdict_index: u64,
    pub origin: String,
    pub session: Session,
}

impl Transcript {
    /// # Errors
    /// [`JsonError`] if an envelope or receipt is no JSON.
    pub fn new(
        request: &[u8],
        key: &PublicKey,
        attempt_receipt: &[u8],
        session: Session,
        verdict_receipt: &[u8],
    ) -> Result<Self, JsonError> {
        let value = |bytes| json::from_slice(bytes, MAX_TRANSCRIPT_BYTES);
        Ok(Self {
            format: FORMAT.to_owned(),
            request: value(request)?,
            public_key: STANDARD.encode(key.spki_der()),
            attempt: value(attempt_receipt)?,
            session,
            verdict: value(verdict_receipt)?,
        })
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, TranscriptError> {
        let transcript: Self = json::from_slice(bytes, MAX_TRANSCRIPT_BYTES)?;
        if transcript.format != FORMAT {
            return Err(TranscriptError::Format {
                found: transcript.format.chars().take(80).collect(),
            });
        }
        Ok(transcript)
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a transcript has a JSON form")
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Checks every signature and log proof, and recomputes the verdict from the openings.
    pub fn verify(&self, root: &TrustedRoot) -> Result<VerifiedTranscript, TranscriptError> {
        let (key, request, request_digest) = self.request()?;
        let logged = registry_signed(&bytes(&self.attempt), root).map_err(TranscriptError::AttemptReceipt)?;
        let attempt = Stated::<Attempt>::read(&logged.envelope).map_err(TranscriptError::Attempt)?;
        let terms = &attempt.predicate;
        let made = request.attempt(
            request_digest,
            key.id(),
            terms.opened_at.clone(),
            terms.sample_commitment,
            terms.limits,
        );
        if made != attempt {
            return Err(TranscriptError::OtherRequest);
        }
        let of = Of {
            attempt: &attempt,
            digest: logged.envelope.pae_digest(),
            log_index: logged.log_index,
            key: &key,
        };
        let ended = registry_signed(&bytes(&self.verdict), root).map_err(TranscriptError::VerdictReceipt)?;
        if ended.checkpoint.origin != logged.checkpoint.origin {
            return Err(TranscriptError::TwoLogs);
        }
        if ended.log_index <= logged.log_index {
            return Err(TranscriptError::Order {
                attempt: logged.log_index,
                verdict: ended.log_index,
            });
        }
        let verdict = Stated::<Verdict>::read(&ended.envelope).map_err(TranscriptError::Verdict)?;
        let recomputed = self.session.judge(&of, verdict.predicate.decided_at.clone())?;
        if recomputed != verdict {
            return Err(TranscriptError::OtherVerdict {
                signed: outcome(&verdict.predicate),
                recomputed: outcome(&recomputed.predicate),
            });
        }
        Ok(VerifiedTranscript {
            key,
            attempt_index: logged.log_index,
            verdict_digest: ended.envelope.pae_digest(),
            verdict_index: ended.log_index,
            origin: logged.checkpoint.origin,
            session: self.session.clone(),
            verdict,
            attempt,
        })
    }

    fn request(&self) -> Result<(PublicKey, Stated<Request>, Sha256), TranscriptError> {
        let spki = STANDARD
            .decode(&self.public_key)
            .map_err(|_| TranscriptError::KeyText)?;
        let key = PublicKey::from_spki_der(&spki)?;
        let envelope = Envelope::parse(&bytes(&self.request))?.open(&key, &P256)?;
        let request = Stated::<Request>::read(&envelope).map_err(TranscriptError::Request)?;
        request.check_devices().map_err(TranscriptError::Request)?;
        Ok((key, request, envelope.pae_digest()))
    }
}

/// JSON values were read from JSON, so they can be written.
fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn outcome(verdict: &Verdict) -> String {
    let reason = verdict.reason.as_deref().unwrap_or("every opened lane is right");
    format!("{:?} ({reason})", verdict.outcome)
}
