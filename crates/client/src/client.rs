//! A connection to a host, and the RPCs of its function service.

use crate::answer::{CancelResult, DeleteResult, Health, HostStats, InvokeResult, Report, Task};
use crate::call::Call;
use crate::error::{ClientError, answer};
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

/// A connection to a host. Clones share the connection, and calls on it run in parallel.
#[derive(Debug, Clone)]
pub struct Client {
    function_service: FunctionServiceClient<Channel>,
    host_service: HostServiceClient<Channel>,
}

impl Client {
    /// Connects to a host, within 5 seconds. `endpoint` is `http://HOST:PORT` or
    /// `HOST:PORT`. If the connection breaks later, the next call makes a new one.
    ///
    /// # Errors
    /// When the endpoint is malformed or no host answers there.
    pub async fn connect(endpoint: &str) -> Result<Self, ClientError> {
        connect::over_tcp(endpoint).await.map(Self::over_channel)
    }

    /// Connects to a host over a stream, such as a stream in the same process. When the
    /// stream breaks, every later call fails.
    ///
    /// # Errors
    /// When the other end does not speak HTTP/2.
    pub async fn over<Io>(io: Io) -> Result<Self, ClientError>
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        connect::over_stream(io).await.map(Self::over_channel)
    }

    /// Calls a function. A synchronous call has ended when this returns, and the host
    /// stops it when the future is dropped. An execution that ran and failed is not an
    /// error here; its status says how it failed.
    ///
    /// # Errors
    /// When the request does not become an execution.
    pub async fn invoke(&self, call: Call) -> Result<InvokeResult, ClientError> {
        let request = check_size(call.into_request()?)?;
        read::invoke_result(answer(self.function_service().invoke_function(request).await)?)
    }

    /// Calls a function and receives its output in chunks.
    ///
    /// # Errors
    /// When the request does not become an execution.
    pub async fn stream(&self, call: Call) -> Result<Chunks, ClientError> {
        let request = check_size(call.into_stream_request()?)?;
        Ok(Chunks::new(answer(self.function_service().stream_function(request).await)?))
    }

    /// The status of an execution, with its result and its logs if requested; `None` if
    /// no execution has the id.
    ///
    /// # Errors
    /// When the host answers with an error.
    pub async fn status(
        &self,
        id: &ExecutionId,
        include_result: bool,
        include_logs: bool,
    ) -> Result<Option<Report>, ClientError> {
        let execution_id = id.to_string();
        let request = GetExecutionStatusRequest { execution_id, include_result, include_logs };
        read::report(answer(self.function_service().get_execution_status(request).await)?)
    }

    /// Cancels an execution. A running execution is cancelled only with `force`.
    ///
    /// # Errors
    /// When the host answers with an error; `NotFound` for an unknown id.
    pub async fn cancel(
        &self,
        id: &ExecutionId,
        reason: &str,
        force: bool,
    ) -> Result<CancelResult, ClientError> {
        let request =
            CancelExecutionRequest { execution_id: id.to_string(), reason: reason.to_owned(), force };
        read::cancel_result(answer(self.function_service().cancel_execution(request).await)?)
    }

    /// A task; `None` if no task has the id.
    ///
    /// # Errors
    /// When the host answers with an error.
    pub async fn get_task(&self, id: &TaskId) -> Result<Option<Task>, ClientError> {
        let request = GetTaskRequest { task_id: id.to_string(), ..GetTaskRequest::default() };
        let response = answer(self.function_service().get_task(request).await)?;
        response.task.filter(|_| response.found).map(read::task).transpose()
    }

    /// Unregisters a task. A task with executions that wait or run is unregistered only
    /// with `force`, which cancels them.
    ///
    /// # Errors
    /// When the host answers with an error; `NotFound` for an unknown id.
    pub async fn delete_task(
        &self,
        id: &TaskId,
        force: bool,
        cleanup_executions: bool,
    ) -> Result<DeleteResult, ClientError> {
        let request = DeleteTaskRequest { task_id: id.to_string(), force, cleanup_executions };
        Ok(read::delete_result(answer(self.function_service().delete_task(request).await)?))
    }

    /// Whether the host can take work.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn health(&self) -> Result<Health, ClientError> {
        let request = GetHealthRequest { include_details: true };
        Ok(read::health(answer(self.function_service().get_health(request).await)?))
    }

    /// What the host counted since it started.
    ///
    /// # Errors
    /// When the host answers with an error.
    pub async fn stats(&self) -> Result<HostStats, ClientError> {
        let request = GetStatsRequest { include_execution_stats: true, ..GetStatsRequest::default() };
        Ok(read::stats(answer(self.function_service().get_stats(request).await)?))
    }

    /// The generated client of `spearlet.FunctionService`. It needs to be mutable for each
    /// call, so each call has a clone.
    pub(crate) fn function_service(&self) -> FunctionServiceClient<Channel> {
        self.function_service.clone()
    }

    fn over_channel(channel: Channel) -> Self {
        let function_service = FunctionServiceClient::new(channel.clone())
            .max_encoding_message_size(REQUEST_MAX_BYTES)
            .max_decoding_message_size(RESPONSE_MAX_BYTES);
        let host_service = HostServiceClient::new(channel).max_decoding_message_size(RESPONSE_MAX_BYTES);
        Self { function_service, host_service }
    }

    /// The generated client of `pilum.v1.HostService`; see [`Self::function_service`].
    pub(crate) fn host_service(&self) -> HostServiceClient<Channel> {
        self.host_service.clone()
    }
}

/// The request, if a host accepts its length. A longer request would break the
/// connection.
fn check_size(request: InvokeFunctionRequest) -> Result<InvokeFunctionRequest, ClientError> {
    let bytes = request.encoded_len();
    if bytes > REQUEST_MAX_BYTES {
        return Err(ClientError::TooLarge { bytes, max_bytes: REQUEST_MAX_BYTES });
    }
    Ok(request)
}
