//! Documents that must be refused, each for one stated cause.
//!
//! Every folder of `attest/testdata/must-fail` holds a document, `input`, and `case.json`: what kind of document it is,
//! why nobody may accept it, and the error it must end in. `cargo run --release -p hallmark-attest --example fixtures` writes
//! them anew; they are the same bytes each time.

mod cases;
mod envelopes;
mod receipts;
mod statements;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use attest::checkpoint::Checkpoint;
use attest::dsse::Envelope;
use attest::key::P256;
use attest::statement::Statement;
use attest::verify::{verify_receipt, verify_receipt_after};
pub(crate) use cases::{Case, Kind, Manifest};

use crate::log;
use crate::sample;

/// Every case, whoever lists it.
pub(crate) fn all() -> Vec<Case> {
    [envelopes::cases(), statements::cases(), receipts::cases()].concat()
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/must-fail")
}

/// Reads a document as its user would, to the end or to its error.
fn outcome(kind: Kind, input: &[u8]) -> Result<(), String> {
    match kind {
        Kind::Envelope => envelope(input),
        Kind::Receipt => receipt(input, None),
        Kind::ReceiptAfterCheckpoint => receipt(input, Some(&log::Log::of(log::SIZE).state(log::ORIGIN))),
    }
}

fn receipt(input: &[u8], seen: Option<&Checkpoint>) -> Result<(), String> {
    let (root, key) = (log::trusted_root(), sample::provider());
    match seen {
        None => verify_receipt(input, &root, Some(key.public())),
        Some(seen) => verify_receipt_after(input, &root, Some(key.public()), seen),
    }
    .map(drop)
    .map_err(|error| error.to_string())
}

fn envelope(input: &[u8]) -> Result<(), String> {
    let verified = Envelope::parse(input)
        .and_then(|envelope| envelope.open(sample::provider().public(), &P256))
        .map_err(|error| error.to_string())?;
    Statement::read(&verified)
        .map(drop)
        .map_err(|error| error.to_string())
}

#[test]
fn the_sound_document_of_each_kind_is_accepted() {
    for run in [sample::small(), sample::two_devices()] {
        assert_eq!(outcome(Kind::Envelope, &sample::envelope(&run).to_json()), Ok(()));
    }
    for kind in [Kind::Receipt, Kind::ReceiptAfterCheckpoint] {
        assert_eq!(
            outcome(kind, &log::Log::of(log::SIZE).receipt(log::SMALL)),
            Ok(())
        );
    }
}

/// What a fixture's folder says against itself: accepted, or refused for another cause.
pub(crate) fn complaint(path: &Path) -> Option<String> {
    let manifest: Manifest =
        serde_json::from_slice(&std::fs::read(path.join("case.json")).expect("case.json"))
            .expect("a manifest");
    let input = std::fs::read(path.join("input")).expect("input");
    let got = outcome(manifest.kind, &input);
    let want = Err(manifest.error);
    let (name, why) = (path.display(), manifest.why);
    (got != want || why.is_empty()).then(|| format!("{name}: {why}\n  want {want:?}\n  got  {got:?}"))
}

#[test]
fn every_fixture_is_refused_for_its_stated_cause() {
    let paths: Vec<_> = std::fs::read_dir(folder())
        .expect("the fixtures")
        .map(|entry| entry.expect("a folder").path())
        .collect();
    assert!(paths.len() >= 40, "{} fixtures are left", paths.len());
    let complaints: Vec<_> = paths.iter().filter_map(|path| complaint(path)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_fixtures_are_those_of_the_list() {
    let names: BTreeSet<String> = std::fs::read_dir(folder())
        .expect("the fixtures")
        .map(|entry| entry.expect("a folder").file_name().into_string().expect("ASCII"))
        .collect();
    let listed: BTreeSet<String> = all().iter().map(|case| case.name.to_owned()).collect();
    assert_eq!(
        names, listed,
        "run: cargo run --release -p hallmark-attest --example fixtures"
    );
    for case in all() {
        let path = folder().join(case.name);
        let written = |file| std::fs::read(path.join(file)).expect("a file of the fixture");
        assert!(written("input") == case.input, "{} is not current", case.name);
        assert_eq!(written("case.json"), case.manifest(), "{}", case.name);
    }
}
