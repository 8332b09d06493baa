//! Reading with a limit, and writing whole files or none.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::exit::{Done, OrFail as _, Outcome, fail};

/// Largest input file. Run files and receipts hold at most 1 MiB of statement, in base64 at most twice.
const MAX_INPUT_BYTES: u64 = 4 << 20;

/// Reads a file, or standard input for `-`, up to [`MAX_INPUT_BYTES`].
pub(crate) fn read(path: &Path) -> Done<Vec<u8>> {
    read_up_to(path, MAX_INPUT_BYTES)
}

/// As [`read`], with a limit of its own.
pub(crate) fn read_up_to(path: &Path, limit: u64) -> Done<Vec<u8>> {
    let mut bytes = Vec::new();
    let opened: std::io::Result<Box<dyn std::io::Read>> = if path == Path::new("-") {
        Ok(Box::new(std::io::stdin()))
    } else {
        File::open(path).map(|file| Box::new(file) as _)
    };
    opened
        .and_then(|input| input.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| fail!(Io, "cannot read {}: {error}", path.display()))?;
    if bytes.len() as u64 > limit {
        return Err(fail!(Usage, "{} is larger than {limit} bytes", path.display()));
    }
    Ok(bytes)
}

/// Replaces `path` with `bytes`: written beside it, synced, renamed. On any error the old file stays as it was.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Done {
    write_as(path, bytes, 0o644).map_err(|error| {
        fail!(Io, "cannot write {}: {error}", path.display())
            .hint("nothing was changed; free space or choose another --out")
    })
}

/// As [`write`], for its owner's eyes alone.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Done {
    write_as(path, bytes, 0o600).map_err(|error| fail!(Io, "cannot write {}: {error}", path.display()))
}

/// Makes a file that only its owner can read; refuses to replace one.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Done {
    if path.exists() {
        return Err(
            fail!(Usage, "{} exists and a key is never overwritten", path.display())
                .hint("choose another --out, or move the old key away"),
        );
    }
    write_private(path, bytes)
}

fn write_as(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let folder = folder_of(path);
    std::fs::create_dir_all(&folder)?;
    let beside = folder.join(format!(".{}.{}.part", name_of(path), std::process::id()));
    let written = write_new(&beside, bytes, mode).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written?;
    File::open(&folder)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Makes a folder and its parents.
pub(crate) fn make_folder(path: &Path) -> Done {
    std::fs::create_dir_all(path)
        .map_err(|error| anyhow::anyhow!("cannot make folder {}: {error}", path.display()))
        .or_fail(Outcome::Io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.json");
        write(&path, b"old").expect("a first write");
        assert!(write(&path.join("below-a-file"), b"new").is_err());
        assert_eq!(read(&path).expect("the old file"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a listing").count(), 1);
    }

    #[test]
    fn a_secret_is_private_and_never_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key.pem");
        write_secret(&path, b"first").expect("a new secret");
        assert_eq!(
            std::fs::metadata(&path)
                .expect("its metadata")
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
        assert_eq!(
            write_secret(&path, b"second").expect_err("it exists").outcome,
            Outcome::Usage
        );
        assert_eq!(read(&path).expect("the first"), b"first");
    }
}
