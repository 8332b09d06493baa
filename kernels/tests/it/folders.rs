//! The rules of workload folders, and that the walker which enforces them notices every breach.
//!
//! A folder with a module file beside it, `tree/` of `tree.rs`, is shared code: its device code comes in the same pairs, and
//! it is no workload.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kernels::workload::Kind;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

const SPIRV_MAGIC: [u8; 4] = 0x0723_0203_u32.to_le_bytes();

/// Folders below `src` with a file of a workload, then those with device code that is shared.
fn all_folders(sources: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = fs::read_dir(sources).expect("a source folder");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut folders: Vec<PathBuf> = paths
        .filter(|path| path.is_dir() && holds_a_workload(path))
        .collect();
    folders.sort();
    folders
        .into_iter()
        .partition(|folder| folder.join("mod.rs").exists() || !folder.with_extension("rs").exists())
}

fn folders(sources: &Path) -> Vec<PathBuf> {
    all_folders(sources).0
}

/// Any file of a workload makes the folder one, so that a missing `mod.rs` is noticed too.
fn holds_a_workload(folder: &Path) -> bool {
    ["mod.rs", "reference.rs", "launch.rs"]
        .iter()
        .any(|file| folder.join(file).exists())
        || !stems(folder, "cu").is_empty()
        || !stems(folder, "comp").is_empty()
}

fn stems(folder: &Path, extension: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

/// What is wrong with the workload folders below `sources`, one sentence each.
fn breaches(sources: &Path) -> Vec<String> {
    let text = |file: &str| fs::read_to_string(sources.join(file)).unwrap_or_default();
    let (root, catalogue) = (text("lib.rs"), text("catalogue.rs"));
    let mut breaches = Vec::new();
    for folder in folders(sources) {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        if !root.lines().any(|line| line == format!("mod {name};")) {
            breaches.push(format!("{name}: no `mod` line in lib.rs"));
        }
        if !catalogue.contains(&format!("&crate::{name}::WORKLOAD,")) {
            breaches.push(format!("{name}: no line in catalogue.rs"));
        }
        if copies(name) {
            continue;
        }
        // A composite runs the kernels of other workloads.
        let composite = folder.join("stages.rs").exists();
        let files = match composite {
            true => &["mod.rs", "reference.rs"][..],
            false => &["mod.rs", "reference.rs", "cpu.rs", "launch.rs"],
        };
        for file in files {
            if !folder.join(file).exists() {
                breaches.push(format!("{name}: no {file}"));
            }
        }
        for source in ["cu", "comp"] {
            if !composite && !stems(&folder, source).contains(name) {
                breaches.push(format!("{name}: no {name}.{source}"));
            }
        }
        breaches.extend(code_breaches(&folder, name));
    }
    for folder in all_folders(sources).1 {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        breaches.extend(code_breaches(&folder, name));
    }
    breaches
}

/// Whether the workload is a copy between host and device, which no code of its own makes.
fn copies(folder: &str) -> bool {
    let id = format!("{}.v1", folder.replace('_', "."));
    let found = kernels::catalogue::find(&id);
    found.is_some_and(|workload| matches!(workload.kind, Kind::Upload | Kind::Download))
}

/// Sources without compiled code, compiled code without a source, and compiled code that is none.
fn code_breaches(folder: &Path, name: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    for (source, compiled) in [("cu", "ptx"), ("comp", "spv")] {
        let (sources, outputs) = (stems(folder, source), stems(folder, compiled));
        for stem in sources.symmetric_difference(&outputs) {
            breaches.push(format!("{name}: {stem} lacks its .{source} or its .{compiled}"));
        }
        for stem in &outputs {
            let code = fs::read(folder.join(format!("{stem}.{compiled}"))).expect("readable");
            if !is_device_code(compiled, stem, &code) {
                breaches.push(format!("{name}: {stem}.{compiled} is not device code"));
            }
        }
    }
    breaches
}

fn is_device_code(kind: &str, stem: &str, code: &[u8]) -> bool {
    match kind {
        "spv" => code.len() > 20 && code.len().is_multiple_of(4) && code.starts_with(&SPIRV_MAGIC),
        _ => String::from_utf8_lossy(code)
            .lines()
            .any(|line| line.contains(".entry") && line.contains(stem)),
    }
}

#[test]
fn every_workload_folder_is_whole_and_registered() {
    let sources = Path::new(SOURCES);
    assert_eq!(folders(sources).len(), kernels::catalogue::WORKLOADS.len());
    assert_eq!(breaches(sources), Vec::<String>::new());
}

/// A folder that keeps every rule, in a source tree of its own.
fn sound_tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().expect("a temporary folder");
    let write = |file: &str, content: &[u8]| {
        fs::write(tree.path().join(file), content).expect("writable");
    };
    fs::create_dir(tree.path().join("sum")).expect("writable");
    write("lib.rs", b"mod sum;\n");
    write("catalogue.rs", b"    &crate::sum::WORKLOAD,\n");
    for file in [
        "mod.rs",
        "reference.rs",
        "cpu.rs",
        "launch.rs",
        "sum.cu",
        "sum.comp",
    ] {
        write(&format!("sum/{file}"), b"");
    }
    write("sum/sum.ptx", b".visible .entry sum(\n");
    write("sum/sum.spv", &[&SPIRV_MAGIC[..], &[0; 20]].concat());
    tree
}

