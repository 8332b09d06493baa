//! What a server is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::submission::MAX_BODY_BYTES;

/// Where a registry lives and how much it lets one peer do.
#[derive(Clone, Debug)]
pub struct Config {
    /// Database, log keys, last checkpoint and trusted root. Made when missing.
    pub data: PathBuf,
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Name of the log, first line of every checkpoint: `log.example.org/hallmark`. Fixed when the data is first made.
    pub origin: String,
    /// File that holds the last signed checkpoint outside the database. Best on another disk than `data`, so that
    /// restoring one does not take back the other; `data/checkpoint` when absent.
    pub checkpoint_file: Option<PathBuf>,
    pub limits: Limits,
    /// One JSON line on stderr for each request.
    pub log_requests: bool,
}

impl Config {
    pub fn new(data: PathBuf, listen: SocketAddr, origin: String) -> Self {
        Self {
            data,
            listen,
            origin,
            checkpoint_file: None,
            limits: Limits::default(),
            log_requests: true,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest request body in bytes.
    pub body_bytes: usize,
    /// Time a client has for sending a request's head, and the longest a connection may idle.
    pub head_timeout: Duration,
    /// Time a client has for sending a body.
    pub body_timeout: Duration,
    /// Time requests in flight have at shutdown.
    pub drain_timeout: Duration,
    /// Connections held at one time; further ones wait in the listen queue.
    pub connections: usize,
    /// Submissions allowed to each peer address (IPv6: each /64). `None`: unlimited, for a registry behind a proxy that
    /// limits, since all its requests come from one peer.
    pub submissions: Option<Rate>,
    /// Reads allowed to each peer address.
    pub reads: Option<Rate>,
    /// Verified submissions waiting for the sequencer; further ones are answered 503 with `Retry-After`.
    pub queue: usize,
    /// Largest batch of one commit.
    pub batch: usize,
    /// How long a batch waits for company after its first submission.
    pub linger: Duration,
}

/// A token bucket: `burst` at once, `per_second` in the long run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: MAX_BODY_BYTES,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(20),
            drain_timeout: Duration::from_secs(20),
            connections: 1024,
            // A provider certifies a machine a few times an hour; a CI fleet behind one address stays below this too.
            submissions: Some(Rate {
                per_second: 20.0,
                burst: 200.0,
            }),
            reads: Some(Rate {
                per_second: 200.0,
                burst: 1000.0,
            }),
            queue: 4096,
            batch: 256,
            linger: Duration::from_millis(2),
        }
    }
}
