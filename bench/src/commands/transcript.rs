//! `hallmark verify --transcript`: the verdict of a proof, recomputed without any network.

use std::path::Path;
use std::time::Instant;

use attest::proof::{MAX_TRANSCRIPT_BYTES, Outcome as Verdict, Transcript, VerifiedTranscript};
use serde_json::json;

use crate::cli::Format;
use crate::document::Trusted;
use crate::exit::{Done, Failure, Outcome, fail};
use crate::prove::shown;
use crate::{answer, files};

pub(super) fn verify(path: &Path, trusted: &Trusted, format: Format) -> Done {
    super::prove::text_or_json(format)?;
    let name = path.display().to_string();
    let bytes = files::read_up_to(path, MAX_TRANSCRIPT_BYTES as u64)?;
    let broken = |error: attest::proof::TranscriptError| {
        Failure::new(
            Outcome::VerificationFailed,
            anyhow::Error::new(error).context(name.clone()),
        )
    };
    let began = Instant::now();
    let root = trusted.root()?;
    let transcript = Transcript::parse(&bytes).map_err(broken)?;
    let verified = transcript.verify(root).map_err(broken)?;
    by_signer(&verified, trusted)?;
    match format {
        Format::Json => answer::json(&as_json(&name, &verified)),
        _ => answer::print(&text(&name, &verified, began.elapsed().as_secs_f64())),
    }
}

/// Whoever names a signer wants this one.
fn by_signer(verified: &VerifiedTranscript, trusted: &Trusted) -> Done {
    let got = verified.key.id();
    match trusted.signer().map(attest::key::PublicKey::id) {
        Some(want) if want != got => Err(fail!(
            VerificationFailed,
            "the transcript is of the key {got}, not of {want}"
        )),
        _ => Ok(()),
    }
}

fn text(name: &str, verified: &VerifiedTranscript, took_s: f64) -> String {
    let verdict = &verified.verdict.predicate;
    let passed = |what: &str, detail: String| vec!["passed".to_owned(), format!("{what}: {detail}")];
    let (attempt, logged) = (verified.attempt_index, verified.verdict_index);
    let mut rows = vec![
        vec!["verified".to_owned(), name.to_owned()],
        vec!["digest".to_owned(), verified.verdict_digest.to_string()],
        passed("request", format!("ECDSA P-256 by key {}", verified.key.id())),
        passed(
            "attempt",
            format!("leaf {attempt} of {}, follows from the request", verified.origin),
        ),
        passed(
            "verdict",
            format!("leaf {logged} of {}, signed by its log's key", verified.origin),
        ),
    ];
    let opened = verified.session.openings.iter().flatten();
    let lanes: usize = opened.map(Vec::len).sum();
    if verdict.outcome == Verdict::Proven {
        rows.push(passed(
            "lanes",
            format!("{lanes} drawn from the secret, under the roots, recomputed in {took_s:.2} s"),
        ));
    }
    rows.push(passed(
        "outcome",
        shown::unproven(verdict).unwrap_or_else(|| "proven".into()),
    ));
    rows.extend(verdict.tasks.iter().map(|task| {
        let device = shown::device(verdict, task.device);
        let what = task.proven.as_ref().map_or_else(
            || "nothing".to_owned(),
            |proven| {
                let resident = match proven.resident_bytes.0 {
                    0 => String::new(),
                    bytes => format!(", {} resident", reports::memory(bytes)),
                };
                format!(
                    "{}{resident}, in {:.2} s",
                    reports::table::rate(&task.work, proven.rate),
                    proven.elapsed_ns as f64 / 1e9
                )
            },
        );
        vec![
            "proven".to_owned(),
            format!("{device} {}: {what}", task.work.workload()),
        ]
    }));
    answer::columns(&rows)
}

fn as_json(name: &str, verified: &VerifiedTranscript) -> serde_json::Value {
    json!({
        "file": name,
        "verified": true,
        "keyId": verified.key.id(),
        "origin": verified.origin,
        "attemptIndex": verified.attempt_index,
        "verdictIndex": verified.verdict_index,
        "digest": verified.verdict_digest,
        "verdict": verified.verdict.predicate,
    })
}
