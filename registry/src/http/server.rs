//! Connections: accepting them, bounding them, ending them well.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

use super::Peer;
use crate::config::Limits;
use crate::diary;
use crate::metrics::Metrics;
use crate::sessions::Clock;

/// Longest line and headers of a request; the longest path of ours is far below.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Whether every request in flight was answered before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    All,
    /// This many connections were cut when the drain time was over.
    Cut(usize),
}

/// Serves until `stop` completes, then lets requests in flight finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    metrics: Arc<Metrics>,
    stop: impl Future<Output = ()>,
) -> Served {
    let room = Arc::new(Semaphore::new(limits.connections));
    let (stopping, stopped) = watch::channel(false);
    tokio::pin!(stop);
    loop {
        let permit = Arc::clone(&room).acquire_owned();
        let next = async {
            let permit = permit.await.expect("the semaphore is never closed");
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause(&error).await;
                continue;
            }
        };
        let (router, limits, stopped, metrics) = (
            router.clone(),
            limits.clone(),
            stopped.clone(),
            Arc::clone(&metrics),
        );
        tokio::spawn(async move {
            metrics.connections.add(1);
            connection(stream, peer, router, &limits, stopped).await;
            metrics.connections.sub(1);
            drop(permit);
        });
    }
    drop(listener);
    stopping.send_replace(true);
    let everyone = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    match tokio::time::timeout(limits.drain_timeout, room.acquire_many(everyone)).await {
        Ok(_) => Served::All,
        Err(_) => Served::Cut(limits.connections - room.available_permits()),
    }
}

/// Out of file descriptors or the like: without a pause the loop would spin.
async fn pause(error: &io::Error) {
    diary::event("accept_failed", &[("error", &error.to_string())]);
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: &Limits,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting to fill a segment would only delay them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        let router = router.clone();
        async move {
            let answered = router.oneshot(request).await;
            let mut response = answered.unwrap_or_else(|never| match never {});
            if let Some(clock) = response.extensions_mut().remove::<Clock>() {
                clock.start();
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(MAX_HEAD_BYTES.max(64 << 10))
        .keep_alive(true);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // A connection that breaks concerns its client alone.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
