//! Pages of listings.

use super::bounded;
use crate::error::Rejection;
use pilum_execution::ListQuery;
use pilum_proto::pilum::v1::ListDeadLettersRequest;
use pilum_proto::spearlet::{ExecutionStatus, ListExecutionsRequest, ListTasksRequest};
use pilum_types::{ExecutionId, State, TaskId};

/// Entries of a page that asks for none in particular.
const PAGE_DEFAULT: usize = 100;
/// Entries of a page: what still fits in one response with all details.
const PAGE_MAX: usize = 1_000;
/// Longest task name or beginning of one, in bytes; names are no longer.
const NAME_MAX_BYTES: usize = 128;

/// A page of tasks.
#[derive(Debug)]
pub(crate) struct TaskPage {
    /// Only names that begin so.
    pub(crate) prefix: String,
    /// Only names greater than this.
    pub(crate) start_after: String,
    /// How many at most.
    pub(crate) limit: usize,
    /// Whether to show all of each.
    pub(crate) details: bool,
}

/// Reads a request for tasks.
pub(crate) fn task_page(request: ListTasksRequest) -> Result<TaskPage, Rejection> {
    Ok(TaskPage {
        limit: limit("limit", request.limit)?,
        prefix: bounded("prefix", request.prefix, NAME_MAX_BYTES)?,
        start_after: bounded("start_after", request.start_after, NAME_MAX_BYTES)?,
        details: request.include_details,
    })
}

/// Reads a request for executions. `None` when nothing can match: no task has
/// a malformed id.
pub(crate) fn execution_page(request: &ListExecutionsRequest) -> Result<Option<ListQuery>, Rejection> {
    let state = status_filter(request.status_filter)?;
    let query = page(request.limit, &request.start_after, &request.task_id)?;
    Ok(query.map(|query| ListQuery { state, ..query }))
}

/// Reads a request for dead letters; `None` as in [`execution_page`].
pub(crate) fn dead_letter_page(request: &ListDeadLettersRequest) -> Result<Option<ListQuery>, Rejection> {
    let query = page(request.limit, &request.start_after, &request.task_id)?;
    Ok(query.map(|query| ListQuery { dead_letters: true, ..query }))
}

fn page(asked: i32, start_after: &str, task_id: &str) -> Result<Option<ListQuery>, Rejection> {
    let limit = limit("limit", asked)?;
    let start_after = match start_after {
        "" => None,
        id => match ExecutionId::parse(id) {
            Ok(id) => Some(id),
            Err(error) => return Err(Rejection::field("start_after", error.to_string())),
        },
    };
    let task_id = match task_id {
        "" => None,
        id => match TaskId::parse(id) {
            Ok(id) => Some(id),
            Err(_nobodys) => return Ok(None),
        },
    };
    Ok(Some(ListQuery { task_id, start_after, limit, ..ListQuery::default() }))
}

/// How many entries a page has at most.
pub(crate) fn limit(field: &str, asked: i32) -> Result<usize, Rejection> {
    match usize::try_from(asked) {
        Ok(0) => Ok(PAGE_DEFAULT),
        Ok(limit) => Ok(limit.min(PAGE_MAX)),
        Err(_negative) => Err(Rejection::field(field, format!("is {asked}, it may not be negative"))),
    }
}

fn status_filter(number: i32) -> Result<Option<State>, Rejection> {
    Ok(match ExecutionStatus::try_from(number) {
        Ok(ExecutionStatus::Unknown) => None,
        Ok(ExecutionStatus::Pending) => Some(State::Pending),
        Ok(ExecutionStatus::Running) => Some(State::Running),
        Ok(ExecutionStatus::Completed) => Some(State::Completed),
        Ok(ExecutionStatus::Failed) => Some(State::Failed),
        Ok(ExecutionStatus::Cancelled) => Some(State::Cancelled),
        Ok(ExecutionStatus::Timeout) => Some(State::Timeout),
        Err(_) => return Err(Rejection::field("status_filter", format!("{number} is no status"))),
    })
}
