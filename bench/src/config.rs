//! The configuration file and the folders of the XDG Base Directory Specification.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::exit::{Done, fail};

/// What the configuration file may say. A flag or an environment variable stands over it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub registry: Option<String>,
    pub key: Option<PathBuf>,
    pub trust: Option<PathBuf>,
    /// Folder of attestations and of the key made by default.
    pub data: Option<PathBuf>,
}

impl Config {
    /// Reads `$HALLMARK_CONFIG`, else `config.toml` in the XDG folder, else nothing.
    pub(crate) fn load() -> Done<Self> {
        if let Some(path) = std::env::var_os("HALLMARK_CONFIG").map(PathBuf::from) {
            return Self::read(&path);
        }
        let path = folder("XDG_CONFIG_HOME", ".config").join("config.toml");
        if path.exists() {
            Self::read(&path)
        } else {
            Ok(Self::default())
        }
    }

    fn read(path: &Path) -> Done<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| fail!(Io, "cannot read {}: {error}", path.display()))?;
        toml::from_str(&text).map_err(|error| {
            fail!(Usage, "{}: {}", path.display(), error.message())
                .hint("it may set registry, key, trust and data")
        })
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.data
            .clone()
            .unwrap_or_else(|| folder("XDG_DATA_HOME", ".local/share"))
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.key.clone().unwrap_or_else(|| self.data().join("key.pem"))
    }

    pub(crate) fn trust(&self) -> PathBuf {
        self.trust
            .clone()
            .unwrap_or_else(|| self.data().join("trusted_root.json"))
    }
}

/// `hallmark` below the folder that `variable` names, else below `fallback` in the home folder. The specification says
/// that relative values are ignored.
fn folder(variable: &str, fallback: &str) -> PathBuf {
    let named = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into())).join(fallback);
    named.unwrap_or_else(home).join("hallmark")
}
