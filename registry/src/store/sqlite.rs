//! The embedded store: one SQLite file in WAL mode with full durability.
//!
//! One connection writes; readers come from a small pool and never wait for it.

mod connection;
mod format;
mod selection;
mod sessions;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use attest::digest::Sha256;
use attest::statement::Evidence;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, Transaction, TransactionBehavior, params};

use super::{
    Batch, CommitError, DeviceCount, Entry, Head, Kind, NewEntry, Place, Query, Signed, Store, StoreError,
    Summary,
};
use connection::{configure, open_reader};
use selection::{SELECT_ENTRY, list_sql};

/// Idle read connections that are kept open.
const MAX_IDLE_READERS: usize = 8;

pub struct SqliteStore {
    path: PathBuf,
    /// Before `writer`, so that they close first: only the last connection folds the write-ahead log into the
    /// database, and one that may not write cannot.
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens the database file, making it when there is none.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = Connection::open(path).map_err(failed("open the database"))?;
        configure(&writer).map_err(failed("configure the database"))?;
        format::prepare(&writer)?;
        Ok(Self::over(path, writer))
    }

    /// Opens an existing database for reading alone.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let connection = open_reader(path).map_err(failed("open the database for reading"))?;
        format::check(&connection)?;
        Ok(Self::over(path, connection))
    }

    fn over(path: &Path, writer: Connection) -> Self {
        Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
        }
    }

    fn read<T>(
        &self,
        doing: &'static str,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = locked(&self.readers).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path).map_err(failed("open the database for reading"))?,
        };
        let answer = ask(&connection).map_err(failed(doing));
        let mut readers = locked(&self.readers);
        if readers.len() < MAX_IDLE_READERS {
            readers.push(connection);
        }
        answer
    }

    fn write(
        &self,
        expected: u64,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<bool>,
    ) -> Result<(), CommitError> {
        let unknown = |error| CommitError::Unknown(failed(doing)(error));
        let mut writer = locked(&self.writer);
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(unknown)?;
        if !work(&transaction).map_err(unknown)? {
            return Err(CommitError::Moved { expected });
        }
        transaction.commit().map_err(unknown)
    }
}

impl Store for SqliteStore {
    fn head(&self) -> Result<Option<Head>, StoreError> {
        self.read("read the head", |connection| {
            connection
                .prepare_cached("SELECT size, root, note FROM head WHERE id = 1")?
                .query_row([], |row| {
                    Ok(Head {
                        size: row.get(0)?,
                        root: digest(row, 1)?,
                        note: row.get(2)?,
                    })
                })
                .optional()
        })
    }

    fn begin(&self, head: &Head) -> Result<(), CommitError> {
        self.write(0, "begin the log", |transaction| {
            let made = transaction.execute(
                "INSERT OR IGNORE INTO head (id, size, root, note) VALUES (1, ?1, ?2, ?3)",
                params![head.size, head.root.0, head.note],
            )?;
            insert_note(transaction, head)?;
            Ok(made == 1)
        })
    }

    fn commit(&self, batch: &Batch<'_>) -> Result<(), CommitError> {
        self.write(batch.before.size, "commit a batch", |transaction| {
            let swapped = transaction
                .prepare_cached(
                    "UPDATE head SET size = ?1, root = ?2, note = ?3 WHERE id = 1 AND size = ?4 AND root = ?5",
                )?
                .execute(params![
                    batch.after.size,
                    batch.after.root.0,
                    batch.after.note,
                    batch.before.size,
                    batch.before.root.0
                ])?;
            if swapped != 1 {
                return Ok(false);
            }
            insert_note(transaction, batch.after)?;
            for entry in batch.entries {
                insert_entry(transaction, entry, batch.after.size)?;
            }
            let mut replace =
                transaction.prepare_cached("INSERT OR REPLACE INTO tiles (level, number, hashes) VALUES (?1, ?2, ?3)")?;
            for tile in batch.tiles {
                replace.execute(params![tile.id.level, tile.id.index, attest::tile::encode(&tile.hashes)])?;
            }
            Ok(true)
        })
    }

    fn find(&self, digest: &Sha256, key_id: &Sha256) -> Result<Option<Place>, StoreError> {
        self.read("look for an entry", |connection| {
            connection
                .prepare_cached("SELECT idx, tree_size FROM entries WHERE digest = ?1 AND key_id = ?2")?
                .query_row(params![digest.0, key_id.0], |row| {
                    Ok(Place {
                        index: row.get(0)?,
                        tree_size: row.get(1)?,
                    })
                })
                .optional()
        })
    }

    fn with_digest(&self, digest: &Sha256) -> Result<Vec<Entry>, StoreError> {
        self.read("read entries by digest", |connection| {
            connection
                .prepare_cached(&format!("{SELECT_ENTRY} WHERE e.digest = ?1 ORDER BY e.idx"))?
                .query_map([digest.0], entry)?
                .collect()
        })
    }

    fn entry(&self, index: u64) -> Result<Option<Entry>, StoreError> {
        self.read("read an entry", |connection| {
            connection
                .prepare_cached(&format!("{SELECT_ENTRY} WHERE e.idx = ?1"))?
                .query_row([index], entry)
                .optional()
        })
    }

    fn signed(&self, index: u64) -> Result<Option<Signed>, StoreError> {
        self.read("read a payload", |connection| {
            connection
                .prepare_cached(
                    "SELECT k.spki, p.signature, p.payload FROM entries e JOIN keys k ON k.key_id = e.key_id \
                     JOIN payloads p ON p.idx = e.idx WHERE e.idx = ?1",
                )?
                .query_row([index], |row| {
                    Ok(Signed {
                        spki: row.get(0)?,
                        signature: row.get(1)?,
                        payload: row.get(2)?,
                    })
                })
                .optional()
        })
    }

