//! Bodies of requests: their type, their size, their time.

use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::problem::{self, Problem};
use crate::config::Limits;

pub(super) fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .map_or(Ok(""), HeaderValue::to_str)
        .unwrap_or("unreadable");
    let essence = given.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("Content-Type is {given:?}; this takes application/json");
    Err(Problem::new(problem::WRONG_MEDIA_TYPE, detail))
}

/// The whole body of at most `max_bytes`, within its time.
pub(super) async fn read(
    body: Body,
    headers: &HeaderMap,
    max_bytes: usize,
    limits: &Limits,
) -> Result<Bytes, Problem> {
    read_timed(body, headers, max_bytes, limits)
        .await
        .map(|(bytes, _)| bytes)
}

/// The same, and the moment at which its last byte had come.
pub(super) async fn read_timed(
    body: Body,
    headers: &HeaderMap,
    max_bytes: usize,
    limits: &Limits,
) -> Result<(Bytes, Instant), Problem> {
    let too_large = || {
        let detail = format!("this takes a body of at most {max_bytes} bytes");
        Problem::new(problem::BODY_TOO_LARGE, detail)
    };
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > max_bytes as u64) {
        return Err(too_large());
    }
    let collected = async {
        let collected = Limited::new(body, max_bytes).collect().await;
        (collected, Instant::now())
    };
    match tokio::time::timeout(limits.body_timeout, collected).await {
        Ok((Ok(collected), read)) => Ok((collected.to_bytes(), read)),
        Ok((Err(error), _)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok((Err(_), _)) => Err(Problem::new(
            problem::BAD_BODY,
            "the body broke off before its end",
        )),
        Err(_) => {
            let detail = format!(
                "the body was not complete after {} s",
                limits.body_timeout.as_secs_f64()
            );
            Err(Problem::new(problem::BODY_TIMEOUT, detail))
        }
    }
}

/// A body that must be empty.
pub(super) async fn read_nothing(body: Body, headers: &HeaderMap, limits: &Limits) -> Result<(), Problem> {
    read(body, headers, 0, limits).await.map(drop)
}
