//! `pilum.v1.HostService`.

use super::{answer, open, page};
use crate::convert;
use crate::error::Rejection;
use crate::reply;
use futures::Stream;
use futures::stream::BoxStream;
use pilum_execution::{Executions, Runtime, Store, Update, Watch};
use pilum_proto::pilum::v1::host_service_server::HostService;
use pilum_proto::pilum::v1::{
    DeployTaskRequest, DeployTaskResponse, DescribeTaskRequest, DescribeTaskResponse,
    DiscardDeadLetterRequest, DiscardDeadLetterResponse, ListDeadLettersRequest, ListDeadLettersResponse,
    RedriveDeadLetterRequest, RedriveDeadLetterResponse, RollbackTaskRequest, RollbackTaskResponse,
    UploadArtifactRequest, UploadArtifactResponse, WatchExecutionRequest, WatchExecutionResponse,
};
use pilum_types::{ExecutionId, TenantId};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};

/// Artifacts that are uploaded at once.
const UPLOADS_AT_ONCE: usize = 4;

/// The service over one host's executions.
#[derive(Debug)]
pub(crate) struct Host<R: Runtime, S> {
    pub(super) executions: Arc<Executions<R, S>>,
    /// Turns to upload: each writes to the disk as fast as it takes bytes.
    pub(super) uploads: Semaphore,
}

impl<R: Runtime, S: Store> Host<R, S> {
    /// The service over these executions.
    pub(crate) fn new(executions: Arc<Executions<R, S>>) -> Self {
        Self { executions, uploads: Semaphore::new(UPLOADS_AT_ONCE) }
    }

    async fn watch(&self, tenant: &TenantId, id: &str) -> Result<Watch<R, S>, Rejection> {
        let watch = match ExecutionId::parse(id) {
            Ok(known) => self.executions.query().watch(tenant, &known).await?,
            Err(_nobodys) => None,
        };
        watch.ok_or_else(|| Rejection::ExecutionNotFound { id: id.to_owned() })
    }

    async fn listed(
        &self,
        tenant: &TenantId,
        request: &ListDeadLettersRequest,
    ) -> Result<ListDeadLettersResponse, Rejection> {
        let Some(query) = convert::dead_letter_page(request)? else {
            return Ok(ListDeadLettersResponse::default());
        };
        let page = page(&self.executions, tenant, query).await?;
        let last = page.entries.last().filter(|_| page.has_more);
        Ok(ListDeadLettersResponse {
            next_start_after: last.map(|info| info.execution_id.clone()).unwrap_or_default(),
            has_more: page.has_more,
            executions: page.entries,
        })
    }

    async fn redrive(&self, tenant: &TenantId, id: String) -> Result<RedriveDeadLetterResponse, Rejection> {
        let anew = match ExecutionId::parse(&id) {
            Ok(known) => self.executions.dead_letters().redrive(tenant, &known).await?,
            Err(_nobodys) => None,
        };
        let anew = anew.ok_or(Rejection::DeadLetterNotFound { id })?;
        Ok(RedriveDeadLetterResponse {
            status_endpoint: reply::status_path(anew.as_str()),
            execution_id: anew.to_string(),
        })
    }

    async fn discard(&self, tenant: &TenantId, id: String) -> Result<DiscardDeadLetterResponse, Rejection> {
        let found = match ExecutionId::parse(&id) {
            Ok(known) => self.executions.dead_letters().discard(tenant, &known).await?,
            Err(_nobodys) => false,
        };
        if found { Ok(DiscardDeadLetterResponse {}) } else { Err(Rejection::DeadLetterNotFound { id }) }
    }
}

#[tonic::async_trait]
impl<R: Runtime, S: Store> HostService for Host<R, S> {
    type WatchExecutionStream = BoxStream<'static, Result<WatchExecutionResponse, Status>>;

    async fn watch_execution(
        &self,
        request: Request<WatchExecutionRequest>,
    ) -> Result<Response<Self::WatchExecutionStream>, Status> {
        let (tenant, request) = open(request);
        let watch = self.watch(&tenant, &request.execution_id).await.map_err(Status::from)?;
        Ok(Response::new(Box::pin(news(watch, request.include_logs))))
    }

    async fn upload_artifact(
        &self,
        request: Request<Streaming<UploadArtifactRequest>>,
    ) -> Result<Response<UploadArtifactResponse>, Status> {
        let (_, chunks) = open(request);
        answer(self.upload(chunks).await)
    }

    async fn deploy_task(
        &self,
        request: Request<DeployTaskRequest>,
    ) -> Result<Response<DeployTaskResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.deploy(&tenant, request).await)
    }

    async fn rollback_task(
        &self,
        request: Request<RollbackTaskRequest>,
    ) -> Result<Response<RollbackTaskResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.rollback(&tenant, &request).await)
    }

    async fn describe_task(
        &self,
        request: Request<DescribeTaskRequest>,
    ) -> Result<Response<DescribeTaskResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.describe(&tenant, &request.task).await)
    }

    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.listed(&tenant, &request).await)
    }

    async fn redrive_dead_letter(
        &self,
        request: Request<RedriveDeadLetterRequest>,
    ) -> Result<Response<RedriveDeadLetterResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.redrive(&tenant, request.execution_id).await)
    }

    async fn discard_dead_letter(
        &self,
        request: Request<DiscardDeadLetterRequest>,
    ) -> Result<Response<DiscardDeadLetterResponse>, Status> {
        let (tenant, request) = open(request);
        answer(self.discard(&tenant, request.execution_id).await)
    }
}

/// What a watch tells, as messages.
fn news<R: Runtime, S: Store>(
    watch: Watch<R, S>,
    with_logs: bool,
) -> impl Stream<Item = Result<WatchExecutionResponse, Status>> {
    futures::stream::unfold(Some(watch), move |watch| async move {
        let mut watch = watch?;
        loop {
            let update = match watch.next().await {
                Ok(update) => update?,
                Err(refusal) => return Some((Err(Status::from(Rejection::from(refusal))), None)),
            };
            let message = match update {
                Update::Changed(execution) => WatchExecutionResponse {
                    status: Some(reply::status(&execution, true, with_logs)),
                    ..WatchExecutionResponse::default()
                },
                Update::Logged(_) | Update::Missed(_) if !with_logs => continue,
                Update::Logged(line) => WatchExecutionResponse {
                    log_line: reply::log_line(&line),
                    ..WatchExecutionResponse::default()
                },
                Update::Missed(missed) => WatchExecutionResponse {
                    missed: missed.try_into().unwrap_or(i64::MAX),
                    ..WatchExecutionResponse::default()
                },
            };
            return Some((Ok(message), Some(watch)));
        }
    })
}
