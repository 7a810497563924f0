//! ListTasks, GetTask and DeleteTask.

use crate::convert;
use crate::error::ApiError;
use crate::reply;
use pilum_execution::{DeleteResult, Executions, ListQuery, RequestError, Runtime, Store};
use pilum_proto::spearlet::{
    DeleteTaskRequest, DeleteTaskResponse, ExecutionInfo, GetTaskRequest, GetTaskResponse, ListTasksRequest,
    ListTasksResponse,
};
use pilum_types::{TaskId, TenantId};

/// ListTasks.
pub(super) fn list<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    request: ListTasksRequest,
) -> Result<ListTasksResponse, ApiError> {
    let query = convert::task_page(request)?;
    // The query asks for one more than the page holds, which tells whether another page
    // follows.
    let found = executions.tasks().list(tenant, &query.prefix, &query.start_after, query.limit + 1);
    let page = reply::page(found.iter().map(|view| reply::task_info(view, query.details)), query.limit);
    let last = page.entries.last().filter(|_| page.has_more);
    Ok(ListTasksResponse {
        next_start_after: last.map(|info| info.task_name.clone()).unwrap_or_default(),
        has_more: page.has_more,
        tasks: page.entries,
    })
}

/// GetTask.
pub(super) async fn get<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: TenantId,
    request: GetTaskRequest,
) -> Result<GetTaskResponse, ApiError> {
    let limit = convert::limit("execution_limit", request.execution_limit)?;
    // No task has a malformed id, so the answer is the same as for an unknown id.
    let id = TaskId::parse(&request.task_id).ok();
    let Some(view) = id.and_then(|id| executions.tasks().get(&tenant, &id)) else {
        return Ok(GetTaskResponse {
            message: "no task has this id".to_owned(),
            ..GetTaskResponse::default()
        });
    };
    let executions = if request.include_executions {
        executions_of_task(executions, &tenant, view.task.id.clone(), limit).await?
    } else {
        Vec::new()
    };
    Ok(GetTaskResponse {
        found: true,
        task: Some(reply::task_info(&view, true)),
        executions,
        message: String::new(),
    })
}

/// DeleteTask.
pub(super) async fn delete<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: TenantId,
    request: DeleteTaskRequest,
) -> Result<DeleteTaskResponse, ApiError> {
    let (force, cleanup) = (request.force, request.cleanup_executions);
    let result = match TaskId::parse(&request.task_id) {
        Ok(id) => executions.deletion().delete_task(&tenant, &id, force, cleanup).await?,
        Err(_malformed) => DeleteResult::Unknown,
    };
    match result {
        DeleteResult::Done { cleaned_executions } => Ok(DeleteTaskResponse {
            success: true,
            message: "deleted".to_owned(),
            deleted: true,
            cleaned_executions: cleaned_executions.try_into().unwrap_or(i32::MAX),
        }),
        DeleteResult::Busy { active } => Ok(DeleteTaskResponse {
            message: format!("{active} executions of the task wait or run; set force to cancel them"),
            ..DeleteTaskResponse::default()
        }),
        DeleteResult::Unknown => Err(RequestError::TaskNotFound { id: request.task_id }.into()),
    }
}

async fn executions_of_task<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    id: TaskId,
    limit: usize,
) -> Result<Vec<ExecutionInfo>, ApiError> {
    let query = ListQuery { task_id: Some(id), limit, ..ListQuery::default() };
    let found = executions.query().list(tenant, &query).await?;
    Ok(reply::page(found.iter().map(reply::execution_info), limit).entries)
}
