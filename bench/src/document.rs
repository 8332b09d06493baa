//! An input file: a receipt, an envelope or a run file, and what could be checked of it.

use std::path::{Path, PathBuf};

use attest::digest::Sha256;
use attest::dsse::Envelope;
use attest::evidence::{Assessment, LoggedVerdict, assess};
use attest::key::{P256, PublicKey};
use attest::run::{RUN_FORMAT, Run};
use attest::statement::{Evidence, MAX_STATEMENT_BYTES, Statement, VerifiedStatement};
use attest::trust::TrustedRoot;
use attest::verify::{VerifiedReceipt, verify_receipt};
use reports::imported::{IMPORTED_FORMAT, Imported};
use reports::{Check, LogPlace, Shown, Verdict};

use crate::config::Config;
use crate::exit::{Done, Failure, OrFail as _, Outcome, fail};
use crate::{cli, files, signer};

/// Largest file read: a statement in base64, twice over in a receipt, with room for proofs.
pub(crate) const MAX_FILE_BYTES: usize = 4 * MAX_STATEMENT_BYTES;

/// A statement and how far it was checked.
pub(crate) struct Document {
    statement: Statement,
    digest: Sha256,
    key_id: Option<Sha256>,
    checks: Vec<Check>,
    assessment: Option<Assessment>,
    log: Option<LogPlace>,
}

/// What kind of file it is, by the one field that only it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Receipt,
    Envelope,
    Run,
    Imported,
}

/// What a document is checked against.
pub(crate) struct Trusted {
    root: Option<TrustedRoot>,
    signer: Option<PublicKey>,
    verdicts: Vec<LoggedVerdict>,
}

impl Trusted {
    /// The trusted root comes from the flag, the environment, the configuration or the data folder.
    pub(crate) fn load(trust: Option<&Path>, public_key: Option<&Path>, config: &Config) -> Done<Self> {
        let named = trust.map(Path::to_owned).or_else(|| config.trust.clone());
        let path = named.clone().unwrap_or_else(|| config.trust());
        let root = if named.is_some() || path.exists() {
            Some(read_root(&path)?)
        } else {
            None
        };
        Ok(Self {
            root,
            signer: public_key.map(signer::public_key).transpose()?,
            verdicts: Vec::new(),
        })
    }

    pub(crate) fn of(believe: &cli::Believe, config: &Config) -> Done<Self> {
        let trusted = Self::load(believe.trust.as_deref(), believe.public_key.as_deref(), config)?;
        trusted.with_verdicts(&believe.verdicts)
    }

    /// Reads receipts of verdicts, which bear out proofs and challenged records.
    pub(crate) fn with_verdicts(mut self, files: &[PathBuf]) -> Done<Self> {
        for path in files {
            let verdict = LoggedVerdict::verify(&files::read(path)?, self.root()?)
                .map_err(|error| fail!(VerificationFailed, "{}: {error}", path.display()))?;
            self.verdicts.push(verdict);
        }
        Ok(self)
    }

    pub(crate) fn verdicts(&self) -> &[LoggedVerdict] {
        &self.verdicts
    }

    pub(crate) fn root(&self) -> Done<&TrustedRoot> {
        self.root.as_ref().ok_or_else(|| {
            fail!(Usage, "no trusted root says which logs to believe")
                .hint("name one with --trust, or get the registry's with hallmark trust fetch --registry URL")
        })
    }

    pub(crate) fn signer(&self) -> Option<&PublicKey> {
        self.signer.as_ref()
    }
}

pub(crate) fn read_root(path: &Path) -> Done<TrustedRoot> {
    TrustedRoot::parse(&files::read(path)?).map_err(|error| {
        Failure::new(Outcome::Usage, error).hint(format!("{} must be a trusted_root.json", path.display()))
    })
}

/// Figures of another tool, if the file is of that kind.
pub(crate) fn imported(path: &Path) -> Done<Option<Imported>> {
    let name = path.display().to_string();
    let bytes = files::read(path)?;
    if kind(&name, &bytes)? != Kind::Imported {
        return Ok(None);
    }
    let imported: Imported = attest::json::from_slice(&bytes, MAX_FILE_BYTES)
        .map_err(|error| fail!(VerificationFailed, "{name}: {error}"))?;
    imported
        .check()
        .map_err(|error| fail!(VerificationFailed, "{name}: {error}"))?;
    Ok(Some(imported))
}