#[test]
fn a_sound_folder_has_no_breach() {
    assert_eq!(breaches(sound_tree().path()), Vec::<String>::new());
}

#[test]
fn every_missing_file_is_a_breach() {
    for file in [
        "mod.rs",
        "reference.rs",
        "cpu.rs",
        "launch.rs",
        "sum.cu",
        "sum.ptx",
        "sum.comp",
        "sum.spv",
    ] {
        let tree = sound_tree();
        fs::remove_file(tree.path().join("sum").join(file)).expect("there");
        assert!(!breaches(tree.path()).is_empty(), "without {file}");
    }
}

#[test]
fn shared_device_code_is_no_workload_and_comes_in_pairs() {
    let tree = sound_tree();
    let write = |file: &str, content: &[u8]| fs::write(tree.path().join(file), content).expect("writable");
    fs::create_dir(tree.path().join("shared")).expect("writable");
    write("shared.rs", b"");
    write("shared/hash.cu", b"");
    write("shared/hash.ptx", b".visible .entry hash(\n");
    assert_eq!(breaches(tree.path()), Vec::<String>::new());
    assert_eq!(folders(tree.path()).len(), 1);
    write("shared/hash.comp", b"");
    assert_eq!(
        breaches(tree.path()),
        ["shared: hash lacks its .comp or its .spv"]
    );
    fs::remove_file(tree.path().join("shared/hash.comp")).expect("there");
    fs::remove_file(tree.path().join("shared.rs")).expect("there");
    assert!(
        !breaches(tree.path()).is_empty(),
        "without its module it is a workload's"
    );
}

#[test]
fn an_unregistered_folder_and_empty_code_are_breaches() {
    for file in ["lib.rs", "catalogue.rs", "sum/sum.ptx", "sum/sum.spv"] {
        let tree = sound_tree();
        fs::write(tree.path().join(file), b"").expect("writable");
        assert_eq!(breaches(tree.path()).len(), 1, "with an empty {file}");
    }
}

/// Code outside a workload's folder that names its module or its id, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("attest/src/exact/gemm.rs", "owns the arithmetic of that name"),
    (
        "attest/src/exact/outputs.rs",
        "recomputes exact outputs without the kernels",
    ),
    ("attest/src/proof/work.rs", "checks proofs without the kernels"),
    ("attest/tests/it/vectors.rs", "tests the arithmetic of that name"),
    (
        "kernels/src/generate/network.rs",
        "runs a user's network on the kernels of that name",
    ),
    (
        "kernels/src/generate/network/prompt.rs",
        "runs a user's network on the kernels of that name",
    ),
    (
        "kernels/src/generate/network/token.rs",
        "runs a user's network on the kernels of that name",
    ),
    ("kernels/tests/it/packed_dot.rs", "expects kernels by their names"),
    ("registry/tests/it/sample.rs", "a made-up statement"),
    ("reports/tests/it/sample/mod.rs", "a made-up statement"),
];

