//! The database's format: whose it is, which version, and the way from an older one.

use rusqlite::Connection;

use super::failed;
use crate::store::StoreError;

/// Raised with every change of the tables.
const FORMAT: i64 = 2;

/// `HMRK` in ASCII: tells `file` and us whose database this is.
const APPLICATION_ID: i64 = 0x484d_524b;

/// Format 1 had attestations alone.
const FROM_1: &str = "ALTER TABLE entries ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE entries ADD COLUMN evidence INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE entries ADD COLUMN support TEXT;";

const LOG: &str = include_str!("../schema.sql");
const SESSIONS: &str = include_str!("../sessions.sql");

/// Makes the tables of a new database, and brings an older one up to date: whole or not at all.
pub(super) fn prepare(connection: &Connection) -> Result<(), StoreError> {
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .map_err(failed("read the database's schema"))?;
    let (steps, doing) = if tables == 0 {
        (
            format!("PRAGMA application_id = {APPLICATION_ID}; {LOG} {SESSIONS}"),
            "create the database's tables",
        )
    } else if version(connection)? == 1 {
        (format!("{FROM_1} {SESSIONS}"), "bring the database up to date")
    } else {
        return check(connection);
    };
    let sql = format!("BEGIN IMMEDIATE; {steps} PRAGMA user_version = {FORMAT}; COMMIT;");
    connection.execute_batch(&sql).map_err(failed(doing))?;
    check(connection)
}

/// Whether this is a registry's database in the format that is read here.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let known = FORMAT;
    match version(connection)? {
        FORMAT => Ok(()),
        found if found < known => Err(StoreError::OldFormat { found, known }),
        found => Err(StoreError::Format { found, known }),
    }
}

/// The format of a registry's database; any other is refused.
fn version(connection: &Connection) -> Result<i64, StoreError> {
    let pragma = |name: &str| {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
            .map_err(failed("read the database's format"))
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(StoreError::Damaged {
            what: "the file is an SQLite database, but not one of a Hallmark registry".to_owned(),
        });
    }
    pragma("user_version")
}
