//! An attempt, step by step, from the provider's side. Nothing the registry says of it is taken on faith:
//!
//! | step | what is checked |
//! |---|---|
//! | open | the attempt is the one the registry makes of this very request, signed with its log's key, and logged |
//! | start | nothing can be |
//! | commit | it is sent once; the registry counts no more time than passed here, from sending `start` to its answer |
//! | samples | the secret is the one the attempt is bound to, and gives these lanes for the roots sent |
//! | open lanes | the verdict is signed, logged after the attempt, and equals its recomputation here |

mod steps;

use std::fmt;
use std::sync::Mutex;
use std::time::Instant;

use attest::digest::Sha256;
use attest::dsse::{Envelope, VerifiedEnvelope};
use attest::key::{P256, PublicKey};
use attest::proof::{
    self, Request, Session, Stated, Transcript, Verdict, VerifiedTranscript, registry_signed,
};
use attest::trust::TrustedRoot;
use attest::verify::LoggedEnvelope;
use reqwest::Url;
use reqwest::blocking::RequestBuilder;
use serde_json::Value;

use super::{Answer, Client, ClientError, ask, bounded, lie, with_key};

/// Response header with the session's token.
pub(crate) const TOKEN_HEADER: &str = "hallmark-session";

/// An attempt that the registry has logged. Its steps may be called from several threads: one device's commitment does
/// not wait for another's.
#[derive(Debug)]
pub struct Attempt<'a> {
    client: &'a Client,
    trust: &'a TrustedRoot,
    key: PublicKey,
    stated: Stated<proof::Attempt>,
    id: Sha256,
    log_index: u64,
    origin: String,
    receipt: Vec<u8>,
    token: Token,
    seen: Mutex<Seen>,
}

/// What the session's holder shows with each step.
struct Token(Sha256);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

/// What has been exchanged, as this side knows it.
#[derive(Debug)]
struct Seen {
    session: Session,
    /// Before the request for the nonce left.
    asked: Option<Instant>,
    /// For each task, whether its root was sent.
    sent: Vec<bool>,
    /// Whether a step may have been taken that was not answered.
    unsure: bool,
}

impl Seen {
    /// Remembers when a step may have been taken without this side knowing how.
    fn sure<T>(&mut self, answer: Result<T, ClientError>) -> Result<T, ClientError> {
        answer.inspect_err(|error| self.unsure |= matches!(error, ClientError::Unsure { .. }))
    }
}

/// The nonce, with the clock running.
#[derive(Clone, Debug)]
pub struct Started {
    pub nonce: Sha256,
    /// What all work follows from: [`seeds::session`].
    pub seed: Sha256,
    /// By the registry's clock.
    pub started_at: String,
}

/// A verdict that was verified, and recomputed when every step's answer had come.
#[derive(Clone, Debug)]
pub struct Judged {
    pub receipt: Vec<u8>,
    pub verdict: Stated<Verdict>,
    /// SHA-256 of the verdict's signed bytes.
    pub digest: Sha256,
    pub log_index: u64,
    /// Whether the verdict equals its recomputation from what this side saw.
    pub recomputed: bool,
}

