//! The last published checkpoint, kept outside the database.
//!
//! A database restored from a backup would sign a second history for indices it has already given away. This copy tells:
//! the registry refuses to start behind it.

use std::path::PathBuf;

use crate::folder::{self, FolderError};

/// Keeps one text durably, somewhere a restored database does not take back.
pub trait LastCheckpoint: Send + 'static {
    fn read(&self) -> Result<Option<String>, FolderError>;

    /// Returns once `note` survives a crash. An error leaves either the old text or `note`.
    fn write(&self, note: &str) -> Result<(), FolderError>;
}

/// The checkpoint in a file of its own.
#[derive(Debug)]
pub struct CheckpointFile(pub PathBuf);

impl LastCheckpoint for CheckpointFile {
    fn read(&self) -> Result<Option<String>, FolderError> {
        folder::read_if_there(&self.0)
    }

    fn write(&self, note: &str) -> Result<(), FolderError> {
        folder::replace(&self.0, note.as_bytes(), 0o644)
    }
}
