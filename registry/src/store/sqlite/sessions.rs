//! Proof sessions in the log's database, so that one file is backed up.

use attest::digest::Sha256;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::{SqliteStore, digest, failed, locked};
use crate::store::StoreError;
use crate::store::sessions::{Inserted, Kept, Outline, Room, SessionQuery, SessionStore, State, Times};

/// Columns of an outline, in the order [`outline`] reads them.
const OUTLINE: &str = "number, id, key_id, state, asked_ms, opened_ms, started_ms, committed_ms, judged_ms, attempt, \
                       attempt_index, verdict, verdict_index";

/// Those and the columns that [`kept`] reads after them.
const KEPT: &str =
    "revision, request_digest, request, spki, secret, attempt_signature, session, verdict_signature";

impl SqliteStore {
    /// A write of its own transaction, undone when `work` fails.
    fn change<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut writer = locked(&self.writer);
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed(doing))?;
        let done = work(&transaction).map_err(failed(doing))?;
        transaction.commit().map_err(failed(doing))?;
        Ok(done)
    }

    fn one(
        &self,
        condition: &'static str,
        values: impl rusqlite::Params,
    ) -> Result<Option<Kept>, StoreError> {
        self.read("read a session", |connection| one(connection, condition, values))
    }
}

impl SessionStore for SqliteStore {
    fn insert(&self, new: &Kept, room: Room) -> Result<Inserted, StoreError> {
        self.change("keep a session", |transaction| {
            let key = (new.request_digest.0, new.outline.key_id.0);
            if let Some(known) = one(transaction, "request_digest = ?1 AND key_id = ?2", key)? {
                return Ok(Inserted::Known(Box::new(known)));
            }
            let (all, own): (u32, u32) = transaction
                .prepare_cached(
                    "SELECT count(*), coalesce(sum(key_id = ?1), 0) FROM sessions WHERE state < 5",
                )?
                .query_row([new.outline.key_id.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if own >= room.per_key {
                return Ok(Inserted::KeyFull);
            }
            if all >= room.total {
                return Ok(Inserted::Full);
            }
            insert(transaction, new).map(|()| Inserted::Kept)
        })
    }

    fn session(&self, id: &Sha256) -> Result<Option<Kept>, StoreError> {
        self.one("id = ?1", [id.0])
    }

    fn asked(&self, request: &Sha256, key_id: &Sha256) -> Result<Option<Kept>, StoreError> {
        self.one("request_digest = ?1 AND key_id = ?2", (request.0, key_id.0))
    }

    fn swap(&self, before: &Kept, after: &Kept) -> Result<bool, StoreError> {
        self.change("change a session", |transaction| {
            let (outline, times) = (&after.outline, &after.outline.times);
            let changed = transaction
                .prepare_cached(
                    "UPDATE sessions SET state = ?1, revision = ?2, opened_ms = ?3, started_ms = ?4, committed_ms = ?5, \
                     judged_ms = ?6, attempt_index = ?7, session = ?8, verdict = ?9, verdict_signature = ?10, \
                     verdict_index = ?11 WHERE id = ?12 AND state = ?13 AND revision = ?14",
                )?
                .execute(params![
                    outline.state as i64,
                    after.revision,
                    times.opened,
                    times.started,
                    times.committed,
                    times.judged,
                    outline.attempt_index,
                    after.session,
                    outline.verdict,
                    after.verdict_signature,
                    outline.verdict_index,
                    before.outline.id.0,
                    before.outline.state as i64,
                    before.revision,
                ])?;
            Ok(changed == 1)
        })
    }

    fn unended(&self) -> Result<Vec<Kept>, StoreError> {
        self.read("read the sessions that have not ended", |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {OUTLINE}, {KEPT} FROM sessions WHERE state < 5 ORDER BY number"
                ))?
                .query_map([], kept)?
                .collect()
        })
    }

    fn outlines(&self, query: &SessionQuery) -> Result<Vec<Outline>, StoreError> {
        let below = i64::try_from(query.below).unwrap_or(i64::MAX);
        self.read("list sessions", |connection| match query.key_id {
            Some(key_id) => connection
                .prepare_cached(&format!(
                    "SELECT {OUTLINE} FROM sessions WHERE key_id = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
                ))?
                .query_map(params![key_id.0, below, query.limit], outline)?
                .collect(),
            None => connection
                .prepare_cached(&format!(
                    "SELECT {OUTLINE} FROM sessions WHERE number < ?1 ORDER BY number DESC LIMIT ?2"
                ))?
                .query_map(params![below, query.limit], outline)?
                .collect(),
        })
    }

    fn attempts_by(&self, key_id: &Sha256) -> Result<u64, StoreError> {
        self.read("count a key's attempts", |connection| {
            connection
                .prepare_cached("SELECT count(*) FROM sessions WHERE key_id = ?1")?
                .query_row([key_id.0], |row| row.get(0))
        })
    }
}

fn insert(transaction: &Transaction<'_>, new: &Kept) -> rusqlite::Result<()> {
    let outline = &new.outline;
    transaction
        .prepare_cached(
            "INSERT INTO sessions (id, key_id, request_digest, request, spki, secret, attempt, attempt_signature, state, \
             revision, asked_ms, session) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            outline.id.0,
            outline.key_id.0,
            new.request_digest.0,
            new.request,
            new.spki,
            new.secret.0,
            outline.attempt,
            new.attempt_signature,
            outline.state as i64,
            new.revision,
            outline.times.asked,
            new.session,
        ])
        .map(drop)
}

fn one(
    connection: &Connection,
    condition: &'static str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<Option<Kept>> {
    connection
        .prepare_cached(&format!(
            "SELECT {OUTLINE}, {KEPT} FROM sessions WHERE {condition}"
        ))?
        .query_row(values, kept)
        .optional()
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        outline: outline(row)?,
        revision: row.get(13)?,
        request_digest: digest(row, 14)?,
        request: row.get(15)?,
        spki: row.get(16)?,
        secret: digest(row, 17)?,
        attempt_signature: row.get(18)?,
        session: row.get(19)?,
        verdict_signature: row.get(20)?,
    })
}

fn outline(row: &Row<'_>) -> rusqlite::Result<Outline> {
    Ok(Outline {
        number: row.get(0)?,
        id: digest(row, 1)?,
        key_id: digest(row, 2)?,
        state: row.get(3)?,
        times: Times {
            asked: row.get(4)?,
            opened: row.get(5)?,
            started: row.get(6)?,
            committed: row.get(7)?,
            judged: row.get(8)?,
        },
        attempt: row.get(9)?,
        attempt_index: row.get(10)?,
        verdict: row.get(11)?,
        verdict_index: row.get(12)?,
    })
}

impl FromSql for State {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        let number = i64::column_result(value)?;
        Self::ALL
            .into_iter()
            .find(|state| *state as i64 == number)
            .ok_or(rusqlite::types::FromSqlError::OutOfRange(number))
    }
}
