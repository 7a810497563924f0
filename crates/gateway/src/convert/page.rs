//! Requests for a page of a listing.

use super::bounds::bounded;
use crate::error::ApiError;
use pilum_execution::ListQuery;
use pilum_proto::pilum::v1::ListDeadLettersRequest;
use pilum_proto::spearlet::{ExecutionStatus, ListExecutionsRequest, ListTasksRequest};
use pilum_types::{ExecutionId, State, TaskId};

/// How many entries a page has if the request does not say.
const PAGE_DEFAULT: usize = 100;
/// How many entries a page has at most: so many still fit in one response with all
/// details.
const PAGE_MAX: usize = 1_000;
/// Longest task name, or beginning of a task name, in bytes.
const NAME_MAX_BYTES: usize = 128;

/// Which tasks a page lists.
#[derive(Debug)]
pub(crate) struct TaskPage {
    /// Only tasks whose names begin with this text.
    pub(crate) prefix: String,
    /// Only tasks whose names are greater than this.
    pub(crate) start_after: String,
    /// At most so many tasks.
    pub(crate) limit: usize,
    /// Whether to include the artifact and the metadata of each task.
    pub(crate) details: bool,
}

/// Reads a request for a page of tasks.
pub(crate) fn task_page(request: ListTasksRequest) -> Result<TaskPage, ApiError> {
    Ok(TaskPage {
        limit: limit("limit", request.limit)?,
        prefix: bounded("prefix", request.prefix, NAME_MAX_BYTES)?,
        start_after: bounded("start_after", request.start_after, NAME_MAX_BYTES)?,
        details: request.include_details,
    })
}

/// Reads a request for a page of executions. `None` when nothing can match, because no
/// task has a malformed id.
pub(crate) fn execution_page(request: &ListExecutionsRequest) -> Result<Option<ListQuery>, ApiError> {
    let state = status_filter(request.status_filter)?;
    let query = page(request.limit, &request.start_after, &request.task_id)?;
    Ok(query.map(|query| ListQuery { state, ..query }))
}

/// Reads a request for a page of dead letters; `None` as in [`execution_page`].
pub(crate) fn dead_letter_page(request: &ListDeadLettersRequest) -> Result<Option<ListQuery>, ApiError> {
    let query = page(request.limit, &request.start_after, &request.task_id)?;
    Ok(query.map(|query| ListQuery { dead_letters: true, ..query }))
}

fn page(limit: i32, start_after: &str, task_id: &str) -> Result<Option<ListQuery>, ApiError> {
    let limit = self::limit("limit", limit)?;
    let start_after = match start_after {
        "" => None,
        id => match ExecutionId::parse(id) {
            Ok(id) => Some(id),
            Err(error) => return Err(ApiError::field("start_after", error.to_string())),
        },
    };
    let task_id = match task_id {
        "" => None,
        id => match TaskId::parse(id) {
            Ok(id) => Some(id),
            Err(_malformed) => return Ok(None),
        },
    };
    Ok(Some(ListQuery { task_id, start_after, limit, ..ListQuery::default() }))
}

/// How many entries a page has at most, if its request says `number`.
pub(crate) fn limit(field: &str, number: i32) -> Result<usize, ApiError> {
    match usize::try_from(number) {
        Ok(0) => Ok(PAGE_DEFAULT),
        Ok(limit) => Ok(limit.min(PAGE_MAX)),
        Err(_negative) => Err(ApiError::field(field, format!("is {number}, it may not be negative"))),
    }
}

fn status_filter(number: i32) -> Result<Option<State>, ApiError> {
    Ok(match ExecutionStatus::try_from(number) {
        Ok(ExecutionStatus::Unknown) => None,
        Ok(ExecutionStatus::Pending) => Some(State::Pending),
        Ok(ExecutionStatus::Running) => Some(State::Running),
        Ok(ExecutionStatus::Completed) => Some(State::Completed),
        Ok(ExecutionStatus::Failed) => Some(State::Failed),
        Ok(ExecutionStatus::Cancelled) => Some(State::Cancelled),
        Ok(ExecutionStatus::Timeout) => Some(State::Timeout),
        Err(_) => return Err(ApiError::field("status_filter", format!("{number} is not a status"))),
    })
}
