//! Starting a registry and ending it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::config::Config;
use crate::diary;
use crate::folder::{Folder, FolderError};
use crate::http::{self, App, Served};
use crate::keys::{self, KeysError};
use crate::log::{self, LogError};
use crate::metrics::Metrics;
use crate::outside::{CheckpointFile, LastCheckpoint};
use crate::sessions::{Parts, SessionError, Sessions};
use crate::store::{SessionStore, SqliteStore, Store, StoreError};

/// The database's file in the data folder.
pub(crate) const DATABASE: &str = "registry.sqlite";

/// The outside checkpoint's default file in the data folder.
pub(crate) const CHECKPOINT: &str = "checkpoint";

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the proof sessions cannot be taken up: {0}")]
    Sessions(String),
    #[error("cannot listen on {address}: {source}; choose another address or port")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot {doing}: {source}")]
    System {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the shutdown cut {connections} connections that were still open after {seconds} s")]
    Cut { connections: usize, seconds: u64 },
}

/// Where a registry keeps what it must not lose.
pub struct Storage {
    pub store: Arc<dyn Store>,
    pub sessions: Arc<dyn SessionStore>,
    pub outside: Box<dyn LastCheckpoint>,
}

/// A registry that serves until [`Running::stop`]. Dropping it without that stops it too, without waiting for anybody.
pub struct Running {
    address: SocketAddr,
    trusted_root: String,
    stop: Option<oneshot::Sender<()>>,
    served: Option<tokio::task::JoinHandle<Served>>,
    runtime: Option<Runtime>,
    sequencer: Option<JoinHandle<()>>,
    sessions: Arc<Sessions>,
    drain: Duration,
    /// Held until everything else has ended.
    _folder: Folder,
}

/// Serves until SIGINT or SIGTERM. `ready` is called once requests are answered.
pub fn serve(config: Config, ready: impl FnOnce(&Running)) -> Result<(), ServeError> {
    let running = start(config)?;
    ready(&running);
    running.wait_for_signal()?;
    running.stop()
}

/// Starts a registry over the files of its data folder.
pub fn start(config: Config) -> Result<Running, ServeError> {
    let folder = Folder::claim(&config.data)?;
    let store = Arc::new(SqliteStore::open(&folder.path(DATABASE))?);
    let storage = Storage {
        sessions: Arc::clone(&store) as Arc<dyn SessionStore>,
        store,
        outside: Box::new(CheckpointFile(
            config
                .checkpoint_file
                .clone()
                .unwrap_or_else(|| folder.path(CHECKPOINT)),
        )),
    };
    start_over(config, folder, storage)
}

/// Starts a registry over any storage; the data folder then holds its keys and its lock.
pub fn start_with(config: Config, storage: Storage) -> Result<Running, ServeError> {
    let folder = Folder::claim(&config.data)?;
    start_over(config, folder, storage)
}

fn start_over(config: Config, folder: Folder, storage: Storage) -> Result<Running, ServeError> {
    let (runtime, listener) = listen(config.listen)?;
    let address = listener.local_addr().map_err(system("read the bound address"))?;
    let head = storage.store.head()?;
    let identity = keys::identity(&folder, head.as_ref(), &config.origin)?;
    let metrics = Arc::new(Metrics::new());
    let (queue, published, sequencer) = log::start(
        config.origin.clone(),
        Arc::clone(&storage.store),
        storage.outside,
        (Arc::clone(&identity.keys), identity.trust.clone()),
        config.limits.clone(),
        Arc::clone(&metrics),
    )?;
    let sessions = Sessions::start(
        Parts {
            origin: config.origin.clone(),
            store: Arc::clone(&storage.store),
            sessions: storage.sessions,
            keys: identity.keys,
            trust: identity.trust.clone(),
            published: Arc::clone(&published),
            metrics: Arc::clone(&metrics),
            log: queue.clone(),
        },
        config.limits.sessions.clone(),
    )?;
    let trusted_root = identity.trusted_root;
    let drain = config.limits.drain_timeout;
    let app = Arc::new(App {
        sessions: Arc::clone(&sessions),
        origin: config.origin,
        trust: identity.trust,
        trusted_root: trusted_root.clone(),
        store: storage.store,
        published,
        queue,
        metrics,
        log_requests: config.log_requests,
        submissions: App::limiter(config.limits.submissions),
        reads: App::limiter(config.limits.reads),
        limits: config.limits,
    });
    let (stop, served) = answer(&runtime, listener, app);
    diary::event("serving", &[("address", &address.to_string())]);
    Ok(Running {
        address,
        trusted_root,
        stop: Some(stop),
        served: Some(served),
        runtime: Some(runtime),
        sequencer: Some(sequencer),
        sessions,
        drain,
        _folder: folder,
    })
}

fn system(doing: &'static str) -> impl FnOnce(io::Error) -> ServeError {
    move |source| ServeError::System { doing, source }
}

fn listen(address: SocketAddr) -> Result<(Runtime, TcpListener), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("registry")
        .build()
        .map_err(system("start the runtime"))?;
    let listener = runtime
        .block_on(TcpListener::bind(address))
        .map_err(|source| ServeError::Listen { address, source })?;
    Ok((runtime, listener))
}

/// Answers requests until the sender is used or dropped.
fn answer(
    runtime: &Runtime,
    listener: TcpListener,
    app: Arc<App>,
) -> (oneshot::Sender<()>, tokio::task::JoinHandle<Served>) {
    let (stop, stopped) = oneshot::channel();
    let (limits, metrics) = (app.limits.clone(), Arc::clone(&app.metrics));
    let served = http::serve(listener, http::router(app), limits, metrics, async {
        // A dropped sender means stop as well.
        let _ = stopped.await;
    });
    (stop, runtime.spawn(served))
}

impl From<SessionError> for ServeError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Store(error) => Self::Store(error),
            other => Self::Sessions(other.to_string()),
        }
    }
}

impl Running {
    /// The address that is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `trusted_root.json` of this log.
    pub fn trusted_root(&self) -> &str {
        &self.trusted_root
    }

    /// Returns when the process is asked to end.
    pub fn wait_for_signal(&self) -> Result<(), ServeError> {
        use tokio::signal::unix::{SignalKind, signal};
        let Some(runtime) = &self.runtime else {
            return Ok(());
        };
        runtime
            .block_on(async {
                let mut interrupt = signal(SignalKind::interrupt())?;
                let mut terminate = signal(SignalKind::terminate())?;
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                Ok(())
            })
            .map_err(|source| ServeError::System {
                doing: "wait for signals",
                source,
            })
    }

    /// Stops accepting, answers what is in flight, and returns when the last entry is durable.
    pub fn stop(mut self) -> Result<(), ServeError> {
        diary::event("stopping", &[]);
        drop(self.stop.take());
        let served = match (&self.runtime, self.served.take()) {
            (Some(runtime), Some(served)) => runtime.block_on(served).unwrap_or(Served::All),
            _ => Served::All,
        };
        self.end();
        diary::event("stopped", &[]);
        match served {
            Served::All => Ok(()),
            Served::Cut(connections) => Err(ServeError::Cut {
                connections,
                seconds: self.drain.as_secs(),
            }),
        }
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
        self.sessions.stop();
        // The queue's last senders went with the runtime and the sessions, so the sequencer ends after its current batch.
        if let Some(sequencer) = self.sequencer.take() {
            let _ = sequencer.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.end();
    }
}
