//! `hallmark certify`: run, sign, submit, verify the receipt, draw the report, and say where everything is.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::{self, Format};
use crate::config::Config;
use crate::document::Document;
use crate::exit::{Done, fail};
use crate::{answer, files, interrupt, selection, signer, talk};

pub(super) fn run(args: &cli::Certify, config: &Config, quiet: bool) -> Done {
    interrupt::listen();
    // What can fail without measuring fails first.
    let plan = selection::plan(&args.selection, quiet)?;
    let (client, root) = super::registry::client(&args.registry, config)?;
    let key = signer::open_or_make(&args.key, config)?;
    let freshness = super::sign::fresh(&args.registry, config)?;
    let folder = args.out.clone().unwrap_or_else(|| by_time(config));
    files::make_folder(&folder)?;

    let measured = plan.run()?;
    let run = folder.join("run.json");
    super::measure::write(&measured, &run)?;
    super::measure::verdict(&measured).map_err(|failure| failure.hint_where(&run))?;

    let signed = super::sign::sign(&run, &key, Some(freshness))?;
    signed.write(&folder.join("envelope.json"))?;
    let submitted = client
        .submit(&signed.envelope, key.public(), &root)
        .map_err(super::registry::failure)?;
    files::write(&folder.join("receipt.json"), &submitted.receipt)?;
    files::write(&folder.join("signer.pem"), key.public().to_pem().as_bytes())?;

    let document = Document::of_receipt(&submitted.verified, &[]);
    let report = folder.join("report.html");
    files::write(
        &report,
        super::report::render(&[&document], Format::Html).as_bytes(),
    )?;
    finish(args.format, &document, &folder)
}

fn by_time(config: &Config) -> PathBuf {
    let name = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    config.data().join("attestations").join(name)
}

fn finish(format: Format, document: &Document, folder: &std::path::Path) -> Done {
    let files = [
        "run.json",
        "envelope.json",
        "envelope.disclosures.json",
        "receipt.json",
        "signer.pem",
        "report.html",
    ];
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
        })),
        other => Err(fail!(
            Usage,
            "a certificate is shown as text or json, not {other:?}"
        )),
    }
}
