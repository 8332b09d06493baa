//! An attempt, step by step, from the provider's side. Nothing the registry says of it is taken on faith:
//!
//! | step | what is checked |
//! |---|---|
//! | open | the attempt is the one the registry makes of this very request, signed with its log's key, and logged |
//! | start | nothing can be |
//! | commit | the registry counts no more time than passed here, from sending `start` to its answer |
//! | samples | the secret is the one the attempt is bound to, and gives these lanes for the roots sent |
//! | open lanes | the verdict is signed, logged after the attempt, and equals its recomputation here |

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use attest::digest::Sha256;
use attest::dsse::{Envelope, VerifiedEnvelope};
use attest::key::{P256, PublicKey};
use attest::proof::{
    self, Commitment, Ending, Of, Opening, OpeningsBody, Outcome, Request, Session, SignedRoot, Stated,
    Transcript, Verdict, VerifiedTranscript, registry_signed, seeds,
};
use attest::trust::TrustedRoot;
use attest::verify::LoggedEnvelope;
use reqwest::blocking::RequestBuilder;
use reqwest::{Url, header};
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Client, ClientError, ask, bounded, lie, parse, with_key};

/// The registry answers openings when they are checked, and others may be checked first.
const CHECK_PATIENCE: Duration = Duration::from_secs(300);

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartAnswer {
    nonce: Sha256,
    started_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitAnswer {
    elapsed_ns: u64,
}

#[derive(Deserialize)]
struct SamplesAnswer {
    secret: Sha256,
    tasks: Vec<Vec<u64>>,
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
        let commitments = vec![None; stated.predicate.tasks.len()];
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
                    commitments,
                    ..Session::default()
                },
                asked: None,
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

impl Attempt<'_> {
    /// SHA-256 of the attempt's signed bytes: its name.
    pub fn id(&self) -> Sha256 {
        self.id
    }

    /// What the registry signed.
    pub fn stated(&self) -> &Stated<proof::Attempt> {
        &self.stated
    }

    pub fn log_index(&self) -> u64 {
        self.log_index
    }

    /// Name of the log that holds it.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Verified receipt of the attempt.
    pub fn receipt(&self) -> &[u8] {
        &self.receipt
    }

    /// What has been exchanged so far.
    pub fn session(&self) -> Session {
        self.seen().session.clone()
    }

    /// Asks for the nonce, once. The registry's clock runs from before this returns.
    pub fn start(&self) -> Result<Started, ClientError> {
        let mut seen = self.seen();
        if seen.asked.is_some() {
            return Err(ClientError::Step("the nonce was asked for before"));
        }
        let url = self.url("start")?;
        seen.asked = Some(Instant::now());
        let answer = seen.sure(self.client.call_once("the start", &url, || self.post(&url)))?;
        let StartAnswer { nonce, started_at } = parse(&url, &answer.body)?;
        seen.session.nonce = Some(nonce);
        seen.session.started_at = Some(started_at.clone());
        let seed = seeds::session(&nonce, &self.key.id(), &self.id);
        Ok(Started {
            nonce,
            seed,
            started_at,
        })
    }

    /// Commits one task to its root: [`SignedRoot::sign`] with [`Self::id`]. Returns the time in nanoseconds that the
    /// registry counted.
    pub fn commit(&self, task: usize, root: &SignedRoot) -> Result<u64, ClientError> {
        let asked = self.seen().asked;
        let asked = asked.ok_or(ClientError::Step("the nonce was not asked for yet"))?;
        if task >= self.stated.predicate.tasks.len() {
            return Err(ClientError::Step("the attempt has no such task"));
        }
        let url = self.url(&format!("commitments/{task}"))?;
        let body = serde_json::to_vec(root).expect("a root has a JSON form");
        let answer = self.client.call_once("the commitment", &url, || {
            self.authorized(self.client.post_json(&url, body.clone()))
        });
        let passed = asked.elapsed();
        let mut seen = self.seen();
        let answer = seen.sure(answer)?;
        let CommitAnswer { elapsed_ns } = parse(&url, &answer.body)?;
        seen.session.commitments[task] = Some(Commitment {
            signed: root.clone(),
            elapsed_ns,
        });
        if u128::from(elapsed_ns) > passed.as_nanos() {
            return Err(lie(
                &url,
                format!(
                    "it counts {elapsed_ns} ns from its nonce to the commitment; {} ns passed here from asking for the one to \
                     its answer to the other",
                    passed.as_nanos()
                ),
            ));
        }
        Ok(elapsed_ns)
    }

    /// The lanes to open, for each task in ascending order, once every task is committed.
    pub fn samples(&self) -> Result<Vec<Vec<u64>>, ClientError> {
        if self.seen().session.roots().is_none() {
            return Err(ClientError::Step("a task is not committed yet"));
        }
        let url = self.url("samples")?;
        let answer = self
            .client
            .call(&url, || self.authorized(self.client.http.get(url.clone())))?;
        let SamplesAnswer { secret, tasks } = parse(&url, &answer.body)?;
        if seeds::commitment(&secret) != self.stated.predicate.sample_commitment {
            return Err(lie(
                &url,
                "its sampling secret is not the one that the attempt is bound to",
            ));
        }
        let mut seen = self.seen();
        seen.session.secret = Some(secret);
        if seen.session.samples(&self.of()).as_ref() != Some(&tasks) {
            return Err(lie(
                &url,
                "its samples do not follow from the secret and the roots",
            ));
        }
        Ok(tasks)
    }

    /// Opens the sampled lanes. Returns when the registry has judged them, which this side then does too.
    pub fn open(&self, openings: Vec<Vec<Opening>>) -> Result<Judged, ClientError> {
        let body = OpeningsBody { tasks: openings };
        let bytes = serde_json::to_vec(&body).expect("openings have a JSON form");
        if bytes.len() > proof::MAX_OPENINGS_BYTES {
            return Err(ClientError::Step("the openings are larger than 4 MiB"));
        }
        let url = self.url("openings")?;
        let patience = CHECK_PATIENCE.max(self.client.timeout);
        let answer = self.client.call_within(patience, &url, || {
            self.authorized(self.client.post_json(&url, bytes.clone()))
        })?;
        self.seen().session.openings = Some(body.tasks);
        self.judged(&url, answer.body)
    }

    /// Gives up. The attempt stays in the log, as aborted.
    pub fn abort(&self) -> Result<Judged, ClientError> {
        let url = self.url("abort")?;
        let answer = self.client.call(&url, || self.post(&url))?;
        self.seen().session.ending = Some(Ending::GivenUp);
        let judged = self.judged(&url, answer.body)?;
        match judged.verdict.predicate.outcome {
            Outcome::Aborted => Ok(judged),
            other => Err(lie(
                &url,
                format!("it calls an attempt that was given up {other:?}"),
            )),
        }
    }

    /// A verdict in its receipt, compared with the one that follows from what was seen here.
    fn judged(&self, url: &Url, receipt: Vec<u8>) -> Result<Judged, ClientError> {
        let mut judged = judged(url, receipt, self.trust)?;
        let terms = &judged.verdict.predicate;
        if (terms.attempt, terms.attempt_index) != (self.id, self.log_index) {
            return Err(lie(url, "its verdict is on another attempt"));
        }
        if judged.log_index <= self.log_index {
            return Err(lie(url, "its verdict is logged before its attempt"));
        }
        let (session, unsure) = {
            let seen = self.seen();
            (seen.session.clone(), seen.unsure)
        };
        if unsure {
            return Ok(judged);
        }
        let recomputed = session.judge(&self.of(), terms.decided_at.clone());
        if recomputed.ok().as_ref() != Some(&judged.verdict) {
            return Err(lie(
                url,
                format!(
                    "its verdict ({:?}) is not the one that follows from the session",
                    terms.outcome
                ),
            ));
        }
        judged.recomputed = true;
        Ok(judged)
    }

    fn of(&self) -> Of<'_> {
        Of {
            attempt: &self.stated,
            digest: self.id,
            log_index: self.log_index,
            key: &self.key,
        }
    }

    fn url(&self, step: &str) -> Result<Url, ClientError> {
        self.client.url(&format!("api/v1/attempts/{}/{step}", self.id))
    }

    fn post(&self, url: &Url) -> RequestBuilder {
        self.authorized(self.client.http.post(url.clone()).body(Vec::new()))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(header::AUTHORIZATION, format!("Bearer {}", self.token.0))
    }

    /// Each change is one assignment, so a panic elsewhere leaves it whole.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
