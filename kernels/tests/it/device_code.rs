//! Committed device code is what its sources were compiled to, by the digests that `ci/device-code` wrote.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use attest::digest::Sha256;
use serde_json::Value;

/// The list in each folder of sources.
const LIST: &str = "device-code.json";

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What is wrong with the device code below `root`, one sentence each.
fn breaches(root: &Path) -> Vec<String> {
    let code = files(&root.join("kernels"));
    let mut unlisted: BTreeSet<String> = code
        .iter()
        .filter(|path| is_device_code(path))
        .map(|path| {
            path.strip_prefix(root)
                .expect("below the root")
                .display()
                .to_string()
        })
        .collect();
    let mut breaches = Vec::new();
    for entry in code.iter().filter(|path| path.ends_with(LIST)).flat_map(entries) {
        let prelude = entry.get("prelude").map(|_| ("prelude", "preludeSha256"));
        let named = [("source", "sourceSha256"), ("compiled", "compiledSha256")];
        for (path, digest) in named.into_iter().chain(prelude) {
            let path = entry[path].as_str().expect("a path");
            unlisted.remove(path);
            let content = fs::read(root.join(path)).unwrap_or_default();
            if Some(Sha256::of(&content).to_string().as_str()) != entry[digest].as_str() {
                breaches.push(format!("{path} is not what ci/device-code left: run it again"));
            }
        }
    }
    breaches.extend(
        unlisted
            .iter()
            .map(|path| format!("{path} is unknown to device-code.json: run ci/device-code")),
    );
    breaches
}

/// What one list notes of its folder's code.
fn entries(list: &PathBuf) -> Vec<Value> {
    let mut list: Value = serde_json::from_slice(&fs::read(list).expect("readable")).expect("JSON");
    serde_json::from_value(list["files"].take()).expect("a list of files")
}

/// A source, a prelude or compiled code.
fn is_device_code(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("cu" | "cuh" | "comp" | "glsl" | "ptx" | "spv"))
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let (folders, found): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    found
        .into_iter()
        .chain(folders.iter().flat_map(|folder| files(folder)))
        .collect()
}

#[test]
fn device_code_is_what_its_sources_were_compiled_to() {
    assert_eq!(breaches(Path::new(ROOT)), Vec::<String>::new());
}

#[test]
fn an_edited_a_missing_and_an_unlisted_file_are_breaches() {
    let tree = tempfile::tempdir().expect("a folder");
    let write = |path: &str, content: &str| fs::write(tree.path().join(path), content).expect("writable");
    fs::create_dir(tree.path().join("kernels")).expect("writable");
    write("kernels/one.cu", "source");
    write("kernels/one.cuh", "prelude");
    write("kernels/one.ptx", "compiled");
    let list = serde_json::json!({ "files": [{
        "source": "kernels/one.cu",
        "sourceSha256": Sha256::of(b"source").to_string(),
        "prelude": "kernels/one.cuh",
        "preludeSha256": Sha256::of(b"prelude").to_string(),
        "compiled": "kernels/one.ptx",
        "compiledSha256": Sha256::of(b"compiled").to_string(),
    }]});
    write("kernels/device-code.json", &list.to_string());
    assert_eq!(breaches(tree.path()), Vec::<String>::new());

    write("kernels/one.cu", "source, edited");
    assert!(breaches(tree.path())[0].contains("one.cu"));
    write("kernels/one.cu", "source");
    write("kernels/one.cuh", "prelude, edited");
    assert!(breaches(tree.path())[0].contains("one.cuh"));
    write("kernels/one.cuh", "prelude");
    write("kernels/two.comp", "");
    assert!(breaches(tree.path())[0].contains("two.comp is unknown"));
    fs::remove_file(tree.path().join("kernels/two.comp")).expect("there");
    fs::remove_file(tree.path().join("kernels/one.ptx")).expect("there");
    assert!(breaches(tree.path())[0].contains("one.ptx"));
}
