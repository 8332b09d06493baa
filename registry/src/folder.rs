//! The data folder: who serves it, and files that are written whole or not at all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{} is already served by process {holder}; stop it or serve another folder", path.display())]
    Served { path: PathBuf, holder: String },
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl FolderError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// A data folder that only this process serves, for as long as the value lives.
pub(crate) struct Folder {
    path: PathBuf,
    /// The system releases it too when the process dies.
    lock: File,
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Closing alone is not enough while a child process, between its fork and its exec, holds the same file.
        let _ = self.lock.unlock();
    }
}

impl Folder {
    /// Makes the folder when there is none and takes its lock.
    pub(crate) fn claim(path: &Path) -> Result<Self, FolderError> {
        make_private_dir(path)?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(FolderError::io("open the lock", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                lock.read_to_string(&mut holder)
                    .map_err(FolderError::io("read the lock", &lock_path))?;
                return Err(FolderError::Served {
                    path: path.to_owned(),
                    holder: holder.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(FolderError::io("lock", &lock_path)(source)),
        }
        // The number only serves the message above, so a full disk does not stop a start.
        let _ = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self {
            path: path.to_owned(),
            lock,
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes a folder that only its owner enters.
pub(crate) fn make_private_dir(path: &Path) -> Result<(), FolderError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(FolderError::io("make the folder", path))
}

/// Replaces a file durably: readers see the old bytes or the new ones, and after return the new ones survive a crash.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FolderError> {
    let staged = staged_path(path);
    write_durably(&staged, bytes, mode)
        .and_then(|()| fs::rename(&staged, path).map_err(FolderError::io("replace", path)))
        .inspect_err(|_| drop(fs::remove_file(&staged)))?;
    sync_parent(path)
}

/// Writes a file that must not exist yet; an existing one is left alone and is an error.
pub(crate) fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FolderError> {
    let staged = staged_path(path);
    // A hard link, unlike a rename, fails when the name is taken.
    let linked = write_durably(&staged, bytes, mode)
        .and_then(|()| fs::hard_link(&staged, path).map_err(FolderError::io("create", path)));
    drop(fs::remove_file(&staged));
    linked?;
    sync_parent(path)
}

/// The text of a file, or `None` where there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>, FolderError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FolderError::io("read", path)(error)),
    }
}

fn staged_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FolderError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .map_err(FolderError::io("create", path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(FolderError::io("write", path))
}

/// A rename is durable once its folder is.
fn sync_parent(path: &Path) -> Result<(), FolderError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(FolderError::io("flush the folder", parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_claimed_once_and_free_again_after() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = Folder::claim(dir.path()).expect("the first claim");
        let second = Folder::claim(dir.path()).err().expect("the second is refused");
        assert!(
            second
                .to_string()
                .contains(&format!("is already served by process {}", std::process::id())),
            "{second}"
        );
        drop(first);
        Folder::claim(dir.path()).expect("free again");
    }

    #[test]
    fn a_created_file_is_never_overwritten() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key.pem");
        create(&path, b"first", 0o600).expect("made");
        assert!(create(&path, b"second", 0o600).is_err());
        assert_eq!(fs::read(&path).expect("there"), b"first");
        assert!(!staged_path(&path).exists());
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_bytes_and_no_scrap() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("checkpoint");
        replace(&path, b"old", 0o644).expect("written");
        fs::create_dir(staged_path(&path)).expect("in the way");
        assert!(replace(&path, b"new", 0o644).is_err());
        assert_eq!(fs::read(&path).expect("there"), b"old");
    }
}
