//! Pages for people: rendered here, whole without JavaScript.

mod attempt;
mod attempts;
mod attestation;
mod device;
mod html;
mod log;
mod newest;

use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::http::{Keep, Problem, body, not_found};

pub(crate) use attempt::attempt;
pub(crate) use attempts::attempts;
pub(crate) use attestation::attestation;
pub(crate) use device::device;
pub(crate) use log::log;
pub(crate) use newest::newest;

/// Style and script, served beside the pages so that the content policy can name them.
pub(crate) async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let (media_type, bytes): (_, &[u8]) = match file.as_str() {
        "hallmark.css" => (
            "text/css; charset=utf-8",
            include_bytes!("../assets/hallmark.css"),
        ),
        "report.css" => ("text/css; charset=utf-8", reports::page::STYLE.as_bytes()),
        "verify.js" => (
            "text/javascript; charset=utf-8",
            include_bytes!("../assets/verify.js"),
        ),
        _ => return Err(not_found("no such file")),
    };
    Ok(body(&headers, media_type, Keep::Seconds(300), bytes.to_vec()))
}

fn answer(headers: &HeaderMap, page: html::Html) -> Response {
    body(
        headers,
        "text/html; charset=utf-8",
        Keep::Seconds(0),
        page.into_bytes(),
    )
}