/// Tells the kind of a file without believing it.
pub(crate) fn kind(name: &str, bytes: &[u8]) -> Done<Kind> {
    let value: serde_json::Value = attest::json::from_slice(bytes, MAX_FILE_BYTES)
        .map_err(|error| Failure::new(Outcome::VerificationFailed, anyhow::anyhow!("{name}: {error}")))?;
    let is = |field: &str| value.get(field).is_some();
    let format = value.get("format").and_then(serde_json::Value::as_str);
    match () {
        () if is("dsseEnvelope") => Ok(Kind::Receipt),
        () if is("payloadType") => Ok(Kind::Envelope),
        () if format == Some(RUN_FORMAT) => Ok(Kind::Run),
        () if format == Some(IMPORTED_FORMAT) => Ok(Kind::Imported),
        () => Err(fail!(
            Usage,
            "{name} is neither a receipt nor an envelope nor a run file"
        )
        .hint("those are made by hallmark run, sign, submit and certify")),
    }
}

impl Document {
    /// Reads a file and checks what can be checked. A receipt without a trusted root and an envelope without a key are
    /// refused: what they say would be anyone's word.
    pub(crate) fn open(path: &Path, trusted: &Trusted) -> Done<Self> {
        let name = path.display().to_string();
        let bytes = files::read(path)?;
        match kind(&name, &bytes)? {
            Kind::Receipt => {
                let receipt = verified_receipt(&name, &bytes, trusted)?;
                Ok(Self::of_receipt(&receipt, trusted.verdicts()))
            }
            Kind::Envelope => Self::of_envelope(&name, &bytes, trusted),
            Kind::Run => Self::of_run(&name, &bytes),
            Kind::Imported => Err(fail!(
                Usage,
                "{name} holds figures of another tool, which are nobody's attestation and compare with none"
            )
            .hint("hallmark report shows them in a section of their own")),
        }
    }

    pub(crate) fn of_receipt(receipt: &VerifiedReceipt, verdicts: &[LoggedVerdict]) -> Self {
        let log = LogPlace {
            origin: receipt.origin.clone(),
            index: receipt.log_index,
            tree_size: receipt.tree_size,
        };
        let mut checks = statement_checks(&receipt.key);
        checks.push(passed(
            "log inclusion",
            format!("leaf {} of {} in {}", log.index, log.tree_size, log.origin),
        ));
        checks.push(passed(
            "checkpoint signature",
            "by a key of the trusted root".into(),
        ));
        let assessment = assess(&receipt.statement, verdicts);
        checks.extend(evidence_checks(&assessment));
        Self {
            statement: Statement::clone(&receipt.statement),
            digest: receipt.statement.digest(),
            key_id: Some(receipt.key.id()),
            checks,
            assessment: Some(assessment),
            log: Some(log),
        }
    }

    fn of_envelope(name: &str, bytes: &[u8], trusted: &Trusted) -> Done<Self> {
        let key = trusted.signer().ok_or_else(|| {
            fail!(
                Usage,
                "{name} is an envelope, and no public key says whose it should be"
            )
            .hint("name one with --public-key")
        })?;
        let statement = verified_envelope(name, bytes, key)?;
        let mut checks = statement_checks(key);
        checks.push(not_checked(
            "log inclusion",
            "an envelope alone; submit it for a receipt",
        ));
        Ok(Self {
            digest: statement.digest(),
            statement: Statement::clone(&statement),
            key_id: Some(key.id()),
            assessment: Some(assess(&statement, trusted.verdicts())),
            checks,
            log: None,
        })
    }

    /// A run file is nobody's word yet: nothing vouches for it.
    pub(crate) fn of_run(name: &str, bytes: &[u8]) -> Done<Self> {
        let run: Run = attest::json::from_slice(bytes, MAX_FILE_BYTES)
            .map_err(|error| fail!(VerificationFailed, "{name}: {error}"))?;
        let statement = Statement::from_run(&run, bytes, &file_name(name), None)
            .map_err(|error| fail!(VerificationFailed, "{name}: {error}"))?;
        let checks = vec![
            passed("statistics", "recomputed from the samples".into()),
            not_checked("signature", "a run file is not signed"),
            not_checked("log inclusion", "a run file is not logged"),
        ];
        Ok(Self {
            statement,
            digest: Sha256::of(bytes),
            key_id: None,
            checks,
            assessment: None,
            log: None,
        })
    }

