//! The steps of an attempt that is open.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use attest::digest::Sha256;
use attest::proof::{
    self, Commitment, Ending, Of, Opening, OpeningsBody, Outcome, Session, SignedRoot, Stated, seeds,
};
use reqwest::blocking::RequestBuilder;
use reqwest::{Url, header};
use serde::Deserialize;

use super::{Attempt, Judged, Seen, Started, judged};
use crate::client::{ClientError, lie, parse};

/// The registry answers openings when they are checked, and others may be checked first.
const CHECK_PATIENCE: Duration = Duration::from_secs(300);

/// How long a root may be on its way whose sender heard nothing more.
const UNDERWAY: Duration = Duration::from_secs(2);

/// Between two looks at what became of it.
const AGAIN: Duration = Duration::from_millis(200);

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

/// What the registry shows of an attempt, as far as it matters here.
#[derive(Deserialize)]
struct Shown {
    state: String,
    #[serde(default)]
    commitments: Vec<Option<Taken>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    root: Sha256,
    elapsed_ns: u64,
}

#[derive(Deserialize)]
struct SamplesAnswer {
    secret: Sha256,
    tasks: Vec<Vec<u64>>,
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
    /// registry counted. A second root ends an attempt, so this one is sent once; when its answer is lost, the registry is
    /// asked what became of it.
    pub fn commit(&self, task: usize, root: &SignedRoot) -> Result<u64, ClientError> {
        let asked = self.send(task)?;
        let url = self.url(&format!("commitments/{task}"))?;
        let body = serde_json::to_vec(root).expect("a root has a JSON form");
        let answer = self.client.call_once("the commitment", &url, || {
            self.authorized(self.client.post_json(&url, body.clone()))
        });
        let answer = answer.and_then(|answer| parse(&url, &answer.body));
        let elapsed_ns = match answer {
            Ok(CommitAnswer { elapsed_ns }) => elapsed_ns,
            Err(error) => self.became(task, root, error)?,
        };
        let passed = asked.elapsed();
        self.seen().session.commitments[task] = Some(Commitment {
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

    /// Notes that a task's root is sent now. Returns when the nonce was asked for.
    fn send(&self, task: usize) -> Result<Instant, ClientError> {
        let mut seen = self.seen();
        let asked = seen
            .asked
            .ok_or(ClientError::Step("the nonce was not asked for yet"))?;
        let sent = seen.sent.get_mut(task);
        let sent = sent.ok_or(ClientError::Step("the attempt has no such task"))?;
        if std::mem::replace(sent, true) {
            return Err(ClientError::Step("the task's root was sent before"));
        }
        Ok(asked)
    }

    /// The time that was counted for a root whose sending failed, if it was taken all the same.
    fn became(&self, task: usize, root: &SignedRoot, failed: ClientError) -> Result<u64, ClientError> {
        if failed.is_untaken() {
            self.seen().sent[task] = false;
        }
        if !failed.leaves_open() {
            return Err(failed);
        }
        let deadline = Instant::now() + UNDERWAY;
        while let Ok(shown) = self.shown() {
            match shown.commitments.get(task) {
                Some(Some(taken)) if taken.root == root.root => return Ok(taken.elapsed_ns),
                Some(Some(_)) => return Err(lie(&self.url("")?, "it shows a root that was never sent")),
                _ if shown.state == "started" && Instant::now() < deadline => std::thread::sleep(AGAIN),
                _ => break,
            }
        }
        self.seen().unsure = true;
        Err(failed)
    }

    fn shown(&self) -> Result<Shown, ClientError> {
        let url = self.client.url(&format!("api/v1/attempts/{}", self.id))?;
        parse(&url, &self.client.read(&url)?)
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
        let answer = self.client.call_within(patience, u32::MAX, &url, || {
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
