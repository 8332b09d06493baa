//! `hallmark verify`: check a receipt or an envelope without any network.

use serde_json::json;

use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::{self, Document, Kind, Trusted};
use crate::exit::{Done, fail};
use crate::{answer, files};

pub(super) fn run(args: &cli::Verify, config: &Config) -> Done {
    let trusted = Trusted::load(args.trust.as_deref(), args.public_key.as_deref(), config)?;
    let name = args.file.display().to_string();
    if document::kind(&name, &files::read(&args.file)?)? == Kind::Run {
        return Err(fail!(
            Usage,
            "{name} is a run file: nobody has signed it, so there is nothing to verify"
        )
        .hint("hallmark sign makes an envelope of it"));
    }
    let document = Document::open(&args.file, &trusted)?;
    if let Some(earlier) = &args.not_before {
        not_older(&document, &files::read(earlier)?, &trusted)?;
    }
    match args.format {
        Format::Text => answer::print(&text(&name, &document)),
        Format::Json => answer::json(&json!({
            "file": name,
            "verified": true,
            "digest": document.digest(),
            "keyId": document.shown().key_id,
            "log": document.shown().log,
            "checks": document.checks(),
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
    let keys = keys.ok_or_else(|| fail!(VerificationFailed, "the trusted root has no key of {:?}", log.origin))?;
    let seen = attest::checkpoint::open(&String::from_utf8_lossy(seen), &keys)
        .map_err(|error| fail!(VerificationFailed, "the checkpoint seen before: {error}"))?;
    if log.tree_size < seen.size {
        let (now, before) = (log.tree_size, seen.size);
        return Err(fail!(VerificationFailed, "the receipt's checkpoint covers {now} leaves, the one seen before {before}")
            .hint("get the receipt again from the registry"));
    }
    Ok(())
}

fn text(name: &str, document: &Document) -> String {
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
    answer::columns(&rows)
}