    fn list(&self, query: &Query) -> Result<Vec<Entry>, StoreError> {
        let (sql, values) = list_sql(query);
        self.read("list entries", |connection| {
            let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
            connection
                .prepare_cached(&sql)?
                .query_map(values.as_slice(), entry)?
                .collect()
        })
    }

    fn devices(&self, limit: u32) -> Result<Vec<DeviceCount>, StoreError> {
        self.read("list device models", |connection| {
            connection
                .prepare_cached("SELECT name, entries FROM device_counts ORDER BY newest DESC LIMIT ?1")?
                .query_map([limit], |row| {
                    Ok(DeviceCount {
                        name: row.get(0)?,
                        entries: row.get(1)?,
                    })
                })?
                .collect()
        })
    }

    fn note(&self, tree_size: u64) -> Result<Option<String>, StoreError> {
        self.read("read a checkpoint", |connection| {
            connection
                .prepare_cached("SELECT note FROM notes WHERE size = ?1")?
                .query_row([tree_size], |row| row.get(0))
                .optional()
        })
    }

    fn notes(&self, from: u64, limit: u32) -> Result<Vec<(u64, String)>, StoreError> {
        self.read("read checkpoints", |connection| {
            connection
                .prepare_cached("SELECT size, note FROM notes WHERE size >= ?1 ORDER BY size LIMIT ?2")?
                .query_map(params![from, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    fn tile(&self, level: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("read a tile", |connection| {
            connection
                .prepare_cached("SELECT hashes FROM tiles WHERE level = ?1 AND number = ?2")?
                .query_row(params![level, number], |row| row.get(0))
                .optional()
        })
    }

    fn leaves(&self, first: u64, count: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        self.read("read leaves", |connection| {
            connection
                .prepare_cached("SELECT idx, leaf FROM entries WHERE idx >= ?1 ORDER BY idx LIMIT ?2")?
                .query_map(params![first, count], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    fn end(&self) -> Result<u64, StoreError> {
        self.read("read the last index", |connection| {
            connection.query_row("SELECT coalesce(max(idx) + 1, 0) FROM entries", [], |row| {
                row.get(0)
            })
        })
    }
}

fn insert_note(transaction: &Transaction<'_>, head: &Head) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO notes (size, note) VALUES (?1, ?2)")?
        .execute(params![head.size, head.note])
        .map(drop)
}

fn insert_entry(transaction: &Transaction<'_>, entry: &NewEntry, tree_size: u64) -> rusqlite::Result<()> {
    let (index, accepted) = (entry.index, &entry.accepted);
    transaction
        .prepare_cached(
            "INSERT INTO entries (idx, tree_size, digest, key_id, accepted_ms, summary, leaf, kind, evidence, support) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            index,
            tree_size,
            accepted.digest.0,
            accepted.key_id.0,
            accepted.accepted_ms,
            accepted.summary.json,
            accepted.leaf,
            accepted.kind as i64,
            accepted.summary.evidence as i64,
            accepted.summary.support_json
        ])?;
    transaction
        .prepare_cached("INSERT OR IGNORE INTO keys (key_id, spki) VALUES (?1, ?2)")?
        .execute(params![accepted.key_id.0, accepted.key.spki_der()])?;
    transaction
        .prepare_cached("INSERT INTO payloads (idx, signature, payload) VALUES (?1, ?2, ?3)")?
        .execute(params![index, accepted.envelope.sig, accepted.envelope.payload])?;
    insert_summary(transaction, index, &accepted.summary)
}

fn insert_summary(transaction: &Transaction<'_>, index: u64, summary: &Summary) -> rusqlite::Result<()> {
    for device in &summary.devices {
        transaction
            .prepare_cached("INSERT INTO entry_devices (name, idx) VALUES (?1, ?2)")?
            .execute(params![device, index])?;
        transaction
            .prepare_cached(
                "INSERT INTO device_counts (name, entries, newest) VALUES (?1, 1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET entries = entries + 1, newest = excluded.newest",
            )?
            .execute(params![device, index])?;
    }
    for workload in &summary.workloads {
        transaction
            .prepare_cached("INSERT INTO entry_workloads (id, idx) VALUES (?1, ?2)")?
            .execute(params![workload, index])?;
    }
    Ok(())
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        place: Place {
            index: row.get(0)?,
            tree_size: row.get(1)?,
        },
        digest: digest(row, 2)?,
        key_id: digest(row, 3)?,
        accepted_ms: row.get(4)?,
        summary_json: row.get(5)?,
        kind: row.get(6)?,
        evidence: level(row.get(7)?),
        support_json: row.get(8)?,
    })
}

/// Levels as they are stored; one of a newer program's reads as the weakest.
fn level(stored: i64) -> Evidence {
    let levels = [Evidence::Challenged, Evidence::Timed, Evidence::Rooted];
    levels
        .into_iter()
        .find(|level| *level as i64 == stored)
        .unwrap_or(Evidence::Claimed)
}

impl FromSql for Kind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = i64::column_result(value)?;
        Self::ALL
            .into_iter()
            .find(|kind| *kind as i64 == number)
            .ok_or(FromSqlError::OutOfRange(number))
    }
}

fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Sha256> {
    row.get::<_, [u8; 32]>(column).map(Sha256)
}

fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| StoreError::failed(doing, error)
}

/// A panic while the lock was held leaves SQLite itself consistent: an open transaction was rolled back on drop.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
