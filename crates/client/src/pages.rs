//! Listings of tasks and of executions, over all their pages.

use crate::answer::{ExecutionLine, Task};
use crate::client::Client;
use crate::error::{ClientError, answer};
use crate::read;
use pilum_proto::spearlet::{ListExecutionsRequest, ListTasksRequest};
use pilum_types::{ExecutionId, State, TaskId};

/// How many entries the client requests at once: the longest page of a host.
pub(crate) const PAGE_ENTRIES: i32 = 1_000;

/// Which executions to list.
#[derive(Debug, Clone, Default)]
pub struct ExecutionFilter {
    /// Only executions of this task.
    pub task_id: Option<TaskId>,
    /// Only executions with a greater id than this.
    pub start_after: Option<ExecutionId>,
    /// Only executions in this state.
    pub state: Option<State>,
    /// At most so many executions; `None` lists all.
    pub limit: Option<usize>,
}

impl Client {
    /// All tasks whose names begin with `prefix`, in ascending order of name.
    ///
    /// # Errors
    /// When the host answers with an error or a page does not follow the one before.
    pub async fn list_tasks(&self, prefix: &str) -> Result<Vec<Task>, ClientError> {
        let mut tasks = Vec::new();
        let mut start_after = String::new();
        loop {
            let request = ListTasksRequest {
                prefix: prefix.to_owned(),
                limit: PAGE_ENTRIES,
                start_after: start_after.clone(),
                include_details: true,
            };
            let page = answer(self.function_service().list_tasks(request).await)?;
            tasks.extend(page.tasks.into_iter().map(read::task).collect::<Result<Vec<_>, _>>()?);
            if !page.has_more {
                return Ok(tasks);
            }
            start_after = next_page(&start_after, page.next_start_after)?;
        }
    }

    /// The executions that match `filter`, in ascending order of id.
    ///
    /// # Errors
    /// When the host answers with an error or a page does not follow the one before.
    pub async fn list_executions(&self, filter: &ExecutionFilter) -> Result<Vec<ExecutionLine>, ClientError> {
        let limit = filter.limit.unwrap_or(usize::MAX);
        let mut executions = Vec::new();
        let mut start_after = filter.start_after.as_ref().map(ToString::to_string).unwrap_or_default();
        while executions.len() < limit {
            let request = ListExecutionsRequest {
                task_id: filter.task_id.as_ref().map(ToString::to_string).unwrap_or_default(),
                limit: (limit - executions.len()).try_into().unwrap_or(PAGE_ENTRIES).min(PAGE_ENTRIES),
                start_after: start_after.clone(),
                status_filter: filter.state.map(read::number).unwrap_or_default(),
            };
            let page = answer(self.function_service().list_executions(request).await)?;
            let lines = page.executions.into_iter().map(read::execution_line);
            executions.extend(lines.collect::<Result<Vec<_>, _>>()?);
            if !page.has_more {
                break;
            }
            start_after = next_page(&start_after, page.next_start_after)?;
        }
        Ok(executions)
    }
}

/// The `start_after` of the next page. It must be greater than the one before, or the
/// listing would never end.
pub(crate) fn next_page(before: &str, after: String) -> Result<String, ClientError> {
    if after.as_str() > before {
        return Ok(after);
    }
    Err(ClientError::Answer(format!("the page after {before:?} begins at {after:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_must_begin_after_the_page_before() {
        assert_eq!(next_page("a", "b".into()).ok().as_deref(), Some("b"));
        assert!(next_page("b", "b".into()).is_err());
        assert!(next_page("b", String::new()).is_err());
    }
}
