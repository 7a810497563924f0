//! Serving, until shutdown.
//!
//! On shutdown, in this order: health says NOT_SERVING and `/readyz` 503; the
//! execution layer drains while both listeners go on answering (new work with
//! UNAVAILABLE, status and probes as ever); the listeners close and connections
//! are asked to; what is still open after a short grace is left to the end of
//! the process.

use crate::answers::Answers;
use crate::connection::{Gate, HTTP2_OPENING_BYTES, Held, accept};
use crate::error::GatewayError;
use crate::health::Health;
use crate::intake::Intake;
use crate::limits::{
    CLOSE_GRACE, FRAME_MAX_BYTES, GatewayLimits, HEADER_LIST_MAX_BYTES, HOST_REQUEST_MAX_BYTES,
    LOCAL_ERROR_RESETS_MAX, SMALL_REQUEST_MAX_BYTES, request_deadline,
};
use crate::service::{Functions, Host};
use futures::Stream;
use futures::StreamExt as _;
use pilum_execution::{Executions, Runtime, Settings, Store};
use pilum_proto::FILE_DESCRIPTOR_SET;
use pilum_proto::pilum::v1::host_service_server::HostServiceServer;
use pilum_proto::spearlet::function_service_server::FunctionServiceServer;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic_reflection::server::Builder as Reflection;
use tower::ServiceExt as _;

/// Serves gRPC on one listener and HTTP on the other until `shutdown` is
/// cancelled, then drains `executions` for at most `limits.drain_max` and closes.
///
/// Returns within `drain_max` and about a second of the cancellation.
///
/// # Errors
/// When the gRPC server fails. A connection's failure is not the server's.
pub async fn serve<R: Runtime, S: Store>(
    executions: Arc<Executions<R, S>>,
    grpc: TcpListener,
    http: TcpListener,
    limits: GatewayLimits,
    shutdown: CancellationToken,
) -> Result<(), GatewayError> {
    let health = Health::serving().await;
    let routes = routes(&executions, &health, &limits)?;
    // Cancelled when calls have drained; both listeners wait for it.
    let stop = CancellationToken::new();
    let connections = accept(grpc, Gate::new(&limits, HTTP2_OPENING_BYTES));
    let settings = executions.settings();
    let grpc = serve_grpc(routes, connections, &limits, settings, stop.clone().cancelled_owned());
    let grpc = closing(grpc, stop.clone());
    let http = crate::http::serve(Arc::clone(&executions), http, &limits, shutdown.clone(), stop.clone());
    let conduct = async {
        shutdown.cancelled().await;
        health.draining().await;
        executions.drain(limits.drain_max).await;
        health.end().await;
        stop.cancel();
    };
    let mut conduct = std::pin::pin!(conduct);
    let http = async {
        http.await;
        Ok::<_, GatewayError>(())
    };
    let listeners = async { tokio::try_join!(grpc, http).map(|_| ()) };
    let mut listeners = std::pin::pin!(listeners);
    tokio::select! {
        ended = &mut listeners => ended,
        () = &mut conduct => listeners.await,
    }
}

/// Serves gRPC over one in-process stream until its other end is dropped or
/// `shutdown` is cancelled. The same services under the same limits as
/// [`serve`]; draining `executions` is left to the caller.
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
    let routes = routes(&executions, &health, &limits)?;
    let closed = CancellationToken::new();
    let connection = Held::open(io, closed.clone().drop_guard());
    // The server ends with its stream of connections, so that one never ends.
    let connections =
        futures::stream::iter([Ok::<_, io::Error>(connection)]).chain(futures::stream::pending());
    // Cancelled when the connection is gone or is to go.
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
    closing(serve_grpc(routes, connections, &limits, settings, ending), stop).await
}

/// `serving`, for at most [`CLOSE_GRACE`] longer than `stop`.
async fn closing(
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

/// Every gRPC service of the host.
fn routes<R: Runtime, S: Store>(
    executions: &Arc<Executions<R, S>>,
    health: &Health,
    limits: &GatewayLimits,
) -> Result<Routes, GatewayError> {
    let functions = FunctionServiceServer::new(Functions::new(Arc::clone(executions)))
        .max_decoding_message_size(limits.request_max_bytes)
        .max_encoding_message_size(limits.response_max_bytes);
    let host = HostServiceServer::new(Host::new(Arc::clone(executions)))
        .max_decoding_message_size(HOST_REQUEST_MAX_BYTES)
        .max_encoding_message_size(limits.response_max_bytes);
    let reflection = || {
        Reflection::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Routes::new(functions)
        .add_service(host)
        .add_service(health.service().max_decoding_message_size(SMALL_REQUEST_MAX_BYTES))
        .add_service(reflection().build_v1()?.max_decoding_message_size(SMALL_REQUEST_MAX_BYTES))
        .add_service(reflection().build_v1alpha()?.max_decoding_message_size(SMALL_REQUEST_MAX_BYTES))
        .prepare())
}

/// Serves the routes on every connection under every limit, until `stop`.
async fn serve_grpc<Io>(
    routes: Routes,
    connections: impl Stream<Item = io::Result<Io>>,
    limits: &GatewayLimits,
    settings: &Settings,
    stop: impl Future<Output = ()>,
) -> Result<(), GatewayError>
where
    Io: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let deadline = request_deadline(settings);
    let intake = Intake::new(limits);
    let routes = routes.map_request(move |request| intake.meter(request));
    let connections = connections.map(|io| io.map(Answers::new));
    Server::builder()
        .timeout(deadline)
        .max_concurrent_streams(limits.streams_max_per_connection)
        .http2_max_pending_accept_reset_streams(Some(limits.pending_resets_max()))
        .http2_max_local_error_reset_streams(Some(LOCAL_ERROR_RESETS_MAX))
        .http2_max_header_list_size(HEADER_LIST_MAX_BYTES)
        .max_frame_size(FRAME_MAX_BYTES)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .max_connection_age(limits.connection_age_max)
        // A call that began on an old connection may take as long as any.
        .max_connection_age_grace(deadline)
        .serve_with_incoming_shutdown(routes, connections, stop)
        .await
        .map_err(GatewayError::from)
}

#[cfg(test)]
mod tests;
