//! `spearlet.FunctionService`: each RPC a conversion, one call of the execution
//! layer, and a conversion back.

mod admin;
mod calls;
mod host;
mod tasks;

pub(crate) use host::Host;

use crate::error::Rejection;
use crate::identity::tenant_of;
use crate::reply;
use futures::stream::BoxStream;
use pilum_execution::{Executions, ListQuery, Runtime, Store};
use pilum_proto::spearlet::function_service_server::FunctionService;
use pilum_proto::spearlet::{
    CancelExecutionRequest, CancelExecutionResponse, DeleteTaskRequest, DeleteTaskResponse, ExecutionInfo,
    GetExecutionStatusRequest, GetExecutionStatusResponse, GetHealthRequest, GetHealthResponse,
    GetStatsRequest, GetStatsResponse, GetTaskRequest, GetTaskResponse, InvokeFunctionRequest,
    InvokeFunctionResponse, ListExecutionsRequest, ListExecutionsResponse, ListTasksRequest,
    ListTasksResponse, StreamExecutionResult,
};
use pilum_types::TenantId;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The service over one host's executions.
#[derive(Debug)]
pub(crate) struct Functions<R: Runtime, S> {
    executions: Arc<Executions<R, S>>,
}

impl<R: Runtime, S: Store> Functions<R, S> {
    /// The service over these executions.
    pub(crate) fn new(executions: Arc<Executions<R, S>>) -> Self {
        Self { executions }
    }
}

/// Whose request it is, and its message.
fn open<T>(request: Request<T>) -> (TenantId, T) {
    let (metadata, _, message) = request.into_parts();
    (tenant_of(&metadata.into_headers()), message)
}

/// A page of executions. One more than asked for tells whether another follows.
async fn page<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    query: ListQuery,
) -> Result<reply::Page<ExecutionInfo>, Rejection> {
    let limit = query.limit;
    let more = ListQuery { limit: limit + 1, ..query };
    let found = executions.query().list(tenant, &more).await?;
    Ok(reply::page(found.iter().map(reply::execution_info), limit))
}

/// A message as a response, a rejection as its status.
fn answer<T>(message: Result<T, Rejection>) -> Result<Response<T>, Status> {
    message.map(Response::new).map_err(Status::from)
}

/// The header in which a stream tells its execution's id.
const EXECUTION_ID: &str = "pilum-execution-id";

type Chunks = BoxStream<'static, Result<StreamExecutionResult, Status>>;

#[tonic::async_trait]
impl<R: Runtime, S: Store> FunctionService for Functions<R, S> {
    type StreamFunctionStream = Chunks;

    async fn invoke_function(
        &self,
        request: Request<InvokeFunctionRequest>,
    ) -> Result<Response<InvokeFunctionResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.invoke(tenant, request).await)
    }

    async fn stream_function(
        &self,
        request: Request<InvokeFunctionRequest>,
    ) -> Result<Response<Chunks>, Status> {
        let (tenant, request) = open(request);
        let streaming = self.stream(tenant, request).await.map_err(Status::from)?;
        let id = streaming.id().as_str().parse().ok();
        let mut response: Response<Chunks> = Response::new(Box::pin(calls::messages(streaming)));
        if let Some(id) = id {
            // Known before the first chunk, so that a silent call can be cancelled.
            response.metadata_mut().insert(EXECUTION_ID, id);
        }
        Ok(response)
    }

    async fn get_execution_status(
        &self,
        request: Request<GetExecutionStatusRequest>,
    ) -> Result<Response<GetExecutionStatusResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.status(tenant, request).await)
    }

    async fn cancel_execution(
        &self,
        request: Request<CancelExecutionRequest>,
    ) -> Result<Response<CancelExecutionResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.cancel(tenant, request).await)
    }

    async fn list_tasks(
        &self,
        request: Request<ListTasksRequest>,
    ) -> Result<Response<ListTasksResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.tasks(&tenant, request))
    }

    async fn get_task(&self, request: Request<GetTaskRequest>) -> Result<Response<GetTaskResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.task(tenant, request).await)
    }

    async fn delete_task(
        &self,
        request: Request<DeleteTaskRequest>,
    ) -> Result<Response<DeleteTaskResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.delete(tenant, request).await)
    }

    async fn list_executions(
        &self,
        request: Request<ListExecutionsRequest>,
    ) -> Result<Response<ListExecutionsResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.listed(tenant, request).await)
    }

    async fn get_health(
        &self,
        request: Request<GetHealthRequest>,
    ) -> Result<Response<GetHealthResponse>, Status> {
        let (_, request) = open(request);
        Ok(Response::new(self.health(request).await))
    }

    async fn get_stats(
        &self,
        request: Request<GetStatsRequest>,
    ) -> Result<Response<GetStatsResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.stats(tenant, request).await)
    }
}
