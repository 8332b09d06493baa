//! Stops, failures and older databases.

use registry::{Config, fsck, start, start_with};

use super::{STAGES, Stage, bring, free, slug};
use crate::bench::{config, key};
use crate::flaky::{Break, Point, Switch};
use crate::prover::{Held, SMALL, open, request};
use crate::wire::Wire;

fn free_config(folder: &tempfile::TempDir) -> Config {
    let mut config = config(folder);
    free(&mut config);
    config
}

fn sound(config: &Config, entries: u64, attempts: u64) {
    let report = fsck(&config.data).unwrap();
    assert!(
        report.is_sound() && (report.entries, report.attempts) == (entries, attempts),
        "{report}"
    );
}

#[test]
fn a_restart_goes_on_where_it_can_and_ends_what_has_lost_its_clock() {
    let folder = tempfile::tempdir().unwrap();
    let config = free_config(&folder);
    let key = key();
    let running = start(config.clone()).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    let held = STAGES.map(|stage| bring(&mut wire, &key, stage));
    running.stop().unwrap();
    sound(&config, 5, 4);

    let running = start(config.clone()).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    let [opened, started, committed, ended] = held;
    let lost = started.0.wait(&mut wire, "ended");
    assert_eq!(lost["verdict"]["outcome"], "aborted");
    assert_eq!(
        lost["verdict"]["reason"],
        "the registry stopped while its clock ran"
    );
    assert_eq!(
        started.0.commit(&mut wire, &key, 0, &started.1[0]).status,
        409,
        "no clock, no commitment"
    );
    let done = opened.0.start(&mut wire, &key, &[SMALL]);
    assert_eq!(opened.0.commit(&mut wire, &key, 0, &done[0]).status, 200);
    for (held, done) in [
        (&opened.0, &done),
        (&committed.0, &committed.1),
        (&ended.0, &ended.1),
    ] {
        let body = held.openings(&mut wire, done);
        assert_eq!(held.post(&mut wire, "/openings", &body).status, 200);
        assert_eq!(held.shown(&mut wire)["verdict"]["outcome"], "proven");
    }
    running.stop().unwrap();
    sound(&config, 8, 4);
}

#[test]
fn what_was_on_its_way_into_the_log_arrives_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = free_config(&folder);
    let key = key();
    let switch = Switch::default();
    let running = start_with(config.clone(), switch.storage(&config)).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    let asked = request(&mut wire, &[SMALL]);
    let (judged, done) = bring(&mut wire, &key, Stage::Committed);
    let (given_up, _) = bring(&mut wire, &key, Stage::Started);
    let body = judged.openings(&mut wire, &done);
    switch.set(Some(Break {
        point: Point::Outside,
        persisted: false,
    }));
    for answer in [
        open(&mut wire, &asked, &key),
        judged.post(&mut wire, "/openings", &body),
        given_up.post(&mut wire, "/abort", b""),
    ] {
        assert_eq!(slug(&answer), (503, "not-recorded".to_owned()));
    }
    assert_eq!(judged.shown(&mut wire)["state"], "judged");
    running.stop().unwrap();

    let running = start(config.clone()).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    for (held, outcome) in [(judged, "proven"), (given_up, "aborted")] {
        assert_eq!(held.wait(&mut wire, "ended")["verdict"]["outcome"], outcome);
    }
    let opened = Held::of(&open(&mut wire, &asked, &key));
    assert_eq!(opened.post(&mut wire, "/start", b"").status, 200);
    running.stop().unwrap();
    sound(&config, 5, 3);
}

#[test]
fn every_change_of_a_session_may_fail_done_or_not_and_none_is_lost_or_judged_twice() {
    for persisted in [false, true] {
        for (stage, point) in [
            (None, Point::Insert),
            (None, Point::Swap),
            (Some(Stage::Opened), Point::Swap),
            (Some(Stage::Started), Point::Swap),
            (Some(Stage::Committed), Point::Swap),
        ] {
            walk(stage, Break { point, persisted });
        }
    }
}

/// The step after `stage` fails, the disk heals, and the attempt must end with one verdict.
fn walk(stage: Option<Stage>, broken: Break) {
    let what = format!("{stage:?} {broken:?}");
    let folder = tempfile::tempdir().unwrap();
    let config = free_config(&folder);
    let (switch, key) = (Switch::default(), key());
    let running = start_with(config.clone(), switch.storage(&config)).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    let asked = request(&mut wire, &[SMALL]);
    let brought = stage.map(|stage| bring(&mut wire, &key, stage));
    let openings = match (&brought, stage) {
        (Some((held, done)), Some(Stage::Committed)) => held.openings(&mut wire, done),
        _ => Vec::new(),
    };
    switch.set(Some(broken));
    let failed = match (&brought, stage) {
        (Some((held, _)), Some(Stage::Opened)) => held.post(&mut wire, "/start", b""),
        (Some((held, done)), Some(Stage::Started)) => held.commit(&mut wire, &key, 0, &done[0]),
        (Some((held, _)), _) => held.post(&mut wire, "/openings", &openings),
        (None, _) => open(&mut wire, &asked, &key),
    };
    assert_eq!(failed.status, 503, "{what}: {}", failed.text());
    switch.set(None);
    let held = match brought {
        Some((held, _)) => held,
        None => Held::of(&open(&mut wire, &asked, &key)),
    };
    // The clock of a start that was not answered never ran.
    let lost = stage == Some(Stage::Opened) && broken.persisted;
    if lost {
        let shown = held.wait(&mut wire, "ended");
        assert_eq!(shown["verdict"]["outcome"], "aborted", "{what}: {shown}");
    } else {
        finish(&mut wire, &held, &key, stage, &openings, &what);
    }
    running.stop().unwrap();
    sound(&config, 2, 1);
}

