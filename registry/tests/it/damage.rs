//! fsck finds what anyone may do to a registry's files.

use std::fs;
use std::path::Path;

use registry::{Config, FsckReport, fsck, start};

use crate::bench::{config, key};
use crate::sample::sample;
use crate::wire::Wire;

const ENTRIES: u64 = 270;

fn filled(config: &Config) {
    let running = start(config.clone()).unwrap();
    let address = running.address();
    std::thread::scope(|scope| {
        for client in 0..6 {
            scope.spawn(move || {
                let (mut wire, key) = (Wire::connect(address).unwrap(), key());
                for number in 0..ENTRIES / 6 {
                    let answer = wire.post(&sample(client * 1_000 + number, &key).body).unwrap();
                    assert_eq!(answer.status, 201);
                }
            });
        }
    });
    running.stop().unwrap();
}

fn sql(folder: &Path, statement: &str) {
    let database = rusqlite::Connection::open(folder.join("registry.sqlite")).unwrap();
    database.execute_batch(statement).unwrap();
}

fn checked(folder: &Path) -> FsckReport {
    fsck(folder).unwrap()
}

#[test]
fn every_kind_of_damage_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    filled(&config);
    let sound = checked(&config.data);
    assert!(
        sound.is_sound() && sound.entries == ENTRIES && sound.tiles == 3,
        "{sound}"
    );
    assert!(
        sound
            .to_string()
            .ends_with("sound        every entry, tile, checkpoint, attempt and proof agrees"),
        "{sound}"
    );
    let database = config.data.join("registry.sqlite");
    let whole = fs::read(&database).unwrap();
    for (damage, finding) in [
        (
            "UPDATE entries SET leaf = zeroblob(400) WHERE idx = 3",
            "entry 3: the leaf is not of the payload",
        ),
        ("DELETE FROM entries WHERE idx = 5", "entry 5 is missing"),
        ("DELETE FROM entries WHERE idx = 269", "entry 269 is missing"),
        ("DELETE FROM payloads WHERE idx = 7", "entry 7 has no payload"),
        (
            "UPDATE payloads SET payload = CAST(replace(CAST(payload AS TEXT), 'smoke', 'snoke') AS BLOB) WHERE idx = 8",
            "entry 8: ",
        ),
        (
            "UPDATE payloads SET payload = (SELECT payload FROM payloads WHERE idx = 10) WHERE idx = 9",
            "entry 9: ",
        ),
        (
            "UPDATE entries SET digest = zeroblob(32) WHERE idx = 11",
            "entry 11: it is filed under another digest or key",
        ),
        (
            "UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND number = 0",
            "tile/0/000 differs",
        ),
        (
            "UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND number = 1",
            "tile/0/001.p/14 differs",
        ),
        ("DELETE FROM tiles WHERE level = 1", "tile/1/000.p/1 is missing"),
        ("UPDATE head SET root = zeroblob(32)", "the head's root is 0000"),
        ("UPDATE head SET note = 'x'", "the head's checkpoint: "),
        (
            "UPDATE head SET size = 260",
            "entries lie at or beyond the head of 260",
        ),
        (
            "UPDATE notes SET note = (SELECT note FROM head) WHERE size = (SELECT min(size) FROM notes WHERE size > 0)",
            "its checkpoint covers 270 entries",
        ),
        (
            "UPDATE notes SET note = replace(note, 'log.test', 'log.tset') WHERE size = 270",
            "the checkpoint of 270 entries: ",
        ),
    ] {
        sql(&config.data, damage);
        let report = checked(&config.data);
        assert!(
            report.findings.iter().any(|found| found.contains(finding)),
            "{damage}:\n{report}"
        );
        assert!(report.to_string().contains("NOT SOUND"), "{report}");
        fs::write(&database, &whole).unwrap();
        for journal in ["registry.sqlite-wal", "registry.sqlite-shm"] {
            let _ = fs::remove_file(config.data.join(journal));
        }
    }
    assert!(checked(&config.data).is_sound());
}

#[test]
fn a_checkpoint_outside_that_disagrees_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    filled(&config);
    let path = config.data.join("checkpoint");
    let note = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(
        checked(&config.data)
            .to_string()
            .contains("outside the database is missing")
    );
    fs::write(&path, b"rubbish").unwrap();
    assert!(!checked(&config.data).is_sound());
    fs::write(&path, note).unwrap();
    sql(
        &config.data,
        "UPDATE head SET size = 1, note = (SELECT note FROM notes WHERE size = (SELECT max(size) FROM notes))",
    );
    let report = checked(&config.data);
    assert!(
        report
            .findings
            .iter()
            .any(|found| found.contains("behind the 270 of the outside checkpoint")),
        "{report}"
    );
}

#[test]
fn a_serving_registry_can_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let running = start(config.clone()).unwrap();
    let address = running.address();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let (mut wire, key) = (Wire::connect(address).unwrap(), key());
            for number in 0..120 {
                assert_eq!(wire.post(&sample(number, &key).body).unwrap().status, 201);
            }
        });
        for _ in 0..10 {
            let report = checked(&config.data);
            assert!(report.is_sound(), "{report}");
        }
    });
    assert_eq!(checked(&config.data).entries, 120);
}
