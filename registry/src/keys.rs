//! The log's own keys and the trust in them that readers fetch.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest::checkpoint::{LogKeys, LogTrust, Unverified};
use attest::trust::TrustedRoot;

use crate::folder::{self, Folder, FolderError};
use crate::store::Head;

/// Both private keys, ECDSA first, in PKCS#8 PEM. Not encrypted: the server must restart without a person.
const KEYS: &str = "keys/log.pem";
const TRUSTED_ROOT: &str = "trusted_root.json";

#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("cannot make the log's keys: {0}")]
    Make(#[from] attest::key::KeyError),
    #[error("{} cannot be used: {source}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: attest::checkpoint::LogKeysError,
    },
    #[error("{} can be read by others (mode {mode:o}); run `chmod 600` on it, and if others did read it, begin a new log", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} cannot be used: {source}", path.display())]
    Trust {
        path: PathBuf,
        #[source]
        source: attest::trust::TrustError,
    },
    #[error("the log has begun but its keys are missing: put {} back from a backup, or begin a new log in another folder", path.display())]
    Missing { path: PathBuf },
    #[error(
        "this data belongs to the log {found:?}, not to {asked:?}: serve it under its own origin, or begin a new log in another folder"
    )]
    OtherOrigin { found: String, asked: String },
    #[error("the database's checkpoint cannot be read: {0}")]
    Checkpoint(#[from] attest::checkpoint::CheckpointError),
}

/// Who the log is.
pub(crate) struct Identity {
    pub(crate) keys: Arc<LogKeys>,
    pub(crate) trust: LogTrust,
    /// The document readers fetch.
    pub(crate) trusted_root: String,
}

/// Reads the identity of a log that has begun, or makes that of a new one. Nothing is ever overwritten.
pub(crate) fn identity(folder: &Folder, head: Option<&Head>, origin: &str) -> Result<Identity, KeysError> {
    if let Some(head) = head {
        let found = Unverified::parse(&head.note)?.claimed().origin.clone();
        if found != origin {
            let asked = origin.to_owned();
            return Err(KeysError::OtherOrigin { found, asked });
        }
    }
    let keys = keys(&folder.path(KEYS), head.is_some())?;
    let trust = keys.trust(origin);
    let path = folder.path(TRUSTED_ROOT);
    let trusted_root = match folder::read_if_there(&path)? {
        Some(text) => text,
        None => {
            let made = TrustedRoot::new(&trust, jiff::Timestamp::now());
            let text = made
                .map_err(|source| KeysError::Trust {
                    path: path.clone(),
                    source,
                })?
                .to_json();
            folder::replace(&path, &text, 0o644)?;
            String::from_utf8_lossy(&text).into_owned()
        }
    };
    TrustedRoot::parse(trusted_root.as_bytes()).map_err(|source| KeysError::Trust { path, source })?;
    Ok(Identity {
        keys: Arc::new(keys),
        trust,
        trusted_root,
    })
}

fn keys(path: &Path, has_begun: bool) -> Result<LogKeys, KeysError> {
    let Some(pem) = folder::read_if_there(path)? else {
        if has_begun {
            return Err(KeysError::Missing {
                path: path.to_owned(),
            });
        }
        if let Some(parent) = path.parent() {
            folder::make_private_dir(parent)?;
        }
        let keys = LogKeys::generate()?;
        folder::create(path, keys.to_pem(None)?.as_bytes(), 0o600)?;
        return Ok(keys);
    };
    let mode = fs::metadata(path)
        .map_err(FolderError::io("examine", path))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeysError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    LogKeys::from_pem(&pem, None).map_err(|source| KeysError::Read {
        path: path.to_owned(),
        source,
    })
}