    pub(crate) fn statement(&self) -> &Statement {
        &self.statement
    }

    pub(crate) fn digest(&self) -> Sha256 {
        self.digest
    }

    pub(crate) fn checks(&self) -> &[Check] {
        &self.checks
    }

    pub(crate) fn shown(&self) -> Shown<'_> {
        Shown {
            statement: &self.statement,
            digest: self.digest,
            key_id: self.key_id,
            checks: self.checks.clone(),
            assessment: self.assessment.clone(),
            log: self.log.clone(),
        }
    }
}

/// Checks an envelope against the key it should be signed with.
pub(crate) fn verified_envelope(name: &str, bytes: &[u8], key: &PublicKey) -> Done<VerifiedStatement> {
    let envelope = Envelope::parse(bytes).map_err(|error| fail!(VerificationFailed, "{name}: {error}"))?;
    let verified = envelope.open(key, &P256).map_err(|error| {
        fail!(VerificationFailed, "{name}: {error}")
            .hint(format!("the key it was checked against is {}", key.id()))
    })?;
    Statement::read(&verified).map_err(|error| fail!(VerificationFailed, "{name}: {error}"))
}

/// Checks a receipt against the trusted root and, if one is named, the signer.
pub(crate) fn verified_receipt(name: &str, bytes: &[u8], trusted: &Trusted) -> Done<VerifiedReceipt> {
    verify_receipt(bytes, trusted.root()?, trusted.signer()).map_err(|error| {
        Failure::new(
            Outcome::VerificationFailed,
            anyhow::Error::new(error).context(name.to_owned()),
        )
    })
}

fn statement_checks(key: &PublicKey) -> Vec<Check> {
    vec![
        passed("envelope signature", format!("ECDSA P-256 by key {}", key.id())),
        passed(
            "statement",
            "strict JSON, known types, specs equal their digests".into(),
        ),
        passed("statistics", "recomputed from the samples".into()),
    ]
}

/// What the verdicts at hand say of proofs, and of records that cannot be.
fn evidence_checks(found: &Assessment) -> Vec<Check> {
    let timed = found
        .proofs
        .iter()
        .filter(|proof| proof.evidence == Evidence::Timed)
        .count();
    let challenged = found
        .records
        .iter()
        .filter(|record| record.support.evidence == Evidence::Challenged);
    let of = format!(
        "{timed} of {} proofs timed, {} of {} records challenged",
        found.proofs.len(),
        challenged.count(),
        found.records.len()
    );
    let mut checks = Vec::new();
    match found.proofs.len() {
        0 => {}
        all if timed == all => checks.push(passed("proofs", of)),
        _ => checks.push(not_checked(
            "proofs",
            &format!("{of}; give their verdicts with --verdict"),
        )),
    }
    if let Some(reason) = found
        .records
        .iter()
        .find_map(|record| record.implausible.as_ref())
    {
        checks.push(Check {
            name: "plausibility".to_owned(),
            verdict: Verdict::Failed,
            detail: reason.clone(),
        });
    }
    checks
}

fn passed(name: &str, detail: String) -> Check {
    Check {
        name: name.to_owned(),
        verdict: Verdict::Passed,
        detail,
    }
}

fn not_checked(name: &str, detail: &str) -> Check {
    Check {
        name: name.to_owned(),
        verdict: Verdict::NotChecked,
        detail: detail.to_owned(),
    }
}

/// Last part of a path, as the statement's subject names the run file.
pub(crate) fn file_name(path: &str) -> String {
    Path::new(path)
        .file_name()
        .map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Reads a run file for signing.
pub(crate) fn read_run(path: &Path) -> Done<(Run, Vec<u8>)> {
    let bytes = files::read(path)?;
    let name = path.display().to_string();
    if kind(&name, &bytes)? != Kind::Run {
        return Err(fail!(Usage, "{name} is no run file").hint("hallmark run makes one"));
    }
    let run = attest::json::from_slice(&bytes, MAX_FILE_BYTES).or_fail(Outcome::Usage)?;
    Ok((run, bytes))
}
