-- The head of the log: one row, changed only by compare-and-swap.
CREATE TABLE head (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL
) STRICT;

-- Every checkpoint that was the head.
CREATE TABLE notes (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
) STRICT;

CREATE TABLE entries (
    idx         INTEGER PRIMARY KEY,
    tree_size   INTEGER NOT NULL,
    digest      BLOB NOT NULL,
    key_id      BLOB NOT NULL,
    accepted_ms INTEGER NOT NULL,
    summary     TEXT NOT NULL,
    leaf        BLOB NOT NULL,
    kind        INTEGER NOT NULL DEFAULT 0,
    -- Derived from this log's verdicts when the entry was accepted.
    evidence    INTEGER NOT NULL DEFAULT 0,
    support     TEXT
) STRICT;
CREATE UNIQUE INDEX entries_identity ON entries (digest, key_id);
CREATE INDEX entries_key ON entries (key_id, idx);

CREATE TABLE keys (
    key_id BLOB PRIMARY KEY,
    spki   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What was signed. Not part of the log: proofs stay valid when a payload is withheld.
CREATE TABLE payloads (
    idx       INTEGER PRIMARY KEY,
    signature BLOB NOT NULL,
    payload   BLOB NOT NULL
) STRICT;

CREATE TABLE tiles (
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, number)
) STRICT;

-- Search indices, rebuildable from the payloads.
CREATE TABLE entry_devices (
    name TEXT NOT NULL,
    idx  INTEGER NOT NULL,
    PRIMARY KEY (name, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE device_counts (
    name    TEXT PRIMARY KEY,
    entries INTEGER NOT NULL,
    newest  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX device_counts_newest ON device_counts (newest);
CREATE TABLE entry_workloads (
    id  TEXT NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (id, idx)
) STRICT, WITHOUT ROWID;
