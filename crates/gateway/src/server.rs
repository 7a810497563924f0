//! Serves both listeners until shutdown.
//!
//! The shutdown has this order:
//! 1. The health service reports NOT_SERVING, and `/readyz` answers 503.
//! 2. The execution layer drains. Both listeners still answer: new work gets
//!    UNAVAILABLE, and status requests and probes work as before.
//! 3. The listeners close, and the host asks every client to close its connection.
//! 4. Connections that are still open after [`CLOSE_GRACE`] end with the process.

use crate::connection::{AdmittedConnection, ConnectionLimiter, HTTP2_HANDSHAKE_BYTES, accept};
use crate::error::GatewayError;
use crate::grpc::{self, Health};
use crate::http;
use crate::limits::{CLOSE_GRACE, GatewayLimits};
use futures::StreamExt as _;
use pilum_execution::{Executions, Runtime, Store};
use std::io;
use std::sync::Arc;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves gRPC on one listener and HTTP on the other until `shutdown` is
/// cancelled, then drains `executions` for at most `limits.drain_max` and closes.
///
/// Returns within `drain_max` and about a second of the cancellation.
///
/// # Errors
/// When the gRPC server fails. The failure of one connection is not an error.
pub async fn serve<R: Runtime, S: Store>(
    executions: Arc<Executions<R, S>>,
    grpc_listener: TcpListener,
    http_listener: TcpListener,
    limits: GatewayLimits,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    let health = Health::serving().await;
    let routes = grpc::routes(&executions, &health, &limits)?;
    // Cancelled when all calls have ended; both listeners wait for it.
    let stop = CancellationToken::new();
    let connections = accept(grpc_listener, ConnectionLimiter::new(&limits, HTTP2_HANDSHAKE_BYTES));
    let settings = executions.settings();
    let grpc = grpc::serve(routes, connections, &limits, settings, stop.clone().cancelled_owned());
    let grpc = with_close_grace(grpc, stop.clone());
    let http = http::serve(Arc::clone(&executions), http_listener, &limits, shutdown.clone(), stop.clone());
    let shut_down = async {
        shutdown.cancelled().await;
        health.draining().await;
        executions.drain(limits.drain_max).await;
        health.end().await;
        stop.cancel();
    };
    let mut shut_down = std::pin::pin!(shut_down);
    let http = async {
        http.await;
        Ok::<_, GatewayError>(())
    };
    let listeners = async { tokio::try_join!(grpc, http).map(|_| ()) };
    let mut listeners = std::pin::pin!(listeners);
    tokio::select! {
        ended = &mut listeners => ended,
        () = &mut shut_down => listeners.await,
    }
}

/// Serves gRPC over one in-process stream until its other end is dropped or
/// `shutdown` is cancelled. Services and limits are the same as for [`serve`]. The
/// caller drains `executions`.
///
/// # Errors
/// When the gRPC server fails.
pub async fn serve_stream<R: Runtime, S: Store>(
    executions: Arc<Executions<R, S>>,
    io: DuplexStream,
    limits: GatewayLimits,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    let health = Health::serving().await;
    let routes = grpc::routes(&executions, &health, &limits)?;
    let closed = CancellationToken::new();
    let connection = AdmittedConnection::without_handshake(io, closed.clone().drop_guard());
    // The server ends when its stream of connections ends, so this stream never ends.
    let connections =
        futures::stream::iter([Ok::<_, io::Error>(connection)]).chain(futures::stream::pending());
    // Cancelled when the connection is closed or `shutdown` is cancelled.
    let stop = CancellationToken::new();
    let ending = {
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = closed.cancelled() => {}
                () = shutdown.cancelled() => {}
            }
            stop.cancel();
        }
    };
    let settings = executions.settings();
    with_close_grace(grpc::serve(routes, connections, &limits, settings, ending), stop).await
}

/// Waits for `serving`, but at most [`CLOSE_GRACE`] after `stop`.
async fn with_close_grace(
    serving: impl Future<Output = Result<(), GatewayError>>,
    stop: CancellationToken,
) -> Result<(), GatewayError> {
    let grace = async {
        stop.cancelled().await;
        tokio::time::sleep(CLOSE_GRACE).await;
    };
    tokio::select! {
        ended = serving => ended,
        () = grace => {
            tracing::debug!("gRPC connections were still open");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
