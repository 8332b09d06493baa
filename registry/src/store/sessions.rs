//! Where proof sessions live, apart from the log: what must survive between the steps of an attempt.
//!
//! A session only moves forward, and each move is one durable compare-and-swap. An error means *unknown*: the caller
//! reads the session again and decides.

use attest::digest::Sha256;

use super::StoreError;

/// How far a session has come. The order is that of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The attempt is signed and on its way into the log.
    Opening,
    /// The attempt is logged; the nonce may be asked for.
    Opened,
    /// The nonce is out.
    Started,
    /// Every task is committed.
    Committed,
    /// The verdict is signed and on its way into the log.
    Judged,
    /// The verdict is logged.
    Ended,
}

impl State {
    pub const ALL: [Self; 6] = [
        Self::Opening,
        Self::Opened,
        Self::Started,
        Self::Committed,
        Self::Judged,
        Self::Ended,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Opened => "opened",
            Self::Started => "started",
            Self::Committed => "committed",
            Self::Judged => "judged",
            Self::Ended => "ended",
        }
    }
}

/// When each state was entered, in milliseconds since 1970 by the registry's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub asked: i64,
    pub opened: Option<i64>,
    pub started: Option<i64>,
    pub committed: Option<i64>,
    pub judged: Option<i64>,
}

/// What anybody may see of a session at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Order of coming, from 1; 0 before it is kept.
    pub number: u64,
    /// SHA-256 of the attempt's signed bytes.
    pub id: Sha256,
    /// Who asked.
    pub key_id: Sha256,
    pub state: State,
    pub times: Times,
    /// Payload of the attempt's envelope.
    pub attempt: Vec<u8>,
    pub attempt_index: Option<u64>,
    /// Payload of the verdict's envelope, once judged.
    pub verdict: Option<Vec<u8>>,
    pub verdict_index: Option<u64>,
}

/// A session, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub outline: Outline,
    /// Counts the changes.
    pub revision: u64,
    pub request_digest: Sha256,
    /// The provider's envelope, as JSON.
    pub request: Vec<u8>,
    /// The provider's SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// What the samples will follow from. Nobody may see it before every task is committed.
    pub secret: Sha256,
    pub attempt_signature: Vec<u8>,
    /// What was exchanged: JSON of [`attest::proof::Session`].
    pub session: String,
    pub verdict_signature: Option<Vec<u8>>,
}

/// What became of a new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    Kept,
    /// This key sent this request before.
    Known(Box<Kept>),
    /// The key has this many sessions that have not ended: all it may have.
    KeyFull,
    /// So many sessions have not ended that no other is taken.
    Full,
}

/// How many sessions may be unended at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub per_key: u32,
    pub total: u32,
}

/// A page of sessions, newest first.
#[derive(Clone, Debug, Default)]
pub struct SessionQuery {
    /// Only sessions below this number.
    pub below: u64,
    pub limit: u32,
    pub key_id: Option<Sha256>,
}

pub trait SessionStore: Send + Sync + 'static {
    /// Keeps a new session if there is room for it.
    fn insert(&self, new: &Kept, room: Room) -> Result<Inserted, StoreError>;

    fn session(&self, id: &Sha256) -> Result<Option<Kept>, StoreError>;

    /// The session that this request by this key began.
    fn asked(&self, request: &Sha256, key_id: &Sha256) -> Result<Option<Kept>, StoreError>;

    /// Replaces `before` by `after`, of the same id and the next revision. False when it is no longer as it was.
    fn swap(&self, before: &Kept, after: &Kept) -> Result<bool, StoreError>;

    /// Sessions that have not ended, oldest first.
    fn unended(&self) -> Result<Vec<Kept>, StoreError>;

    fn outlines(&self, query: &SessionQuery) -> Result<Vec<Outline>, StoreError>;

    /// How many attempts this key has made.
    fn attempts_by(&self, key_id: &Sha256) -> Result<u64, StoreError>;
}
