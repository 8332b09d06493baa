//! `hallmark trust`: which logs are believed, and from when to when.

use std::path::{Path, PathBuf};

use attest::digest::Sha256;
use attest::trust::TrustedRoot;

use crate::cli::{Format, Trust};
use crate::config::Config;
use crate::document::read_root;
use crate::exit::{Done, Or as _, Outcome, fail};
use crate::{answer, files, talk};

pub(super) fn run(trust: Trust, config: &Config) -> Done {
    match trust {
        Trust::Show { file, format } => show(&read_root(&file)?, format),
        Trust::Fetch { registry, out } => {
            let client = super::registry::client_if_named(&registry, config)?
                .ok_or_else(|| fail!(Usage, "no registry is named").hint("name one with --registry URL"))?;
            let bytes = client.trusted_root().map_err(super::registry::failure)?;
            let root = TrustedRoot::parse(&bytes).or(Outcome::VerificationFailed)?;
            let path = out.unwrap_or_else(|| config.trust());
            files::write(&path, &bytes)?;
            talk::warn(
                "fetched without proof: compare the fingerprints with the registry's operator by another way",
            );
            talk::say(&format!("wrote {}", path.display()));
            show(&root, Format::Text)
        }
        Trust::Make { data, out } => make(&data, &out),
        Trust::Rotate { file, next, out } => rotate(&file, &next, &out),
    }
}

fn show(root: &TrustedRoot, format: Format) -> Done {
    match format {
        Format::Text => {
            let mut rows = vec![
                ["ORIGIN", "KEY", "FINGERPRINT", "VALID"]
                    .map(str::to_owned)
                    .to_vec(),
            ];
            rows.extend(root.logs().iter().map(|log| {
                let until = log.valid_until.as_deref().unwrap_or("now on");
                vec![
                    log.origin.clone(),
                    log.algorithm.to_owned(),
                    Sha256::of(&log.spki).to_string(),
                    format!("{} to {until}", log.valid_from),
                ]
            }));
            answer::print(&answer::columns(&rows))
        }
        Format::Json => answer::print(&String::from_utf8_lossy(&root.to_json())),
        other => Err(fail!(
            Usage,
            "a trusted root is shown as text or json, not {other:?}"
        )),
    }
}

fn make(data: &Path, out: &PathBuf) -> Done {
    let root = registry::trusted_root(data).or(Outcome::Io)?;
    files::write(out, &root)?;
    answer::print(&out.display().to_string())
}

fn rotate(file: &Path, next: &Path, out: &PathBuf) -> Done {
    let now = jiff::Timestamp::now()
        .round(jiff::Unit::Second)
        .or(Outcome::Unfit)?
        .to_string();
    let rotated = read_root(file)?
        .rotate(&read_root(next)?, &now)
        .or(Outcome::Usage)?;
    files::write(out, &rotated.to_json())?;
    answer::print(&out.display().to_string())
}