/// Ends the attempt by the step that failed, or by giving up where that must not be repeated.
fn finish(
    wire: &mut Wire,
    held: &Held,
    key: &attest::key::SigningKey,
    stage: Option<Stage>,
    openings: &[u8],
    what: &str,
) {
    if stage == Some(Stage::Committed) {
        let started = std::time::Instant::now();
        loop {
            let answer = held.post(wire, "/openings", openings);
            if answer.status == 200 {
                break;
            }
            assert!(started.elapsed().as_secs() < 10, "{what}: {}", answer.text());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(held.shown(wire)["verdict"]["outcome"], "proven", "{what}");
        return;
    }
    if stage == Some(Stage::Opened) || stage.is_none() {
        let done = held.start(wire, key, &[SMALL]);
        assert_eq!(held.commit(wire, key, 0, &done[0]).status, 200, "{what}");
    }
    assert_eq!(held.post(wire, "/abort", b"").status, 200, "{what}");
    assert_eq!(held.shown(wire)["verdict"]["outcome"], "aborted", "{what}");
}

#[test]
fn an_older_database_is_brought_up_to_date_and_a_newer_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = free_config(&folder);
    let key = key();
    let running = start(config.clone()).unwrap();
    let sample = crate::sample::sample(1, &key);
    let before = Wire::connect(running.address())
        .unwrap()
        .post(&sample.body)
        .unwrap();
    running.stop().unwrap();
    let database = config.data.join("registry.sqlite");
    let sql = |statements: &str| {
        rusqlite::Connection::open(&database)
            .unwrap()
            .execute_batch(statements)
            .unwrap();
    };
    sql(
        "DROP TABLE sessions; DROP INDEX entries_kind; ALTER TABLE entries DROP COLUMN kind; \
         ALTER TABLE entries DROP COLUMN evidence; ALTER TABLE entries DROP COLUMN support; PRAGMA user_version = 1",
    );
    let refused = fsck(&config.data).unwrap_err().to_string();
    assert!(
        refused.contains("older format 1, not 2") && refused.contains("hallmark serve"),
        "{refused}"
    );
    let running = start(config.clone()).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    let again = wire.post(&sample.body).unwrap();
    assert!(again.status == 200 && again.body == before.body);
    let (held, _) = bring(&mut wire, &key, Stage::Ended);
    assert_eq!(held.shown(&mut wire)["logIndex"], 1);
    running.stop().unwrap();
    sound(&config, 3, 1);
    sql("PRAGMA user_version = 3");
    let refused = start(config.clone()).err().unwrap().to_string();
    assert!(
        refused.contains("format 3, this program reads format 2"),
        "{refused}"
    );
}

#[test]
fn damage_to_a_session_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = free_config(&folder);
    let key = key();
    let running = start(config.clone()).unwrap();
    let mut wire = Wire::connect(running.address()).unwrap();
    bring(&mut wire, &key, Stage::Ended);
    bring(&mut wire, &key, Stage::Ended);
    running.stop().unwrap();
    let database = config.data.join("registry.sqlite");
    let whole = std::fs::read(&database).unwrap();
    for (damage, finding) in [
        (
            "DELETE FROM sessions WHERE number = 1",
            "entry 0: the session of the attempt",
        ),
        (
            "UPDATE sessions SET verdict = CAST(replace(CAST(verdict AS TEXT), 'proven', 'wrong') AS BLOB) WHERE number = 1",
            "has another verdict",
        ),
        (
            "UPDATE sessions SET state = 4, verdict = NULL WHERE number = 1",
            "its verdict is missing",
        ),
        (
            "UPDATE sessions SET attempt_index = 1 WHERE number = 1",
            "its attempt is not in the log",
        ),
        (
            "UPDATE sessions SET verdict_index = 3 WHERE number = 1",
            "its verdict is not in the log",
        ),
        (
            "UPDATE sessions SET session = replace(session, '\"lane\":', '\"lane\":1') WHERE number = 1",
            "another session",
        ),
        (
            "UPDATE sessions SET key_id = zeroblob(32) WHERE number = 1",
            "another key or request",
        ),
        (
            "UPDATE sessions SET id = zeroblob(32) WHERE number = 1",
            "another id",
        ),
        ("UPDATE entries SET kind = 0 WHERE idx = 0", "entry 0: "),
        ("UPDATE entries SET kind = 2 WHERE idx = 0", "entry 0: "),
    ] {
        rusqlite::Connection::open(&database)
            .unwrap()
            .execute_batch(damage)
            .unwrap();
        let report = fsck(&config.data).unwrap();
        assert!(
            report.findings.iter().any(|found| found.contains(finding)),
            "{damage}:\n{report}"
        );
        std::fs::write(&database, &whole).unwrap();
        for journal in ["registry.sqlite-wal", "registry.sqlite-shm"] {
            let _ = std::fs::remove_file(config.data.join(journal));
        }
    }
    sound(&config, 4, 2);
}
