-- Proof sessions, one for each attempt. A row changes only by compare-and-swap on state and revision.
CREATE TABLE sessions (
    number            INTEGER PRIMARY KEY,
    id                BLOB NOT NULL UNIQUE,
    key_id            BLOB NOT NULL,
    request_digest    BLOB NOT NULL,
    request           BLOB NOT NULL,
    spki              BLOB NOT NULL,
    secret            BLOB NOT NULL,
    attempt           BLOB NOT NULL,
    attempt_signature BLOB NOT NULL,
    state             INTEGER NOT NULL,
    revision          INTEGER NOT NULL,
    asked_ms          INTEGER NOT NULL,
    opened_ms         INTEGER,
    started_ms        INTEGER,
    committed_ms      INTEGER,
    judged_ms         INTEGER,
    attempt_index     INTEGER,
    session           TEXT NOT NULL,
    verdict           BLOB,
    verdict_signature BLOB,
    verdict_index     INTEGER
) STRICT;
CREATE UNIQUE INDEX sessions_request ON sessions (request_digest, key_id);
CREATE INDEX sessions_key ON sessions (key_id, number);
-- Those that have not ended (state 5), which are few.
CREATE INDEX sessions_unended ON sessions (number, key_id) WHERE state < 5;

-- What an entry is: 0 attestation, 1 attempt, 2 verdict.
CREATE INDEX entries_kind ON entries (kind, idx);
