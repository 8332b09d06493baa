//! The provider's signing key: found, opened, or made the first time it is needed.

use std::path::{Path, PathBuf};

use attest::key::{PublicKey, SigningKey};

use crate::cli;
use crate::config::Config;
use crate::exit::{Done, Failure, OrFail as _, Outcome, fail};
use crate::{files, password, talk};

const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

pub(crate) fn path(key: &cli::Key, config: &Config) -> PathBuf {
    key.key.clone().unwrap_or_else(|| config.key())
}

/// Opens the key; asks for a password only if it is encrypted.
pub(crate) fn open(key: &cli::Key, config: &Config) -> Done<SigningKey> {
    let path = path(key, config);
    if !path.exists() {
        return Err(fail!(Usage, "there is no key at {}", path.display()).hint("hallmark keys new makes one"));
    }
    let pem = text(&path)?;
    let password = if pem.contains(ENCRYPTED) {
        Some(password::existing(key.password_file.as_deref())?)
    } else {
        None
    };
    SigningKey::from_pem(&pem, password.as_deref()).map_err(|error| {
        Failure::new(Outcome::Usage, error).hint(format!(
            "{} must be a P-256 key in PKCS#8 PEM, and the password its own",
            path.display()
        ))
    })
}

/// Opens the key, or makes it where none is.
pub(crate) fn open_or_make(key: &cli::Key, config: &Config) -> Done<SigningKey> {
    let path = path(key, config);
    if path.exists() {
        return open(key, config);
    }
    let password = password::new(key.password_file.as_deref())?;
    make(&path, Some(&password))
}

/// Makes a key and writes it, encrypted if there is a password.
pub(crate) fn make(path: &Path, password: Option<&[u8]>) -> Done<SigningKey> {
    let key = SigningKey::generate().or_fail(Outcome::Unfit)?;
    let pem = key.to_pem(password).or_fail(Outcome::Unfit)?;
    files::write_secret(path, pem.as_bytes())?;
    talk::say(&format!("made key {} at {}", key.public().id(), path.display()));
    Ok(key)
}

pub(crate) fn public_key(path: &Path) -> Done<PublicKey> {
    PublicKey::from_pem(&text(path)?).map_err(|error| {
        Failure::new(Outcome::Usage, error)
            .hint(format!("{} must be a P-256 public key in PEM", path.display()))
    })
}

fn text(path: &Path) -> Done<String> {
    String::from_utf8(files::read(path)?)
        .map_err(|_| fail!(Usage, "{} is not text, so it is no PEM file", path.display()))
}
