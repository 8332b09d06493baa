//! Connections to the database file, and that it is one of ours.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::failed;
use crate::store::StoreError;

/// Raised with every change of `schema.sql`.
const FORMAT: i64 = 1;

/// `HMRK` in ASCII: tells `file` and us whose database this is.
const APPLICATION_ID: i64 = 0x484d_524b;

/// 16 MiB of write-ahead log between checkpoints: each one then writes a hot page once instead of once a batch.
const CHECKPOINT_PAGES: u32 = 4096;

pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI,
    )?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(32);
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -65_536)
}

pub(super) fn prepare_schema(connection: &Connection) -> Result<(), StoreError> {
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .map_err(failed("read the database's schema"))?;
    if tables == 0 {
        let sql = format!(
            "BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; {} COMMIT;",
            include_str!("../schema.sql")
        );
        connection
            .execute_batch(&sql)
            .map_err(failed("create the database's tables"))?;
    }
    check_format(connection)
}

pub(super) fn check_format(connection: &Connection) -> Result<(), StoreError> {
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
    match pragma("user_version")? {
        FORMAT => Ok(()),
        found => Err(StoreError::Format { found, known: FORMAT }),
    }
}
