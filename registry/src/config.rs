//! What a server is told at its start.

use std::net::SocketAddr;
use std::num::NonZero;
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
    pub sessions: SessionLimits,
}

/// What proof sessions may take of the registry.
#[derive(Clone, Debug)]
pub struct SessionLimits {
    /// Attempts of one key, and of all, that have not ended.
    pub open_per_key: u32,
    pub open: u32,
    /// Attempts that one key may begin.
    pub attempts: Rate,
    /// Seconds of one core that checking one key's attempts may take. An attempt that costs more than the burst is
    /// never taken.
    pub check_seconds: Rate,
    /// From the attempt's answer until the nonce is asked for.
    pub start: Duration,
    /// From the nonce to the last commitment.
    pub commit: Duration,
    /// From the last commitment to the openings.
    pub open_lanes: Duration,
    /// How long a checkpoint that is no longer the newest makes a request fresh.
    pub freshness: Duration,
    /// Threads that recompute opened lanes.
    pub check_threads: usize,
    /// Openings waiting for such a thread; further ones are answered 503 with `Retry-After`.
    pub checks_queued: usize,
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
            sessions: SessionLimits::default(),
        }
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            open_per_key: 4,
            open: 256,
            attempts: Rate {
                per_second: 0.2,
                burst: 12.0,
            },
            // A minute of one core each minute: the dearest check (33 s as it is reckoned), or a host of 50 devices at a
            // second each.
            check_seconds: Rate {
                per_second: 1.0,
                burst: 60.0,
            },
            start: Duration::from_secs(60),
            commit: Duration::from_secs(120),
            open_lanes: Duration::from_secs(60),
            freshness: Duration::from_secs(600),
            check_threads: (cores / 2).max(1),
            // Each holds at most 4 MiB.
            checks_queued: 64,
        }
    }
}
