//! `spearlet.FunctionService`.

mod calls;
mod executions;
mod health;
mod stats;
mod tasks;

use super::rpc::{response, tenant_and_message};
use futures::stream::BoxStream;
use pilum_execution::{Executions, Runtime, Store};
use pilum_proto::spearlet::function_service_server::FunctionService;
use pilum_proto::spearlet::{
    CancelExecutionRequest, CancelExecutionResponse, DeleteTaskRequest, DeleteTaskResponse,
    GetExecutionStatusRequest, GetExecutionStatusResponse, GetHealthRequest, GetHealthResponse,
    GetStatsRequest, GetStatsResponse, GetTaskRequest, GetTaskResponse, InvokeFunctionRequest,
    InvokeFunctionResponse, ListExecutionsRequest, ListExecutionsResponse, ListTasksRequest,
    ListTasksResponse, StreamExecutionResult,
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The header in which StreamFunction sends the execution's id.
const EXECUTION_ID_HEADER: &str = "pilum-execution-id";

/// The messages of one StreamFunction call.
type Chunks = BoxStream<'static, Result<StreamExecutionResult, Status>>;

/// `spearlet.FunctionService` over the executions of one host.
#[derive(Debug)]
pub(crate) struct FunctionServiceHandler<R: Runtime, S> {
    executions: Arc<Executions<R, S>>,
}

impl<R: Runtime, S: Store> FunctionServiceHandler<R, S> {
    /// The service over these executions.
    pub(crate) fn new(executions: Arc<Executions<R, S>>) -> Self {
        Self { executions }
    }
}

#[tonic::async_trait]
impl<R: Runtime, S: Store> FunctionService for FunctionServiceHandler<R, S> {
    type StreamFunctionStream = Chunks;

    async fn invoke_function(
        &self,
        request: Request<InvokeFunctionRequest>,
    ) -> Result<Response<InvokeFunctionResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(calls::invoke(&self.executions, tenant, request).await)
    }

    async fn stream_function(
        &self,
        request: Request<InvokeFunctionRequest>,
    ) -> Result<Response<Chunks>, Status> {
        let (tenant, request) = tenant_and_message(request);
        let call = calls::stream(&self.executions, tenant, request).await.map_err(Status::from)?;
        let Ok(id) = call.id().as_str().parse() else {
            unreachable!("the characters of an id are valid in a header");
        };
        let mut response: Response<Chunks> = Response::new(Box::pin(calls::messages(call)));
        // The client gets the id before the first chunk, so that it can cancel a call
        // that writes nothing.
        response.metadata_mut().insert(EXECUTION_ID_HEADER, id);
        Ok(response)
    }

    async fn get_execution_status(
        &self,
        request: Request<GetExecutionStatusRequest>,
    ) -> Result<Response<GetExecutionStatusResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(executions::status(&self.executions, tenant, request).await)
    }

    async fn cancel_execution(
        &self,
        request: Request<CancelExecutionRequest>,
    ) -> Result<Response<CancelExecutionResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(executions::cancel(&self.executions, tenant, request).await)
    }

    async fn list_tasks(
        &self,
        request: Request<ListTasksRequest>,
    ) -> Result<Response<ListTasksResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(tasks::list(&self.executions, &tenant, request))
    }

    async fn get_task(&self, request: Request<GetTaskRequest>) -> Result<Response<GetTaskResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(tasks::get(&self.executions, tenant, request).await)
    }

    async fn delete_task(
        &self,
        request: Request<DeleteTaskRequest>,
    ) -> Result<Response<DeleteTaskResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(tasks::delete(&self.executions, tenant, request).await)
    }

    async fn list_executions(
        &self,
        request: Request<ListExecutionsRequest>,
    ) -> Result<Response<ListExecutionsResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(executions::list(&self.executions, tenant, request).await)
    }

    async fn get_health(
        &self,
        request: Request<GetHealthRequest>,
    ) -> Result<Response<GetHealthResponse>, Status> {
        let (_, request) = tenant_and_message(request);
        Ok(Response::new(health::health(&self.executions, request).await))
    }

    async fn get_stats(
        &self,
        request: Request<GetStatsRequest>,
    ) -> Result<Response<GetStatsResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(stats::stats(&self.executions, tenant, request).await)
    }
}
