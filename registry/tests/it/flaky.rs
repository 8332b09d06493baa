//! A store and an outside checkpoint that fail when told to, with and without having done the work.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use attest::digest::Sha256;
use registry::outside::{CheckpointFile, LastCheckpoint};
use registry::store::sessions::{Inserted, Kept, Outline, Room, SessionQuery, SessionStore};
use registry::store::{
    Batch, CommitError, DeviceCount, Entry, Head, Place, Query, Signed, SqliteStore, Store, StoreError,
};
use registry::{Config, FolderError, Storage};

/// Where to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// The transaction.
    Commit,
    /// The transaction, and the read of the head that should tell its outcome.
    CommitAndHead,
    /// The checkpoint outside the database.
    Outside,
    /// The lookup of what is known already.
    Find,
    /// A session's first keeping.
    Insert,
    /// A session's change.
    Swap,
}

/// What fails now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Break {
    pub(crate) point: Point,
    /// Whether the work is done before the error is given.
    pub(crate) persisted: bool,
}

/// The switch that a test holds.
#[derive(Clone, Default)]
pub(crate) struct Switch {
    broken: Arc<Mutex<Option<Break>>>,
    delay: Arc<Mutex<Duration>>,
}

impl Switch {
    pub(crate) fn set(&self, broken: Option<Break>) {
        *self.broken.lock().unwrap() = broken;
    }

    /// Slows every commit down.
    pub(crate) fn delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    fn at(&self, points: &[Point]) -> Option<Break> {
        self.broken
            .lock()
            .unwrap()
            .filter(|broken| points.contains(&broken.point))
    }

    pub(crate) fn storage(&self, config: &Config) -> Storage {
        std::fs::create_dir_all(&config.data).unwrap();
        let store = Arc::new(SqliteStore::open(&config.data.join("registry.sqlite")).unwrap());
        Storage {
            sessions: Arc::new(FlakySessions {
                store: Arc::clone(&store),
                switch: self.clone(),
            }),
            store: Arc::new(Flaky {
                store,
                switch: self.clone(),
            }),
            outside: Box::new(FlakyOutside {
                file: CheckpointFile(config.data.join("checkpoint")),
                switch: self.clone(),
            }),
        }
    }
}

struct Flaky {
    store: Arc<SqliteStore>,
    switch: Switch,
}

fn broken() -> StoreError {
    StoreError::failed("do as the test wants", "broken on purpose")
}

impl Store for Flaky {
    fn commit(&self, batch: &Batch<'_>) -> Result<(), CommitError> {
        std::thread::sleep(*self.switch.delay.lock().unwrap());
        match self.switch.at(&[Point::Commit, Point::CommitAndHead]) {
            None => self.store.commit(batch),
            Some(Break { persisted, .. }) => {
                if persisted {
                    self.store.commit(batch)?;
                }
                Err(broken().into())
            }
        }
    }

    fn head(&self) -> Result<Option<Head>, StoreError> {
        match self.switch.at(&[Point::CommitAndHead]) {
            None => self.store.head(),
            Some(_) => Err(broken()),
        }
    }

    fn find(&self, digest: &Sha256, key_id: &Sha256) -> Result<Option<Place>, StoreError> {
        match self.switch.at(&[Point::Find]) {
            None => self.store.find(digest, key_id),
            Some(_) => Err(broken()),
        }
    }

    fn begin(&self, head: &Head) -> Result<(), CommitError> {
        self.store.begin(head)
    }

    fn with_digest(&self, digest: &Sha256) -> Result<Vec<Entry>, StoreError> {
        self.store.with_digest(digest)
    }

    fn entry(&self, index: u64) -> Result<Option<Entry>, StoreError> {
        self.store.entry(index)
    }

    fn signed(&self, index: u64) -> Result<Option<Signed>, StoreError> {
        self.store.signed(index)
    }

    fn list(&self, query: &Query) -> Result<Vec<Entry>, StoreError> {
        self.store.list(query)
    }

    fn devices(&self, limit: u32) -> Result<Vec<DeviceCount>, StoreError> {
        self.store.devices(limit)
    }

    fn note(&self, tree_size: u64) -> Result<Option<String>, StoreError> {
        self.store.note(tree_size)
    }

    fn notes(&self, from: u64, limit: u32) -> Result<Vec<(u64, String)>, StoreError> {
        self.store.notes(from, limit)
    }

    fn tile(&self, level: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.tile(level, number)
    }

    fn leaves(&self, first: u64, count: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        self.store.leaves(first, count)
    }

    fn end(&self) -> Result<u64, StoreError> {
        self.store.end()
    }
}

struct FlakySessions {
    store: Arc<SqliteStore>,
    switch: Switch,
}

impl SessionStore for FlakySessions {
    fn insert(&self, new: &Kept, room: Room) -> Result<Inserted, StoreError> {
        match self.switch.at(&[Point::Insert]) {
            None => self.store.insert(new, room),
            Some(Break { persisted, .. }) => {
                if persisted {
                    self.store.insert(new, room)?;
                }
                Err(broken())
            }
        }
    }

    fn swap(&self, before: &Kept, after: &Kept) -> Result<bool, StoreError> {
        match self.switch.at(&[Point::Swap]) {
            None => self.store.swap(before, after),
            Some(Break { persisted, .. }) => {
                if persisted {
                    self.store.swap(before, after)?;
                }
                Err(broken())
            }
        }
    }

    fn session(&self, id: &Sha256) -> Result<Option<Kept>, StoreError> {
        self.store.session(id)
    }

    fn asked(&self, request: &Sha256, key_id: &Sha256) -> Result<Option<Kept>, StoreError> {
        self.store.asked(request, key_id)
    }

    fn unended(&self) -> Result<Vec<Kept>, StoreError> {
        self.store.unended()
    }

    fn outlines(&self, query: &SessionQuery) -> Result<Vec<Outline>, StoreError> {
        self.store.outlines(query)
    }

    fn attempts_by(&self, key_id: &Sha256) -> Result<u64, StoreError> {
        self.store.attempts_by(key_id)
    }
}

struct FlakyOutside {
    file: CheckpointFile,
    switch: Switch,
}

impl LastCheckpoint for FlakyOutside {
    fn read(&self) -> Result<Option<String>, FolderError> {
        self.file.read()
    }

    fn write(&self, note: &str) -> Result<(), FolderError> {
        match self.switch.at(&[Point::Outside]) {
            None => self.file.write(note),
            Some(Break { persisted, .. }) => {
                if persisted {
                    self.file.write(note)?;
                }
                Err(FolderError::Io {
                    doing: "do as the test wants with",
                    path: self.file.0.clone(),
                    source: std::io::Error::other("broken on purpose"),
                })
            }
        }
    }
}