/// Adding a workload touches its folder, one `mod` line and one line of the catalogue: no other code names its module.
/// Tests and benches may ask the catalogue for an id, and comments give examples.
#[test]
fn no_code_outside_its_folder_names_a_workload() {
    let root = Path::new(SOURCES)
        .parent()
        .and_then(Path::parent)
        .expect("the workspace");
    let folders = folders(Path::new(SOURCES));
    let names: Vec<&str> = folders
        .iter()
        .filter_map(|folder| folder.file_name()?.to_str())
        .collect();
    let ids = kernels::catalogue::WORKLOADS
        .iter()
        .map(|workload| &workload.spec.id);
    let ids: Vec<String> = ids.map(|id| format!("\"{id}\"")).collect();
    let mut found = BTreeSet::new();
    for member in ["attest", "bench", "ci", "kernels", "registry", "reports"] {
        for part in ["src", "tests", "benches"] {
            for file in rust_files(&root.join(member).join(part)) {
                let quoted: &[String] = if part == "src" { &ids } else { &[] };
                let inside = folders.iter().any(|folder| file.starts_with(folder));
                if !inside && !mentions(&file, &names, quoted).is_empty() {
                    found.insert(file.strip_prefix(root).expect("below").to_owned());
                }
            }
        }
    }
    let listing = ["kernels/src/lib.rs", "kernels/src/catalogue.rs"].map(PathBuf::from);
    let excepted = EXCEPTIONS.iter().map(|(path, _)| PathBuf::from(path));
    assert_eq!(found, listing.into_iter().chain(excepted).collect());
}

#[test]
fn each_listing_names_a_workload_once() {
    for folder in folders(Path::new(SOURCES)) {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        for (file, line) in [
            ("lib.rs", format!("mod {name};")),
            ("catalogue.rs", format!("&crate::{name}::WORKLOAD,")),
        ] {
            assert_eq!(mentions(&Path::new(SOURCES).join(file), &[name], &[]), [line]);
        }
    }
}

#[test]
fn a_mention_is_a_whole_name_in_code() {
    let tree = tempfile::tempdir().expect("a temporary folder");
    let file = tree.path().join("code.rs");
    let found = |text: &str| {
        fs::write(&file, text).expect("writable");
        mentions(&file, &["sum"], &["\"sum.v1\"".to_owned()]).len()
    };
    assert_eq!(
        found("use crate::sum::of;\nlet path = \"sum/sum.spv\";\nfind(\"sum.v1\")"),
        3
    );
    assert_eq!(found("let sums = sum_of(x);\n    // the sum\n"), 0);
    assert_eq!(found("#[cfg(test)]\nuse crate::sum::of;"), 0);
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("readable").path());
    let (folders, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    let rust = files
        .into_iter()
        .filter(|file| file.extension().is_some_and(|found| found == "rs"));
    rust.chain(folders.iter().flat_map(|folder| rust_files(folder)))
        .collect()
}

/// Lines of code, before the file's tests, that hold one of `names` as a whole word or one of `quoted`; comments may give
/// examples.
fn mentions(file: &Path, names: &[&str], quoted: &[String]) -> Vec<String> {
    let text = fs::read_to_string(file).expect("UTF-8");
    let code = text
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .map(str::trim);
    let word = |line: &str| {
        let mut words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        words.any(|word| names.contains(&word))
    };
    code.filter(|line| !line.starts_with("//"))
        .filter(|line| word(line) || quoted.iter().any(|id| line.contains(id.as_str())))
        .map(str::to_owned)
        .collect()
}
