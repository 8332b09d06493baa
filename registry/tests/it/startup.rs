//! What a registry refuses to start on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use registry::{Config, start};

use crate::bench::{config, key};
use crate::sample::sample;
use crate::wire::Wire;

/// Serves the folder once and logs these statements.
fn log(config: &Config, numbers: impl IntoIterator<Item = u64>) {
    let running = start(config.clone()).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    let key = key();
    for number in numbers {
        assert_eq!(wire.post(&sample(number, &key).body).unwrap().status, 201);
    }
    running.stop().unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The refusal, which must come with a next step.
fn refusal(config: &Config) -> String {
    let error = start(config.clone()).err().expect("a refusal").to_string();
    assert!(error.len() > 40, "{error}");
    error
}

#[test]
fn a_second_serve_on_the_same_data_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let running = start(config.clone()).unwrap();
    let error = refusal(&config);
    assert!(
        error.contains(&format!("is already served by process {}", std::process::id())),
        "{error}"
    );
    let mut wire = Wire::connect(running.address()).unwrap();
    assert_eq!(wire.post(&sample(1, &key()).body).unwrap().status, 201);
    running.stop().unwrap();
    log(&config, [2]);
}

#[test]
fn a_taken_port_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let running = start(config(&folder)).unwrap();
    let mut second = config(&other);
    second.listen = running.address();
    assert!(refusal(&second).starts_with(&format!("cannot listen on {}", running.address())));
}

#[test]
fn a_log_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    log(&config, 0..260);
    log(&config, 260..300);
    log(&config, []);
    let report = registry::fsck(&config.data).unwrap();
    assert!(report.is_sound() && report.entries == 300, "{report}");
}

#[test]
fn a_database_restored_from_before_the_last_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    log(&config, [1]);
    let backup = folder.path().join("backup");
    copy(&config.data, &backup);
    log(&config, [2]);
    fs::copy(
        backup.join("registry.sqlite"),
        config.data.join("registry.sqlite"),
    )
    .unwrap();
    let error = refusal(&config);
    assert!(
        error.contains("it holds 1 entries, the checkpoint kept outside it covers 2"),
        "{error}"
    );
    fs::remove_file(config.data.join("registry.sqlite")).unwrap();
    let error = refusal(&config);
    assert!(error.contains("it holds 0 entries"), "{error}");
}

#[test]
fn a_database_of_another_history_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ours = config(&folder);
    log(&ours, [1]);
    let mut theirs = ours.clone();
    theirs.data = folder.path().join("theirs");
    copy(&ours.data, &theirs.data);
    log(&ours, [2]);
    log(&theirs, [3, 4]);
    fs::copy(ours.data.join("checkpoint"), theirs.data.join("checkpoint")).unwrap();
    let error = refusal(&theirs);
    assert!(error.contains("disagree on the first 2 entries"), "{error}");
}

#[test]
fn a_missing_or_altered_outside_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    log(&config, [1]);
    let path = config.data.join("checkpoint");
    let note = fs::read_to_string(&path).unwrap();
    fs::write(&path, note.replacen("\n1\n", "\n0\n", 1)).unwrap();
    assert!(refusal(&config).contains("checkpoint"));
    fs::remove_file(&path).unwrap();
    let error = refusal(&config);
    assert!(
        error.contains("is missing while the log holds 1 entries"),
        "{error}"
    );
    fs::write(&path, note).unwrap();
    log(&config, [2]);
}

#[test]
fn keys_are_made_once_private_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    log(&config, [1]);
    let path = config.data.join("keys/log.pem");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&config.data)), (0o600, 0o700));
    let pem = fs::read(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal(&config).contains("can be read by others (mode 644)"));
    fs::remove_file(&path).unwrap();
    let error = refusal(&config);
    assert!(
        error.contains("the log has begun but its keys are missing"),
        "{error}"
    );
    assert!(!path.exists(), "no new key takes the old one's place");
    fs::write(&path, &pem[..pem.len() / 2]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(refusal(&config).contains("log.pem cannot be used"));
    fs::write(&path, &pem).unwrap();
    log(&config, [2]);
}

#[test]
fn data_of_another_origin_or_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    log(&config, [1]);
    let mut other = config.clone();
    other.origin = "elsewhere.test/log".to_owned();
    let error = refusal(&other);
    assert!(
        error.contains("belongs to the log \"log.test/hallmark\", not to \"elsewhere.test/log\""),
        "{error}"
    );

    let mut foreign = config.clone();
    foreign.data = folder.path().join("foreign");
    fs::create_dir(&foreign.data).unwrap();
    let database = rusqlite::Connection::open(foreign.data.join("registry.sqlite")).unwrap();
    database.execute_batch("CREATE TABLE wine (name TEXT)").unwrap();
    drop(database);
    assert!(refusal(&foreign).contains("not one of a Hallmark registry"));
    fs::write(foreign.data.join("registry.sqlite"), vec![7; 8192]).unwrap();
    assert!(refusal(&foreign).contains("not a database"));
}

#[test]
fn an_unusable_origin_is_refused_before_anything_is_signed() {
    for origin in ["", "two words", "a+b"] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config.origin = origin.to_owned();
        assert!(start(config).is_err(), "{origin:?}");
    }
}
