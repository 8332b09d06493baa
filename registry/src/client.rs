//! Talking to a registry, and not believing it: what it says is returned only after the log's keys vouch for it.

mod attempts;
mod error;

use std::fmt::Display;
use std::io::Read as _;
use std::time::{Duration, Instant};

use attest::checkpoint::{Checkpoint, LogTrust};
use attest::digest::Sha256;
use attest::key::PublicKey;
use attest::trust::TrustedRoot;
use attest::verify::{VerifiedReceipt, verify_receipt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::blocking::{Client as Http, RequestBuilder, Response};
use reqwest::{StatusCode, Url, header, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use attempts::{Attempt, AttemptQuery, Judged, Started};
pub use error::{ClientError, Refusal};

/// Largest answer that is read: a receipt around the largest statement, and a list of 200 entries, stay below.
const MAX_ANSWER_BYTES: u64 = 8 << 20;

/// First pause before another try; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Tries of one call, while its time lasts. Every call that goes through [`Client::call`] may be repeated: reads change
/// nothing, and a submission is logged once however often it comes.
const TRIES: u32 = 4;

/// A registry at one address.
#[derive(Debug)]
pub struct Client {
    http: Http,
    base: Url,
    timeout: Duration,
}

/// A receipt that was verified against the log's keys, the envelope sent and its key.
#[derive(Debug)]
pub struct Submitted {
    pub receipt: Vec<u8>,
    pub verified: VerifiedReceipt,
    /// False when the log had this statement by this key before.
    pub new: bool,
}

/// Which attestations to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    pub device: Option<String>,
    pub workload: Option<String>,
    pub key_id: Option<Sha256>,
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

impl Client {
    /// A client for the registry at `url`. `timeout` bounds each call as a whole, further tries included.
    pub fn new(url: &str, timeout: Duration) -> Result<Self, ClientError> {
        let refused = |reason: String| ClientError::Url {
            url: url.to_owned(),
            reason,
        };
        let mut base = Url::parse(url).map_err(|error| refused(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(refused("it is neither http nor https".to_owned()));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let http = Http::builder()
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            // A registry that moved has another name, and the user should know it.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("hallmark/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self { http, base, timeout })
    }

    /// Has an envelope logged. Returns when the registry's receipt was verified with `trust` and is of this envelope.
    pub fn submit(
        &self,
        envelope: &[u8],
        key: &PublicKey,
        trust: &TrustedRoot,
    ) -> Result<Submitted, ClientError> {
        let sent = attest::dsse::Envelope::parse(envelope)?;
        let body = with_key(envelope, key)?;
        let url = self.url("api/v1/attestations")?;
        let answer = self.call(&url, || self.post_json(&url, body.clone()))?;
        let verified = verify_receipt(&answer.body, trust, Some(key)).map_err(|error| lie(&url, error))?;
        if verified.statement.digest() != Sha256::of(&sent.pae()) {
            return Err(lie(
                &url,
                "its receipt is for another statement than the one sent",
            ));
        }
        Ok(Submitted {
            receipt: answer.body,
            verified,
            new: answer.status == StatusCode::CREATED,
        })
    }

    /// The newest checkpoint, verified by `log`.
    pub fn checkpoint(&self, log: &LogTrust) -> Result<Checkpoint, ClientError> {
        let url = self.url("checkpoint")?;
        let text =
            String::from_utf8(self.read(&url)?).map_err(|_| lie(&url, "its checkpoint is not text"))?;
        attest::checkpoint::open(&text, log).map_err(|error| lie(&url, error))
    }

    /// `trusted_root.json` as the registry gives it. Believe it only as far as the connection.
    pub fn trusted_root(&self) -> Result<TrustedRoot, ClientError> {
        let url = self.url("trusted_root.json")?;
        TrustedRoot::parse(&self.read(&url)?).map_err(|error| ClientError::Garbled {
            url: url.to_string(),
            reason: error.to_string(),
        })
    }

    /// The receipt of a logged attestation, verified with `trust`.
    pub fn receipt(
        &self,
        digest: &Sha256,
        trust: &TrustedRoot,
    ) -> Result<(Vec<u8>, VerifiedReceipt), ClientError> {
        let url = self.url(&format!("api/v1/attestations/{digest}/receipt"))?;
        let receipt = self.read(&url)?;
        let verified = verify_receipt(&receipt, trust, None).map_err(|error| lie(&url, error))?;
        if verified.statement.digest() != *digest {
            return Err(lie(
                &url,
                "its receipt is for another attestation than the one asked for",
            ));
        }
        Ok((receipt, verified))
    }

    /// One attestation as the registry shows it: unverified.
    pub fn attestation(&self, digest: &Sha256) -> Result<Value, ClientError> {
        self.json(&self.url(&format!("api/v1/attestations/{digest}"))?)
    }

    /// One page of a list, as the registry shows it: unverified.
    pub fn list(&self, query: &ListQuery) -> Result<Value, ClientError> {
        let mut url = self.url("api/v1/attestations")?;
        let pairs = [
            ("device", query.device.clone()),
            ("workload", query.workload.clone()),
            ("key", query.key_id.map(|key| key.to_string())),
            ("limit", query.limit.map(|limit| limit.to_string())),
            ("cursor", query.cursor.clone()),
        ];
        ask(&mut url, pairs);
        self.json(&url)
    }

    fn post_json(&self, url: &Url, body: Vec<u8>) -> RequestBuilder {
        self.http
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
    }

    fn url(&self, path: &str) -> Result<Url, ClientError> {
        self.base.join(path).map_err(|error| ClientError::Url {
            url: format!("{}{path}", self.base),
            reason: error.to_string(),
        })
    }

    fn read(&self, url: &Url) -> Result<Vec<u8>, ClientError> {
        Ok(self.call(url, || self.http.get(url.clone()))?.body)
    }

    fn json(&self, url: &Url) -> Result<Value, ClientError> {
        parse(url, &self.read(url)?)
    }

    /// Makes a request, again while it may help and the time lasts.
    fn call(&self, url: &Url, request: impl Fn() -> RequestBuilder) -> Result<Answer, ClientError> {
        self.call_within(self.timeout, TRIES, url, request)
    }

    fn call_within(
        &self,
        timeout: Duration,
        tries: u32,
        url: &Url,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Answer, ClientError> {
        let deadline = Instant::now() + timeout;
        let mut pause = FIRST_PAUSE;
        for tried in 1.. {
            let left = deadline.saturating_duration_since(Instant::now());
            let failed = match self.once(url, timeout, request().timeout(left)) {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let wait = failed.retry_after().unwrap_or(pause);
            let left = deadline.saturating_duration_since(Instant::now());
            if tried >= tries || !failed.may_pass() || wait >= left {
                return Err(failed);
            }
            std::thread::sleep(wait);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        unreachable!("the loop ends by returning")
    }

    /// Makes a request once, which its builder bounds to what is left of `timeout`.
    fn once(&self, url: &Url, timeout: Duration, request: RequestBuilder) -> Result<Answer, ClientError> {
        let failed = |error| ClientError::from_transport(url, timeout, &error);
        let mut response = request.send().map_err(failed)?;
        let body = bounded(url, timeout, &mut response)?;
        answered(url, &response, body)
    }
}

/// A success, read whole.
struct Answer {
    status: StatusCode,
    headers: header::HeaderMap,
    body: Vec<u8>,
}

fn answered(url: &Url, response: &Response, body: Vec<u8>) -> Result<Answer, ClientError> {
    let headers = response.headers();
    match response.status() {
        status @ (StatusCode::OK | StatusCode::CREATED) => Ok(Answer {
            status,
            headers: headers.clone(),
            body,
        }),
        status => Err(ClientError::Refused(Refusal::read(url, status, headers, &body))),
    }
}

/// The body of a submission: an envelope and the key that signed it.
fn with_key(envelope: &[u8], key: &PublicKey) -> Result<Vec<u8>, ClientError> {
    let value: Value = attest::json::from_slice(envelope, attest::dsse::MAX_ENVELOPE_BYTES)
        .map_err(attest::dsse::EnvelopeError::Json)?;
    let body = serde_json::json!({"envelope": value, "publicKey": STANDARD.encode(key.spki_der())});
    Ok(body.to_string().into_bytes())
}

/// Adds the parameters that are given.
fn ask<const N: usize>(url: &mut Url, pairs: [(&str, Option<String>); N]) {
    for (name, value) in pairs {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, &value);
        }
    }
}

fn parse<T: DeserializeOwned>(url: &Url, bytes: &[u8]) -> Result<T, ClientError> {
    attest::json::from_slice(bytes, MAX_ANSWER_BYTES as usize).map_err(|error| ClientError::Garbled {
        url: url.to_string(),
        reason: error.to_string(),
    })
}

fn lie(url: &Url, what: impl Display) -> ClientError {
    ClientError::Lies {
        url: url.to_string(),
        what: what.to_string(),
    }
}

fn bounded(url: &Url, timeout: Duration, response: &mut Response) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    let read = response.take(MAX_ANSWER_BYTES + 1).read_to_end(&mut body);
    match read {
        Ok(_) if body.len() as u64 <= MAX_ANSWER_BYTES => Ok(body),
        Ok(_) => Err(ClientError::Garbled {
            url: url.to_string(),
            reason: format!("the answer is longer than {MAX_ANSWER_BYTES} bytes"),
        }),
        Err(error) => Err(ClientError::from_body(url, timeout, &error)),
    }
}
