//! `hallmark trust`: which logs are believed, and from when to when.

use std::path::Path;

use attest::checkpoint::{LogKey, LogTrust};
use attest::trust::TrustedRoot;

use crate::cli::{Format, Trust};
use crate::config::Config;
use crate::document::read_root;
use crate::exit::{Done, OrFail as _, Outcome, fail};
use crate::{answer, files, talk};

pub(super) fn run(trust: Trust, config: &Config) -> Done {
    match trust {
        Trust::Show { file, format } => show(&read_root(&file)?, format),
        Trust::Fetch { registry, out } => {
            let client = super::registry::client_if_named(&registry, config)?
                .ok_or_else(|| fail!(Usage, "no registry is named").hint("name one with --registry URL"))?;
            let root = client.trusted_root().map_err(super::registry::failure)?;
            let path = out.unwrap_or_else(|| config.trust());
            files::write(&path, &root.to_json())?;
            talk::warn(
                "fetched without proof: compare the verifier keys with the registry's operator by another way",
            );
            talk::say(&format!("wrote {}", path.display()));
            show(&root, Format::Text)
        }
        Trust::Make { verifiers, out } => make(&verifiers, &out),
        Trust::Rotate { file, next, out } => rotate(&file, &next, &out),
    }
}

fn show(root: &TrustedRoot, format: Format) -> Done {
    match format {
        Format::Text => {
            let mut rows = vec![["KEY", "VALID", "VERIFIER"].map(str::to_owned).to_vec()];
            rows.extend(root.keys().iter().map(|known| {
                let until = known
                    .valid_until
                    .map_or_else(|| "now on".to_owned(), |until| until.to_string());
                vec![
                    known.key.algorithm().to_owned(),
                    format!("{} to {until}", known.valid_from),
                    known.key.verifier_line(&known.origin),
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

fn make(verifiers: &[String], out: &Path) -> Done {
    let keys = verifiers
        .iter()
        .map(|line| LogKey::from_verifier_line(line))
        .collect::<Result<Vec<_>, _>>();
    let keys = keys.or_fail(Outcome::Usage)?;
    let origin = keys.first().map(|(origin, _)| origin.clone()).unwrap_or_default();
    if let Some((other, _)) = keys.iter().find(|(other, _)| *other != origin) {
        return Err(fail!(Usage, "the keys are of two logs, {origin:?} and {other:?}")
            .hint("make one trusted root for each log, and join a log to its successor with hallmark trust rotate"));
    }
    let log = LogTrust {
        origin,
        keys: keys.into_iter().map(|(_, key)| key).collect(),
    };
    let root = TrustedRoot::new(&log, jiff::Timestamp::now()).or_fail(Outcome::Usage)?;
    files::write(out, &root.to_json())?;
    answer::print(&out.display().to_string())
}

fn rotate(file: &Path, next: &Path, out: &Path) -> Done {
    let next = read_root(next)?;
    let logs: Vec<LogTrust> = next
        .current()
        .iter()
        .filter_map(|origin| next.log(origin))
        .collect();
    let [log] = logs.as_slice() else {
        return Err(fail!(
            Usage,
            "the next trusted root must have one growing log, not {}",
            logs.len()
        ));
    };
    let rotated = read_root(file)?
        .rotate(log, jiff::Timestamp::now())
        .or_fail(Outcome::Usage)?;
    files::write(out, &rotated.to_json())?;
    answer::print(&out.display().to_string())
}
