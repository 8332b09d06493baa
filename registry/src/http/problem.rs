//! Errors as RFC 9457 problem details.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// A kind of problem. Clients decide by `slug`; it never changes its meaning.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) slug: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $slug:literal, $status:ident, $title:literal;)*) => {
        $(pub(crate) const $name: &Kind = &Kind { slug: $slug, status: StatusCode::$status, title: $title };)*
        /// Every kind, for the API description.
        pub(crate) const KINDS: &[&Kind] = &[$($name),*];
    };
}

kinds! {
    BAD_BODY = "bad-body", BAD_REQUEST, "The body cannot be read";
    BAD_KEY = "bad-key", BAD_REQUEST, "The public key cannot be used";
    BAD_ENVELOPE = "bad-envelope", BAD_REQUEST, "The envelope cannot be read";
    BAD_SIGNATURE = "bad-signature", UNPROCESSABLE_ENTITY, "The signature does not hold";
    BAD_STATEMENT = "bad-statement", UNPROCESSABLE_ENTITY, "The statement contradicts itself or the format";
    BAD_QUERY = "bad-query", BAD_REQUEST, "A query parameter cannot be used";
    BAD_DIGEST = "bad-digest", BAD_REQUEST, "The digest cannot be used";
    NOT_FOUND = "not-found", NOT_FOUND, "There is nothing here";
    METHOD_NOT_ALLOWED = "method-not-allowed", METHOD_NOT_ALLOWED, "This method does not apply here";
    BODY_TIMEOUT = "body-timeout", REQUEST_TIMEOUT, "The body came too slowly";
    BODY_TOO_LARGE = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    WRONG_MEDIA_TYPE = "wrong-media-type", UNSUPPORTED_MEDIA_TYPE, "The body has another media type";
    STALE_REQUEST = "stale-request", UNPROCESSABLE_ENTITY, "The request is not fresh";
    CHECK_TOO_DEAR = "check-too-dear", UNPROCESSABLE_ENTITY, "Checking this work costs too much";
    NO_TOKEN = "no-token", UNAUTHORIZED, "The session's token is needed";
    WRONG_TOKEN = "wrong-token", FORBIDDEN, "The token is of another session";
    WRONG_STATE = "wrong-state", CONFLICT, "The attempt is not in the state for this step";
    TOO_LATE = "too-late", CONFLICT, "The time for this step is over";
    WRONG_ROOT = "wrong-root", UNPROCESSABLE_ENTITY, "The root is not the one this task takes; the attempt has ended";
    TOO_MANY_ATTEMPTS = "too-many-attempts", TOO_MANY_REQUESTS, "Too many attempts have not ended";
    BEING_CHECKED = "being-checked", SERVICE_UNAVAILABLE, "The openings are being checked";
    CHECKS_FULL = "checks-full", SERVICE_UNAVAILABLE, "Too many openings wait to be checked";
    RATE_LIMITED = "rate-limited", TOO_MANY_REQUESTS, "Too many requests";
    QUEUE_FULL = "queue-full", SERVICE_UNAVAILABLE, "The log is busy";
    NOT_RECORDED = "not-recorded", SERVICE_UNAVAILABLE, "The log could not confirm the entry";
    LOG_STOPPED = "log-stopped", SERVICE_UNAVAILABLE, "The log has stopped accepting";
    STORAGE = "storage", SERVICE_UNAVAILABLE, "The storage does not answer";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "The registry failed";
}

/// One problem on its way to a client.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) kind: &'static Kind,
    pub(crate) detail: String,
    /// Seconds after which the same request may succeed.
    pub(crate) retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
        }
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("urn:hallmark:problem:{}", self.kind.slug),
            "title": self.kind.title,
            "status": self.kind.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.kind.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.kind == NO_TOKEN {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<crate::store::StoreError> for Problem {
    fn from(error: crate::store::StoreError) -> Self {
        crate::diary::event("storage_failed", &[("error", &error.to_string())]);
        Self::new(STORAGE, "the database cannot be read now; try again later").retry_after(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_kinds_share_a_slug() {
        for (at, kind) in KINDS.iter().enumerate() {
            assert!(
                KINDS[..at].iter().all(|other| other.slug != kind.slug),
                "{}",
                kind.slug
            );
            assert!(
                kind.status.is_client_error() || kind.status.is_server_error(),
                "{}",
                kind.slug
            );
        }
    }
}