/// Which attempts to list.
#[derive(Clone, Debug, Default)]
pub struct AttemptQuery {
    /// Who asked.
    pub key_id: Option<Sha256>,
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

impl Client {
    /// Opens an attempt: `request` is the envelope of a [`Stated`] [`Request`] signed by `key`. Safe to repeat while the
    /// attempt has not ended.
    pub fn open_attempt<'a>(
        &'a self,
        request: &[u8],
        key: &PublicKey,
        trust: &'a TrustedRoot,
    ) -> Result<Attempt<'a>, ClientError> {
        let sent = Envelope::parse(request)?.into_opened(key, &P256)?;
        let asked = Stated::<Request>::read(&sent)?;
        asked.check_devices()?;
        let body = with_key(request, key)?;
        let url = self.url("api/v1/attempts")?;
        let answer = self.call(&url, || self.post_json(&url, body.clone()))?;
        let logged = registry_signed(&answer.body, trust).map_err(|error| lie(&url, error))?;
        let stated = made_of(&url, &logged, &asked, &sent)?;
        let token = token(&url, &answer)?;
        let tasks = stated.predicate.tasks.len();
        Ok(Attempt {
            client: self,
            trust,
            key: key.clone(),
            id: logged.envelope.pae_digest(),
            log_index: logged.log_index,
            origin: logged.checkpoint.origin,
            stated,
            receipt: answer.body,
            token,
            seen: Mutex::new(Seen {
                session: Session {
                    commitments: vec![None; tasks],
                    ..Session::default()
                },
                asked: None,
                sent: vec![false; tasks],
                unsure: false,
            }),
        })
    }

    /// An attempt as the registry shows it: unverified.
    pub fn attempt(&self, id: &Sha256) -> Result<Value, ClientError> {
        self.json(&self.url(&format!("api/v1/attempts/{id}"))?)
    }

    /// One page of attempts, newest first, as the registry shows it: unverified.
    pub fn attempts(&self, query: &AttemptQuery) -> Result<Value, ClientError> {
        let mut url = self.url("api/v1/attempts")?;
        let pairs = [
            ("key", query.key_id.map(|key| key.to_string())),
            ("limit", query.limit.map(|limit| limit.to_string())),
            ("cursor", query.cursor.clone()),
        ];
        ask(&mut url, pairs);
        self.json(&url)
    }

    /// The verdict of an attempt that has ended, verified with `trust`.
    pub fn verdict(&self, id: &Sha256, trust: &TrustedRoot) -> Result<Judged, ClientError> {
        let url = self.url(&format!("api/v1/attempts/{id}/verdict"))?;
        let judged = judged(&url, self.read(&url)?, trust)?;
        if judged.verdict.predicate.attempt != *id {
            return Err(lie(&url, "its verdict is on another attempt"));
        }
        Ok(judged)
    }

    /// Everything that was said in an attempt that has ended. Its verdict is recomputed, which takes as long as the
    /// registry's check.
    pub fn transcript(
        &self,
        id: &Sha256,
        trust: &TrustedRoot,
    ) -> Result<(Transcript, VerifiedTranscript), ClientError> {
        let url = self.url(&format!("api/v1/attempts/{id}/transcript"))?;
        let transcript = Transcript::parse(&self.read(&url)?).map_err(|error| lie(&url, error))?;
        let verified = transcript.verify(trust).map_err(|error| lie(&url, error))?;
        if verified.verdict.predicate.attempt != *id {
            return Err(lie(&url, "its transcript is of another attempt"));
        }
        Ok((transcript, verified))
    }

    /// Makes a request that must not reach the registry twice. It is sent again only if no connection came about.
    fn call_once(
        &self,
        step: &'static str,
        url: &Url,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Answer, ClientError> {
        let unsure = |reason: String| ClientError::Unsure {
            step,
            url: url.to_string(),
            reason,
        };
        let deadline = Instant::now() + self.timeout;
        let mut response = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match request().timeout(left).send() {
                Ok(response) => break response,
                Err(error) if !error.is_connect() => return Err(unsure(super::error::deepest(&error))),
                Err(error) if Instant::now() + super::FIRST_PAUSE >= deadline => {
                    return Err(ClientError::from_transport(url, self.timeout, &error));
                }
                Err(_) => std::thread::sleep(super::FIRST_PAUSE),
            }
        };
        let body = bounded(url, self.timeout, &mut response).map_err(|error| unsure(error.to_string()))?;
        super::answered(url, &response, body)
    }
}

/// The attempt in this receipt, which must be the one that follows from the request.
fn made_of(
    url: &Url,
    logged: &LoggedEnvelope,
    asked: &Stated<Request>,
    sent: &VerifiedEnvelope,
) -> Result<Stated<proof::Attempt>, ClientError> {
    let stated = Stated::<proof::Attempt>::read(&logged.envelope).map_err(|error| lie(url, error))?;
    let terms = &stated.predicate;
    let made = asked.attempt(
        sent.pae_digest(),
        sent.key().id(),
        terms.opened_at.clone(),
        terms.sample_commitment,
        terms.limits,
    );
    if made != stated {
        return Err(lie(url, "its attempt is not what was asked for"));
    }
    if logged.checkpoint.origin != asked.predicate.freshness.origin {
        return Err(lie(url, "its attempt is in another log than the one asked for"));
    }
    Ok(stated)
}

fn token(url: &Url, answer: &Answer) -> Result<Token, ClientError> {
    let given = answer
        .headers
        .get(TOKEN_HEADER)
        .and_then(|value| Sha256::from_hex(value.to_str().ok()?).ok());
    given.map(Token).ok_or_else(|| ClientError::Garbled {
        url: url.to_string(),
        reason: format!("the attempt came without a token in {TOKEN_HEADER:?}"),
    })
}

fn judged(url: &Url, receipt: Vec<u8>, trust: &TrustedRoot) -> Result<Judged, ClientError> {
    let logged = registry_signed(&receipt, trust).map_err(|error| lie(url, error))?;
    let verdict = Stated::<Verdict>::read(&logged.envelope).map_err(|error| lie(url, error))?;
    Ok(Judged {
        receipt,
        verdict,
        digest: logged.envelope.pae_digest(),
        log_index: logged.log_index,
        recomputed: false,
    })
}
