//! The calls a host takes.

use crate::answer::{Cancellation, Deletion, Health, HostStats, Invoked, Report, Task};
use crate::call::Call;
use crate::error::ClientError;
use crate::stream::Chunks;
use crate::{connect, read};
use pilum_proto::pilum::v1::host_service_client::HostServiceClient;
use pilum_proto::spearlet::function_service_client::FunctionServiceClient;
use pilum_proto::spearlet::{
    CancelExecutionRequest, DeleteTaskRequest, GetExecutionStatusRequest, GetHealthRequest, GetStatsRequest,
    GetTaskRequest, InvokeFunctionRequest,
};
use pilum_proto::{REQUEST_MAX_BYTES, RESPONSE_MAX_BYTES};
use pilum_types::{ExecutionId, TaskId};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::Channel;

/// A connection to a host. Clones share it, and calls on it run side by side.
#[derive(Debug, Clone)]
pub struct Client {
    stub: FunctionServiceClient<Channel>,
    host: HostServiceClient<Channel>,
}

impl Client {
    /// Connects to a host, within 5 seconds. `endpoint` is `http://HOST:PORT` or
    /// `HOST:PORT`. A connection that breaks later is made anew by the next call.
    ///
    /// # Errors
    /// When the endpoint cannot be used or nobody answers there.
    pub async fn connect(endpoint: &str) -> Result<Self, ClientError> {
        connect::over_tcp(endpoint).await.map(Self::over_channel)
    }

    /// Speaks to a host over a stream, such as one in the same process. When it
    /// breaks, the client is of no more use.
    ///
    /// # Errors
    /// When the other end does not speak HTTP/2.
    pub async fn over<Io>(io: Io) -> Result<Self, ClientError>
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        connect::over_stream(io).await.map(Self::over_channel)
    }

    /// Calls a function. A synchronous call has ended when this returns, and
    /// stops when the future is dropped; an execution that ran and failed is no
    /// error, but says so in its status.
    ///
    /// # Errors
    /// When the request does not become an execution.
    pub async fn invoke(&self, call: Call) -> Result<Invoked, ClientError> {
        let request = sized(call.into_request()?)?;
        read::invoked(self.stub().invoke_function(request).await?.into_inner())
    }

    /// Calls a function and takes its result in pieces.
    ///
    /// # Errors
    /// When the request does not become an execution.
    pub async fn stream(&self, call: Call) -> Result<Chunks, ClientError> {
        let request = sized(call.into_stream_request()?)?;
        Ok(Chunks::new(self.stub().stream_function(request).await?.into_inner()))
    }

    /// How an execution stands, with its result and its logs if wanted; `None`
    /// if there is none.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn status(
        &self,
        id: &ExecutionId,
        include_result: bool,
        include_logs: bool,
    ) -> Result<Option<Report>, ClientError> {
        let execution_id = id.to_string();
        let request = GetExecutionStatusRequest { execution_id, include_result, include_logs };
        read::report(self.stub().get_execution_status(request).await?.into_inner())
    }

    /// Cancels an execution; one that runs only with `force`.
    ///
    /// # Errors
    /// When the host refuses; `NotFound` for an unknown id.
    pub async fn cancel(
        &self,
        id: &ExecutionId,
        reason: &str,
        force: bool,
    ) -> Result<Cancellation, ClientError> {
        let request =
            CancelExecutionRequest { execution_id: id.to_string(), reason: reason.to_owned(), force };
        read::cancellation(self.stub().cancel_execution(request).await?.into_inner())
    }

    /// A task; `None` if there is none.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn get_task(&self, id: &TaskId) -> Result<Option<Task>, ClientError> {
        let request = GetTaskRequest { task_id: id.to_string(), ..GetTaskRequest::default() };
        let response = self.stub().get_task(request).await?.into_inner();
        response.task.filter(|_| response.found).map(read::task).transpose()
    }

    /// Unregisters a task; one with executions that wait or run only with
    /// `force`, which cancels them.
    ///
    /// # Errors
    /// When the host refuses; `NotFound` for an unknown id.
    pub async fn delete_task(
        &self,
        id: &TaskId,
        force: bool,
        cleanup_executions: bool,
    ) -> Result<Deletion, ClientError> {
        let request = DeleteTaskRequest { task_id: id.to_string(), force, cleanup_executions };
        Ok(read::deletion(self.stub().delete_task(request).await?.into_inner()))
    }

    /// How the host is.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn health(&self) -> Result<Health, ClientError> {
        let request = GetHealthRequest { include_details: true };
        Ok(read::health(self.stub().get_health(request).await?.into_inner()))
    }

    /// What the host counted since it started.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn stats(&self) -> Result<HostStats, ClientError> {
        let request = GetStatsRequest { include_execution_stats: true, ..GetStatsRequest::default() };
        Ok(read::stats(self.stub().get_stats(request).await?.into_inner()))
    }

    /// The generated client, which wants to be mutable for each call.
    pub(crate) fn stub(&self) -> FunctionServiceClient<Channel> {
        self.stub.clone()
    }

    fn over_channel(channel: Channel) -> Self {
        let stub = FunctionServiceClient::new(channel.clone())
            .max_encoding_message_size(REQUEST_MAX_BYTES)
            .max_decoding_message_size(RESPONSE_MAX_BYTES);
        Self { stub, host: HostServiceClient::new(channel).max_decoding_message_size(RESPONSE_MAX_BYTES) }
    }

    /// The generated client of the host's own service.
    pub(crate) fn host(&self) -> HostServiceClient<Channel> {
        self.host.clone()
    }
}

/// A request that a host can take. A longer one would break the connection.
fn sized(request: InvokeFunctionRequest) -> Result<InvokeFunctionRequest, ClientError> {
    let bytes = request.encoded_len();
    if bytes > REQUEST_MAX_BYTES {
        return Err(ClientError::TooLarge { bytes, max_bytes: REQUEST_MAX_BYTES });
    }
    Ok(request)
}
