//! `hallmark certify`: prove, run, sign, submit, verify the receipt, draw the report, and say where everything is.

use std::path::Path;

use attest::evidence::LoggedVerdict;
use attest::statement::{Attempt, Device as Facts, ProofRef};
use attest::trust::TrustedRoot;
use serde_json::json;

use super::sign::Backing;
use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::{Document, file_name};
use crate::exit::{Done, OrFail as _, Outcome, fail};
use crate::prove::campaign::{Campaign, Kept};
use crate::prove::{Host, Registrar};
use crate::runner::Plan;
use crate::{answer, files, interrupt, selection, talk};

pub(super) fn run(args: &cli::Certify, config: &Config, quiet: bool) -> Done {
    interrupt::listen();
    // What can fail without measuring fails first.
    super::prove::text_or_json(args.format)?;
    let (mut plan, host) = selection::plan(&args.selection, quiet)?;
    let registrar = super::prove::registrar(&args.registry, &args.key, config, quiet)?;
    let freshness = super::sign::fresh(&args.registry, config)?;
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| super::prove::by_time(config, "attestations"));
    files::make_folder(&folder)?;

    let kept = prove(args, &registrar, &host, &mut plan, &folder)?;
    let run = folder.join("run.json");
    let (measured, _) = super::measure::kept(plan, &run)?;
    super::measure::verdict(&measured).map_err(|failure| failure.hint_where(&run))?;

    let backing = backing(&kept, &measured.measured.devices);
    let signed = super::sign::sign(&run, &registrar.key, Some(freshness), backing)?;
    signed.write(&folder.join("envelope.json"))?;
    let submitted = registrar
        .client
        .submit(&signed.envelope, registrar.key.public(), &registrar.root)
        .map_err(super::registry::failure)?;
    files::write(&folder.join("receipt.json"), &submitted.receipt)?;
    let signer = registrar.key.public().to_pem();
    files::write(&folder.join("signer.pem"), signer.as_bytes())?;

    let document = Document::of_receipt(&submitted.verified, &verdicts(&kept, &registrar.root)?);
    let report = super::report::render(&[&document], Format::Html);
    files::write(&folder.join("report.html"), report.as_bytes())?;
    finish(args.format, &document, &folder, &kept)
}

/// Every proof on every device of the plan, whose inputs then follow from the last attempt's nonce.
fn prove(
    args: &cli::Certify,
    registrar: &Registrar,
    host: &Host,
    plan: &mut Plan,
    folder: &Path,
) -> Done<Vec<Kept>> {
    if args.no_proof {
        talk::warn("nothing is proven: every figure will be the provider's word");
        return Ok(Vec::new());
    }
    if args.selection.seed.is_some() {
        return Err(fail!(Usage, "the seed of a proven run is the registry's")
            .hint("leave --seed out, or prove nothing with --no-proof"));
    }
    let campaign = Campaign {
        registrar,
        host,
        proofs: super::prove::proofs(args.proving.proof),
        target: args.proving.target,
        folder,
    };
    let (kept, devices) = campaign.run(std::mem::take(&mut plan.devices))?;
    plan.devices = devices;
    plan.devices.sort_by_key(|device| host.index(&device.facts().id));
    super::prove::verdict(&kept)?;
    if let Some(attempt) = challenge(&kept) {
        plan.seed = attempt.seed(&registrar.key.public().id());
    }
    Ok(kept)
}

/// The verdicts, as a reader of the certificate checks them.
fn verdicts(kept: &[Kept], root: &TrustedRoot) -> Done<Vec<LoggedVerdict>> {
    kept.iter()
        .map(|kept| LoggedVerdict::verify(&kept.proved.judged.receipt, root))
        .collect::<Result<_, _>>()
        .or_fail(Outcome::VerificationFailed)
}

/// The attempt whose nonce the run's inputs follow from: the last, so that the least time was left to prepare for them.
fn challenge(kept: &[Kept]) -> Option<Attempt> {
    let last = &kept.last()?.proved;
    Some(Attempt {
        log_index: last.attempt_index,
        digest: last.attempt,
        nonce: last.judged.verdict.predicate.nonce?,
    })
}

/// What the verdicts say of the statement's devices.
fn backing(kept: &[Kept], devices: &[Facts]) -> Backing {
    let proofs = kept.iter().flat_map(|kept| {
        let judged = &kept.proved.judged;
        let verdict = &judged.verdict.predicate;
        verdict.tasks.iter().filter_map(move |task| {
            let id = &verdict.devices.get(task.device as usize)?.id;
            Some(ProofRef {
                verdict: judged.digest,
                log_index: judged.log_index,
                device: devices.iter().position(|device| device.id == *id)? as u32,
                work: task.work,
                proven: task.proven.clone()?,
            })
        })
    });
    Backing {
        attempt: challenge(kept),
        proofs: proofs.collect(),
    }
}

fn finish(format: Format, document: &Document, folder: &Path, kept: &[Kept]) -> Done {
    let mut files: Vec<String> = [
        "run.json",
        "envelope.json",
        "envelope.disclosures.json",
        "receipt.json",
        "signer.pem",
        "report.html",
    ]
    .map(str::to_owned)
    .into();
    let papers = kept.iter().flat_map(|kept| [&kept.transcript, &kept.verdict]);
    files.extend(papers.map(|path| file_name(&path.display().to_string())));
    match format {
        Format::Text => {
            answer::print(&super::report::render(&[document], Format::Text))?;
            let log = document.shown().log;
            let place = log
                .map(|log| format!("leaf {} of log {}", log.index, log.origin))
                .unwrap_or_default();
            talk::say(&format!("\nverified: {place}, digest {}", document.digest()));
            for file in files {
                talk::say(&format!("  {}", folder.join(file).display()));
            }
            Ok(())
        }
        Format::Json => answer::json(&json!({
            "verified": true,
            "digest": document.digest(),
            "log": document.shown().log,
            "folder": folder,
            "files": files,
            "proofs": kept.iter().map(super::prove::as_json).collect::<Vec<_>>(),
        })),
        other => Err(fail!(
            Usage,
            "a certificate is shown as text or json, not {other:?}"
        )),
    }
}
