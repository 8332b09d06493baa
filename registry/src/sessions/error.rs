use std::time::Duration;

use attest::digest::Sha256;
use attest::jcs::JcsError;
use attest::json::JsonError;
use attest::proof::{Ending, ProtocolError};

use crate::log::{QueueError, Unlogged};
use crate::receipts::ReceiptFailure;
use crate::store::StoreError;
use crate::store::sessions::State;
use crate::submission::SubmissionError;

/// Why a step of a session was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error(transparent)]
    Submission(#[from] SubmissionError),
    #[error("the request: {0}")]
    Request(#[from] ProtocolError),
    #[error("the request is not fresh: {0}")]
    Stale(String),
    #[error("checking this attempt takes {seconds:.0} s of a core; one key is given at most {limit:.0} s")]
    Dear { seconds: f64, limit: f64 },
    #[error("this key has had its share of {of}; it may ask again in {} s", wait.as_secs() + 1)]
    TooMany { of: &'static str, wait: Duration },
    #[error("this key has {limit} attempts that have not ended; end one of them first")]
    KeyFull { limit: u32 },
    #[error("{limit} attempts have not ended, and no other is taken now")]
    Full { limit: u32 },
    #[error("no attempt {0} in this registry")]
    NoSuch(Sha256),
    #[error("this step needs the session's token: Authorization: Bearer <Hallmark-Session>")]
    NoToken,
    #[error("this is not the token of this session")]
    OtherToken,
    #[error("the attempt is {}; {step} needs one that is {}", found.name(), wanted.name())]
    State {
        step: &'static str,
        found: State,
        wanted: State,
    },
    #[error("the attempt's openings are being checked; {step} comes too late")]
    Checking { step: &'static str },
    #[error("the attempt's openings are being checked; send them again for the verdict")]
    BeingChecked,
    #[error("task {task}: {}; the attempt has ended, as its verdict says", ending.reason())]
    Root { task: u32, ending: Ending },
    #[error("the attempt's time for {step} is over: {limit_ms} ms were allowed")]
    Late { step: &'static str, limit_ms: u64 },
    #[error("the body is not what this step takes: {0}")]
    Body(#[from] JsonError),
    #[error("{0} openings are waiting to be checked already")]
    ChecksFull(usize),
    #[error("another step of this session came between")]
    Moved,
    #[error("the registry is stopping")]
    Stopping,
    #[error("no random numbers: {0}")]
    Random(String),
    #[error("{0}")]
    Damaged(String),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    #[error(transparent)]
    Jcs(#[from] JcsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Log(#[from] Unlogged),
    #[error(transparent)]
    Receipt(#[from] ReceiptFailure),
}
