//! `pilum.v1.HostService`.

mod artifacts;
mod dead_letters;
mod tasks;
mod watch;

use super::rpc::{response, tenant_and_message};
use futures::stream::BoxStream;
use pilum_execution::{Executions, Runtime, Store};
use pilum_proto::pilum::v1::host_service_server::HostService;
use pilum_proto::pilum::v1::{
    DeployTaskRequest, DeployTaskResponse, DescribeTaskRequest, DescribeTaskResponse,
    DiscardDeadLetterRequest, DiscardDeadLetterResponse, ListDeadLettersRequest, ListDeadLettersResponse,
    RedriveDeadLetterRequest, RedriveDeadLetterResponse, RollbackTaskRequest, RollbackTaskResponse,
    UploadArtifactRequest, UploadArtifactResponse, WatchExecutionRequest, WatchExecutionResponse,
};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};

/// How many artifacts may be uploaded at once, so that uploads leave room on the disk
/// and on the network for calls.
const CONCURRENT_UPLOADS_MAX: usize = 4;

/// `pilum.v1.HostService` over the executions of one host.
#[derive(Debug)]
pub(crate) struct HostServiceHandler<R: Runtime, S> {
    executions: Arc<Executions<R, S>>,
    /// A permit per upload, [`CONCURRENT_UPLOADS_MAX`] in all. Never closed.
    uploads: Semaphore,
}

impl<R: Runtime, S: Store> HostServiceHandler<R, S> {
    /// The service over these executions.
    pub(crate) fn new(executions: Arc<Executions<R, S>>) -> Self {
        Self { executions, uploads: Semaphore::new(CONCURRENT_UPLOADS_MAX) }
    }
}

#[tonic::async_trait]
impl<R: Runtime, S: Store> HostService for HostServiceHandler<R, S> {
    type WatchExecutionStream = BoxStream<'static, Result<WatchExecutionResponse, Status>>;

    async fn watch_execution(
        &self,
        request: Request<WatchExecutionRequest>,
    ) -> Result<Response<Self::WatchExecutionStream>, Status> {
        let (tenant, request) = tenant_and_message(request);
        let watch =
            watch::open(&self.executions, &tenant, &request.execution_id).await.map_err(Status::from)?;
        Ok(Response::new(Box::pin(watch::messages(watch, request.include_logs))))
    }

    async fn upload_artifact(
        &self,
        request: Request<Streaming<UploadArtifactRequest>>,
    ) -> Result<Response<UploadArtifactResponse>, Status> {
        let (_, chunks) = tenant_and_message(request);
        response(artifacts::upload(&self.executions, &self.uploads, chunks).await)
    }

    async fn deploy_task(
        &self,
        request: Request<DeployTaskRequest>,
    ) -> Result<Response<DeployTaskResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(tasks::deploy(&self.executions, &tenant, request).await)
    }

    async fn rollback_task(
        &self,
        request: Request<RollbackTaskRequest>,
    ) -> Result<Response<RollbackTaskResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(tasks::rollback(&self.executions, &tenant, &request).await)
    }

    async fn describe_task(
        &self,
        request: Request<DescribeTaskRequest>,
    ) -> Result<Response<DescribeTaskResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(tasks::describe(&self.executions, &tenant, &request.task).await)
    }

    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(dead_letters::list(&self.executions, &tenant, &request).await)
    }

    async fn redrive_dead_letter(
        &self,
        request: Request<RedriveDeadLetterRequest>,
    ) -> Result<Response<RedriveDeadLetterResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(dead_letters::redrive(&self.executions, &tenant, request.execution_id).await)
    }

    async fn discard_dead_letter(
        &self,
        request: Request<DiscardDeadLetterRequest>,
    ) -> Result<Response<DiscardDeadLetterResponse>, Status> {
        let (tenant, request) = tenant_and_message(request);
        response(dead_letters::discard(&self.executions, &tenant, request.execution_id).await)
    }
}
