//! DeployTask, RollbackTask and DescribeTask.

use crate::convert;
use crate::error::ApiError;
use crate::reply;
use pilum_execution::{DeployResult, Executions, RequestError, Runtime, Store, TaskView};
use pilum_proto::pilum::v1::{
    DeployTaskRequest, DeployTaskResponse, DescribeTaskResponse, RollbackTaskRequest, RollbackTaskResponse,
};
use pilum_types::{TaskId, TenantId};

/// DeployTask.
pub(super) async fn deploy<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    request: DeployTaskRequest,
) -> Result<DeployTaskResponse, ApiError> {
    let spec = convert::deployment(request)?;
    let DeployResult { task, changed } = executions.tasks().deploy(tenant, spec).await?;
    let revision = Some(reply::current_revision(&task));
    Ok(DeployTaskResponse { task_id: task.id.to_string(), revision, changed })
}

/// RollbackTask.
pub(super) async fn rollback<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    request: &RollbackTaskRequest,
) -> Result<RollbackTaskResponse, ApiError> {
    let id = find(executions, tenant, &request.task)?.task.id.clone();
    let number = (request.revision > 0).then_some(request.revision);
    let DeployResult { task, changed } = executions.tasks().rollback(tenant, &id, number).await?;
    let revision = Some(reply::current_revision(&task));
    Ok(RollbackTaskResponse { task_id: task.id.to_string(), revision, changed })
}

/// DescribeTask.
pub(super) async fn describe<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    task: &str,
) -> Result<DescribeTaskResponse, ApiError> {
    let id = find(executions, tenant, task)?.task.id.clone();
    Ok(reply::task_description(&executions.tasks().describe(tenant, &id).await?))
}

/// The task with this name or, if no task has the name, the task with this id.
fn find<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    name_or_id: &str,
) -> Result<TaskView, ApiError> {
    let by_id = || executions.tasks().get(tenant, &TaskId::parse(name_or_id).ok()?);
    let found = executions.tasks().named(tenant, name_or_id).or_else(by_id);
    found.ok_or_else(|| RequestError::TaskNotFound { id: name_or_id.to_owned() }.into())
}
