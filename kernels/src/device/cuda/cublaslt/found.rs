//! Where the library is.

#![allow(unsafe_code, reason = "opening a library runs its initialization")]

use std::fs;
use std::path::{Path, PathBuf};

use libloading::Library;

use super::LibraryError;

/// Names by version; the calls in use are the same in all three.
const NAMES: [&str; 3] = ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"];

/// Names a library to use in place of those found.
const OVERRIDE: &str = "HALLMARK_CUBLASLT";

pub(super) fn open() -> Result<Library, LibraryError> {
    if let Some(path) = std::env::var_os(OVERRIDE) {
        // SAFETY: the user names a cuBLASLt.
        let library = unsafe { Library::new(&path) };
        return library.map_err(|error| LibraryError::Absent(format!("{OVERRIDE}: {error}")));
    }
    // SAFETY: loading cuBLASLt runs its own initialization only.
    let by_name = NAMES.iter().find_map(|name| unsafe { Library::new(*name) }.ok());
    let found = by_name.or_else(|| folders().into_iter().find_map(|folder| open_in(&folder)));
    found.ok_or_else(|| {
        LibraryError::Absent(format!(
            "none of {} is on the loader's path or in a Python environment; \
             pip install nvidia-cublas-cu12, or name the file in {OVERRIDE}",
            NAMES.join(", ")
        ))
    })
}

fn open_in(folder: &Path) -> Option<Library> {
    // SAFETY: as in `open`.
    NAMES
        .iter()
        .find_map(|name| unsafe { Library::new(folder.join(name)) }.ok())
}

/// Where the toolkit and PyTorch's wheels put it.
fn folders() -> Vec<PathBuf> {
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local"));
    let system = ["/usr/local", "/usr", "/opt/conda", "/opt/venv"]
        .into_iter()
        .map(PathBuf::from);
    let prefixes = environments.chain(home).chain(system);
    let libraries = prefixes.map(|prefix| prefix.join("lib"));
    let pythons = libraries.flat_map(|library| children(&library, "python3"));
    let wheels = pythons.flat_map(|python| {
        let packages =
            ["site-packages", "dist-packages"].map(|packages| python.join(packages).join("nvidia"));
        packages
            .into_iter()
            .flat_map(|nvidia| ["cu13", "cublas"].map(|wheel| nvidia.join(wheel).join("lib")))
    });
    let toolkits = children(Path::new("/usr/local"), "cuda")
        .into_iter()
        .map(|toolkit| toolkit.join("lib64"));
    wheels.chain(toolkits).filter(|folder| folder.is_dir()).collect()
}

/// Entries of `folder` whose names begin with `prefix`, the last by name first: the newest version.
fn children(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    let mut paths: Vec<_> = named.map(|entry| entry.path()).collect();
    paths.sort();
    paths.reverse();
    paths
}
