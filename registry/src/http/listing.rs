//! Lists of attestations, and the query parameters of all reads.

use std::collections::BTreeMap;

use attest::digest::Sha256;
use attest::statement::Evidence;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::problem::{self, Problem};
use super::reply::{self, Keep};
use super::{App, Shared, blocking};
use crate::store::{Entry, Head, Kind, Query};

pub(super) const DEFAULT_LIMIT: u32 = 50;
pub(super) const MAX_LIMIT: u32 = 200;

/// The parameters of a query string, each known and at most once.
#[derive(Clone, Debug)]
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(crate) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let refused = |detail: String| Problem::new(problem::BAD_QUERY, detail);
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(query.unwrap_or("")).map_err(|error| refused(error.to_string()))?;
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs {
            if !known.contains(&name.as_str()) {
                return Err(refused(format!(
                    "{name:?} is no parameter here; known are {known:?}"
                )));
            }
            if parameters.insert(name.clone(), value).is_some() {
                return Err(refused(format!("{name:?} is given twice")));
            }
        }
        Ok(Self(parameters))
    }

    /// The same with one more filter.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    pub(crate) fn digest(&self, name: &str) -> Result<Option<Sha256>, Problem> {
        self.0
            .get(name)
            .map(|text| Sha256::from_hex(text))
            .transpose()
            .map_err(|error| Problem::new(problem::BAD_QUERY, format!("{name:?}: {error}")))
    }

    pub(crate) fn number(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, Problem> {
        let Some(text) = self.0.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(Problem::new(
                problem::BAD_QUERY,
                format!(
                    "{name:?} is {text:?}, not a number from {} to {}",
                    range.start(),
                    range.end()
                ),
            )),
        }
    }
}

/// A page of entries, and where the next one begins.
pub(crate) struct Listed {
    pub(crate) head: std::sync::Arc<Head>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) next: Option<u64>,
}

pub(super) async fn list(
    State(app): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(&app, move |app| {
        let known = ["device", "workload", "key", "kind", "evidence", "limit", "cursor"];
        let parameters = Parameters::read(query.as_deref(), &known)?;
        let listed = page(app, &parameters)?;
        let document = json!({
            "tree": {"origin": app.origin, "size": listed.head.size, "rootHash": listed.head.root},
            "attestations": listed.entries.iter().map(entry_json).collect::<Vec<_>>(),
            "next": listed.next.map(|below| below.to_string()),
        });
        Ok(reply::json(&headers, Keep::Seconds(0), &document))
    })
    .await
}

/// Entries that match `kind`, `device`, `workload` and `key`, newest first, from `cursor` on.
pub(crate) fn page(app: &App, parameters: &Parameters) -> Result<Listed, Problem> {
    let head = app.head();
    let limit = parameters.number("limit", 1..=u64::from(MAX_LIMIT))?;
    let limit = limit.map_or(DEFAULT_LIMIT, |limit| limit as u32);
    let below = parameters.number("cursor", 0..=u64::MAX)?;
    let query = Query {
        // Never what is durable but not published yet.
        below: below.map_or(head.size, |below| below.min(head.size)),
        limit: limit + 1,
        kind: kind(parameters)?,
        device: parameters.text("device"),
        workload: parameters.text("workload"),
        evidence: evidence(parameters)?,
        key_id: parameters.digest("key")?,
    };
    let mut entries = app.store.list(&query)?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().map(|last| last.place.index).filter(|_| more);
    Ok(Listed { head, entries, next })
}

/// The least support asked for.
fn evidence(parameters: &Parameters) -> Result<Option<Evidence>, Problem> {
    let Some(asked) = parameters.text("evidence") else {
        return Ok(None);
    };
    serde_json::from_value(Value::String(asked.clone()))
        .map(Some)
        .map_err(|_| {
            let detail =
                format!("\"evidence\" is {asked:?}; known are claimed, challenged, timed and rooted");
            Problem::new(problem::BAD_QUERY, detail)
        })
}

/// Attestations unless the parameters ask for another kind, or for any.
fn kind(parameters: &Parameters) -> Result<Option<Kind>, Problem> {
    let Some(asked) = parameters.text("kind") else {
        return Ok(Some(Kind::Attestation));
    };
    if asked == "any" {
        return Ok(None);
    }
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == asked);
    found.map(Some).ok_or_else(|| {
        let known = Kind::ALL.map(Kind::name);
        let detail = format!("\"kind\" is {asked:?}; known are {known:?} and \"any\"");
        Problem::new(problem::BAD_QUERY, detail)
    })
}

pub(super) fn entry_json(entry: &Entry) -> Value {
    let mut value = json!({
        "kind": entry.kind.name(),
        "digest": entry.digest,
        "keyId": entry.key_id,
        "logIndex": entry.place.index,
        "treeSize": entry.place.tree_size,
        "acceptedAt": time(entry.accepted_ms),
    });
    if let (Some(into), Ok(Value::Object(summary))) = (
        value.as_object_mut(),
        serde_json::from_str::<Value>(&entry.summary_json),
    ) {
        into.extend(summary);
    }
    value
}

/// RFC 3339 in UTC, to the second.
pub(crate) fn time(milliseconds: i64) -> String {
    match jiff::Timestamp::from_second(milliseconds.div_euclid(1000)) {
        Ok(time) => time.to_string(),
        Err(_) => "unknown".to_owned(),
    }
}
