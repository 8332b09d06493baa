//! Answers: reads, which a client can keep and ask about again, and receipts of what it sent.

use attest::digest::Sha256;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

pub(super) const RECEIPT_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// How long others may keep an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The bytes at this address never change.
    Forever,
    /// The answer changes with the log; ask again with the ETag.
    Seconds(u32),
}

/// A body with its type and a strong ETag: 304 without the body when the client has it.
pub(crate) fn body(request: &HeaderMap, media_type: &'static str, keep: Keep, bytes: Vec<u8>) -> Response {
    let tag = format!("\"{}\"", &Sha256::of(&bytes).to_string()[..32]);
    let mut response = if has(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = bytes.into_response();
        let media_type = HeaderValue::from_static(media_type);
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        response
    };
    let keep = match keep {
        Keep::Forever => HeaderValue::from_static("public, max-age=31536000, immutable"),
        Keep::Seconds(0) => HeaderValue::from_static("no-cache"),
        Keep::Seconds(seconds) => {
            HeaderValue::from_str(&format!("public, max-age={seconds}")).expect("digits")
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, keep);
    let tag = HeaderValue::from_str(&tag).expect("hexadecimal digits in quotes");
    response.headers_mut().insert(header::ETAG, tag);
    response
}

/// The answer to what was sent, which nobody keeps.
pub(super) fn receipt(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = (status, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(RECEIPT_MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn json(request: &HeaderMap, keep: Keep, value: &serde_json::Value) -> Response {
    body(request, "application/json", keep, value.to_string().into_bytes())
}

/// `If-None-Match` compares weakly (RFC 9110, section 13.1.2).
fn has(request: &HeaderMap, tag: &str) -> bool {
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}
