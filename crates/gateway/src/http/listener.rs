//! Accepts HTTP connections and serves each of them.
//!
//! The host uses hyper directly, because hyper lets it set the bounds of an HTTP/1
//! connection: the size, the number and the time of headers, and the age of a
//! connection.

use super::router::router;
use super::state::HttpState;
use crate::connection::{AdmittedConnection, ConnectionLimiter, HTTP1_HANDSHAKE_BYTES, accept};
use crate::limits::{
    CLOSE_GRACE, GatewayLimits, HTTP_CONNECTION_AGE_MAX, HTTP_HEAD_MAX_BYTES, HTTP_HEAD_TIMEOUT,
    HTTP_HEADERS_MAX, request_deadline,
};
use axum::Router;
use futures::StreamExt as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use pilum_execution::{Executions, Runtime, Store};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves HTTP until `stop`, then gives responses under way [`CLOSE_GRACE`] to leave.
pub(crate) async fn serve<R: Runtime, S: Store>(
    executions: Arc<Executions<R, S>>,
    listener: TcpListener,
    limits: &GatewayLimits,
    draining: CancellationToken,
    stop: CancellationToken,
) {
    // As for gRPC: a connection that is too old takes no new request, and its current
    // request may take as long as any other request.
    let grace = request_deadline(executions.settings());
    let router = router(HttpState { executions, draining });
    // Holds the task of every connection. Closed below, when no more are accepted.
    let tracker = TaskTracker::new();
    let mut connections = pin!(accept(listener, ConnectionLimiter::new(limits, HTTP1_HANDSHAKE_BYTES)));
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => break,
            next = connections.next() => next,
        };
        match next {
            Some(Ok(io)) => drop(tracker.spawn(connection(io, router.clone(), stop.clone(), grace))),
            Some(Err(error)) => tracing::warn!(%error, "a connection could not be accepted"),
            None => break,
        }
    }
    tracker.close();
    if tokio::time::timeout(CLOSE_GRACE, tracker.wait()).await.is_err() {
        tracing::debug!(open = tracker.len(), "HTTP connections were still open");
    }
}

/// Serves one connection until it ends, is too old, or the host stops.
async fn connection(
    io: AdmittedConnection<TcpStream, OwnedSemaphorePermit>,
    router: Router,
    stop: CancellationToken,
    grace: Duration,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_HEAD_TIMEOUT)
        .max_headers(HTTP_HEADERS_MAX)
        .max_buf_size(HTTP_HEAD_MAX_BYTES);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = serving.as_mut() => Some(ended),
        () = stop.cancelled() => None,
        () = tokio::time::sleep(HTTP_CONNECTION_AGE_MAX) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            serving.as_mut().graceful_shutdown();
            let stopped = async {
                stop.cancelled().await;
                tokio::time::sleep(CLOSE_GRACE).await;
            };
            tokio::select! {
                ended = serving => ended,
                () = stopped => Ok(()),
                () = tokio::time::sleep(grace) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended badly");
    }
}
