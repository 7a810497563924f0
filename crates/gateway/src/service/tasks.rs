//! Deploying tasks and telling what they are.

use super::Host;
use crate::convert;
use crate::error::Rejection;
use crate::reply;
use bytes::Bytes;
use futures::StreamExt as _;
use pilum_execution::{DeployResult, RequestError, Runtime, Store, TaskView};
use pilum_proto::pilum::v1::{
    DeployTaskRequest, DeployTaskResponse, DescribeTaskResponse, RollbackTaskRequest, RollbackTaskResponse,
    UploadArtifactRequest, UploadArtifactResponse,
};
use pilum_types::{TaskId, TenantId};
use tonic::Streaming;

impl<R: Runtime, S: Store> Host<R, S> {
    pub(super) async fn upload(
        &self,
        chunks: Streaming<UploadArtifactRequest>,
    ) -> Result<UploadArtifactResponse, Rejection> {
        // Closed by nobody: who waits is bounded by the request's deadline.
        let _turn = self.uploads.acquire().await;
        let bytes = chunks.map(|chunk| match chunk {
            Ok(message) => Ok(Bytes::from(message.chunk)),
            Err(status) => Err(status.message().to_owned()),
        });
        let kept = self.executions.tasks().upload(Box::pin(bytes)).await?;
        Ok(UploadArtifactResponse {
            location: kept.source.location,
            checksum: kept.source.checksum.map(|digest| digest.to_string()).unwrap_or_default(),
            size_bytes: i64::try_from(kept.bytes).unwrap_or(i64::MAX),
        })
    }

    pub(super) async fn deploy(
        &self,
        tenant: &TenantId,
        request: DeployTaskRequest,
    ) -> Result<DeployTaskResponse, Rejection> {
        let spec = convert::deployment(request)?;
        let DeployResult { task, changed } = self.executions.tasks().deploy(tenant, spec).await?;
        let revision = Some(reply::current_revision(&task));
        Ok(DeployTaskResponse { task_id: task.id.to_string(), revision, changed })
    }

    pub(super) async fn rollback(
        &self,
        tenant: &TenantId,
        request: &RollbackTaskRequest,
    ) -> Result<RollbackTaskResponse, Rejection> {
        let id = self.task(tenant, &request.task)?.task.id.clone();
        let number = (request.revision > 0).then_some(request.revision);
        let DeployResult { task, changed } = self.executions.tasks().rollback(tenant, &id, number).await?;
        let revision = Some(reply::current_revision(&task));
        Ok(RollbackTaskResponse { task_id: task.id.to_string(), revision, changed })
    }

    pub(super) async fn describe(
        &self,
        tenant: &TenantId,
        task: &str,
    ) -> Result<DescribeTaskResponse, Rejection> {
        let id = self.task(tenant, task)?.task.id.clone();
        Ok(reply::described(&self.executions.tasks().describe(tenant, &id).await?))
    }

    /// The task with this name or, where none has it, with this id.
    fn task(&self, tenant: &TenantId, name: &str) -> Result<TaskView, Rejection> {
        let by_id = || self.executions.tasks().get(tenant, &TaskId::parse(name).ok()?);
        let found = self.executions.tasks().named(tenant, name).or_else(by_id);
        found.ok_or_else(|| RequestError::TaskNotFound { id: name.to_owned() }.into())
    }
}
