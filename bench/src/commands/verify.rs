//! `hallmark verify`: check a receipt or an envelope without any network.

use std::collections::{BTreeMap, BTreeSet};

use attest::disclosure::{Disclosure, reveal};
use serde_json::json;

use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::{self, Document, Kind, Trusted};
use crate::exit::{Done, OrFail as _, Outcome, fail};
use crate::{answer, files};

pub(super) fn run(args: &cli::Verify, config: &Config) -> Done {
    let trusted = Trusted::load(args.trust.as_deref(), args.public_key.as_deref(), config)?;
    let trusted = trusted.with_verdicts(&args.verdicts)?;
    if let Some(transcript) = &args.transcript {
        return super::transcript::verify(transcript, &trusted, args.format);
    }
    let file = args
        .file
        .as_ref()
        .ok_or_else(|| fail!(Usage, "name a receipt, an envelope or a --transcript"))?;
    let name = file.display().to_string();
    if document::kind(&name, &files::read(file)?)? == Kind::Run {
        return Err(fail!(
            Usage,
            "{name} is a run file: nobody has signed it, so there is nothing to verify"
        )
        .hint("hallmark sign makes an envelope of it"));
    }
    let document = Document::open(file, &trusted)?;
    if let Some(earlier) = &args.not_before {
        not_older(&document, &files::read(earlier)?, &trusted)?;
    }
    let facts = match &args.disclosures {
        Some(path) => revealed(&document, &files::read(path)?)?,
        None => Facts::new(),
    };
    match args.format {
        Format::Text => answer::print(&text(&name, &document, &facts)),
        Format::Json => answer::json(&json!({
            "file": name,
            "verified": true,
            "digest": document.digest(),
            "keyId": document.shown().key_id,
            "log": document.shown().log,
            "checks": document.checks(),
            "disclosed": facts,
        })),
        other => Err(fail!(
            Usage,
            "a verification is shown as text or json, not {other:?}"
        )),
    }
}

/// Refuses a receipt from before a checkpoint that the reader has already seen.
fn not_older(document: &Document, seen: &[u8], trusted: &Trusted) -> Done {
    let Some(log) = document.shown().log else {
        return Err(fail!(Usage, "an envelope alone has no checkpoint to compare"));
    };
    let keys = trusted.root()?.log(&log.origin);
    let keys = keys.ok_or_else(|| {
        fail!(
            VerificationFailed,
            "the trusted root has no key of {:?}",
            log.origin
        )
    })?;
    let seen = attest::checkpoint::open(&String::from_utf8_lossy(seen), &keys)
        .map_err(|error| fail!(VerificationFailed, "the checkpoint seen before: {error}"))?;
    if log.tree_size < seen.size {
        let (now, before) = (log.tree_size, seen.size);
        return Err(fail!(
            VerificationFailed,
            "the receipt's checkpoint covers {now} leaves, the one seen before {before}"
        )
        .hint("get the receipt again from the registry"));
    }
    Ok(())
}

type Facts = BTreeMap<String, serde_json::Value>;

/// Private facts that the signer vouches for, each held to a digest in the statement.
fn revealed(document: &Document, bytes: &[u8]) -> Done<Facts> {
    let texts: BTreeMap<String, String> = attest::json::from_slice(bytes, bytes.len()).map_err(|error| {
        fail!(Usage, "the disclosures: {error}").hint("they are one JSON object of name and text")
    })?;
    let disclosures: Vec<Disclosure> = texts.values().map(|text| Disclosure::from_text(text)).collect();
    let predicate = &document.statement().predicate;
    reveal(
        &predicate.sd,
        predicate.sd_alg.as_deref(),
        &BTreeSet::new(),
        &disclosures,
    )
    .or_fail(Outcome::VerificationFailed)
}

fn text(name: &str, document: &Document, facts: &Facts) -> String {
    let mut rows = vec![
        vec!["verified".to_owned(), name.to_owned()],
        vec!["digest".to_owned(), document.digest().to_string()],
    ];
    rows.extend(document.checks().iter().map(|check| {
        vec![
            check.verdict.as_str().to_owned(),
            format!("{}: {}", check.name, check.detail),
        ]
    }));
    rows.extend(
        facts
            .iter()
            .map(|(fact, value)| vec!["disclosed".to_owned(), format!("{fact}: {value}")]),
    );
    answer::columns(&rows)
}
