use std::io;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde::Deserialize;

/// Longest text of a problem that is shown, in characters.
const MAX_SHOWN: usize = 600;

/// Why a registry did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{url:?} is no registry's address: {reason}")]
    Url { url: String, reason: String },
    #[error("the envelope is not sent: {0}")]
    Envelope(#[from] attest::dsse::EnvelopeError),
    #[error("the request is not sent: {0}")]
    Request(Box<attest::proof::ProtocolError>),
    #[error("this step is not taken: {0}")]
    Step(&'static str),
    #[error(
        "whether {step} reached the registry at {url} is not known: {reason}. It is never sent twice; abort this attempt and open another"
    )]
    Unsure {
        step: &'static str,
        url: String,
        reason: String,
    },
    #[error(
        "the registry at {url} is down: {reason}; check the address, and that `hallmark serve` runs there"
    )]
    Down { url: String, reason: String },
    #[error(
        "the registry at {url} did not answer within {seconds} s; try again or allow more time. \
         A submission that was underway is logged at most once, however often it is repeated"
    )]
    Slow { url: String, seconds: f64 },
    #[error("{0}")]
    Refused(Refusal),
    #[error("the registry at {url} lies: {what}. Keep the envelope, do not rely on this registry")]
    Lies { url: String, what: String },
    #[error("{url} gave no answer of a registry: {reason}")]
    Garbled { url: String, reason: String },
}

/// A registry's refusal, in its words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registry at {url} refused with {status} {title}: {detail}")]
pub struct Refusal {
    pub url: String,
    pub status: u16,
    /// Last part of the problem's type: `bad-signature`; empty when the answer was no problem document.
    pub slug: String,
    pub title: String,
    pub detail: String,
    pub retry_after: Option<Duration>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    r#type: String,
    title: String,
    detail: String,
}

impl Refusal {
    pub(super) fn read(url: &Url, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        let slug = problem.r#type.strip_prefix("urn:hallmark:problem:").unwrap_or("");
        let title = match problem.title.as_str() {
            "" => status.canonical_reason().unwrap_or("unknown status"),
            title => title,
        };
        let detail = match problem.detail.as_str() {
            "" => "no reason given",
            detail => detail,
        };
        let seconds = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            url: url.to_string(),
            status: status.as_u16(),
            slug: plain(slug),
            title: plain(title),
            detail: plain(detail),
            retry_after: seconds.map(Duration::from_secs),
        }
    }
}

/// A server's text, safe for a terminal and of bounded length.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect()
}

impl From<attest::proof::ProtocolError> for ClientError {
    fn from(error: attest::proof::ProtocolError) -> Self {
        Self::Request(Box::new(error))
    }
}

impl ClientError {
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Down { .. })
    }

    pub fn is_slow(&self) -> bool {
        matches!(self, Self::Slow { .. })
    }

    /// Whether what the registry said does not verify.
    pub fn is_lie(&self) -> bool {
        matches!(self, Self::Lies { .. })
    }

    pub(super) fn from_transport(url: &Url, timeout: Duration, error: &reqwest::Error) -> Self {
        let url = url.to_string();
        if error.is_timeout() && !error.is_connect() {
            let seconds = timeout.as_secs_f64();
            return Self::Slow { url, seconds };
        }
        if error.is_connect() || error.is_request() {
            let reason = deepest(error);
            return Self::Down { url, reason };
        }
        let reason = deepest(error);
        Self::Garbled { url, reason }
    }

    pub(super) fn from_body(url: &Url, timeout: Duration, error: &io::Error) -> Self {
        let url = url.to_string();
        let timed_out = error.kind() == io::ErrorKind::TimedOut
            || error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<reqwest::Error>())
                .is_some_and(reqwest::Error::is_timeout);
        if timed_out {
            let seconds = timeout.as_secs_f64();
            return Self::Slow { url, seconds };
        }
        let reason = format!("the answer broke off: {}", deepest(error));
        Self::Garbled { url, reason }
    }

    /// Whether the registry certainly did not look at what was sent.
    pub(super) fn is_untaken(&self) -> bool {
        match self {
            Self::Down { .. } => true,
            Self::Refused(refusal) => refusal.slug == "rate-limited",
            _ => false,
        }
    }

    /// Whether the registry may have done what was asked of it.
    pub(super) fn leaves_open(&self) -> bool {
        match self {
            Self::Unsure { .. } | Self::Garbled { .. } => true,
            Self::Refused(refusal) => refusal.status >= 500,
            _ => false,
        }
    }

    /// Whether the same call may succeed a little later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Down { .. } => true,
            Self::Refused(refusal) => {
                matches!(refusal.status, 429 | 502 | 503 | 504) && refusal.slug != "log-stopped"
            }
            Self::Garbled { reason, .. } => reason.starts_with("the answer broke off"),
            _ => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            _ => None,
        }
    }
}

/// The last cause says what happened; those before it only that something did.
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
