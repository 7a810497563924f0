//! Every gRPC service of the host, served on every connection under every limit.

use super::coalescing_io::CoalescingIo;
use super::health::Health;
use super::request_body_budget::RequestBodyBudget;
use crate::error::GatewayError;
use crate::limits::{
    FRAME_MAX_BYTES, GatewayLimits, HEADER_LIST_MAX_BYTES, HOST_REQUEST_MAX_BYTES, LOCAL_ERROR_RESETS_MAX,
    SMALL_REQUEST_MAX_BYTES, request_deadline,
};
use crate::service::{FunctionServiceHandler, HostServiceHandler};
use futures::{Stream, StreamExt as _};
use pilum_execution::{Executions, Runtime, Settings, Store};
use pilum_proto::FILE_DESCRIPTOR_SET;
use pilum_proto::pilum::v1::host_service_server::HostServiceServer;
use pilum_proto::spearlet::function_service_server::FunctionServiceServer;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic_reflection::server::Builder as Reflection;
use tower::ServiceExt as _;

/// Every gRPC service of the host.
pub(crate) fn routes<R: Runtime, S: Store>(
    executions: &Arc<Executions<R, S>>,
    health: &Health,
    limits: &GatewayLimits,
) -> Result<Routes, GatewayError> {
    let functions = FunctionServiceServer::new(FunctionServiceHandler::new(Arc::clone(executions)))
        .max_decoding_message_size(limits.request_max_bytes)
        .max_encoding_message_size(limits.response_max_bytes);
    let host = HostServiceServer::new(HostServiceHandler::new(Arc::clone(executions)))
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
pub(crate) async fn serve<Io>(
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
    let budget = RequestBodyBudget::new(limits);
    let routes = routes.map_request(move |request| budget.meter(request));
    let connections = connections.map(|io| io.map(CoalescingIo::new));
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
        // A call that began on an old connection may take as long as any other call.
        .max_connection_age_grace(deadline)
        .serve_with_incoming_shutdown(routes, connections, stop)
        .await
        .map_err(GatewayError::from)
}
