//! Listings, all pages of them.

use crate::answer::{ExecutionLine, Task};
use crate::client::Client;
use crate::{ClientError, read};
use pilum_proto::spearlet::{ListExecutionsRequest, ListTasksRequest};
use pilum_types::{ExecutionId, State, TaskId};

/// Entries asked for at once: the most a host gives.
pub(crate) const PAGE: i32 = 1_000;

/// Which executions to list.
#[derive(Debug, Clone, Default)]
pub struct ExecutionFilter {
    /// Only this task's.
    pub task_id: Option<TaskId>,
    /// Only those with greater ids, which are later.
    pub start_after: Option<ExecutionId>,
    /// Only those in this state.
    pub state: Option<State>,
    /// At most so many; `None` lists all.
    pub limit: Option<usize>,
}

impl Client {
    /// All tasks whose names begin with `prefix`, in ascending order of name.
    ///
    /// # Errors
    /// When the host refuses or a page does not follow the one before.
    pub async fn list_tasks(&self, prefix: &str) -> Result<Vec<Task>, ClientError> {
        let mut tasks = Vec::new();
        let mut start_after = String::new();
        loop {
            let request = ListTasksRequest {
                prefix: prefix.to_owned(),
                limit: PAGE,
                start_after: start_after.clone(),
                include_details: true,
            };
            let page = self.stub().list_tasks(request).await?.into_inner();
            tasks.extend(page.tasks.into_iter().map(read::task).collect::<Result<Vec<_>, _>>()?);
            if !page.has_more {
                return Ok(tasks);
            }
            start_after = next(&start_after, page.next_start_after)?;
        }
    }

    /// The executions that pass `filter`, in ascending order of id.
    ///
    /// # Errors
    /// When the host refuses or a page does not follow the one before.
    pub async fn list_executions(&self, filter: &ExecutionFilter) -> Result<Vec<ExecutionLine>, ClientError> {
        let limit = filter.limit.unwrap_or(usize::MAX);
        let mut executions = Vec::new();
        let mut start_after = filter.start_after.as_ref().map(ToString::to_string).unwrap_or_default();
        while executions.len() < limit {
            let request = ListExecutionsRequest {
                task_id: filter.task_id.as_ref().map(ToString::to_string).unwrap_or_default(),
                limit: (limit - executions.len()).try_into().unwrap_or(PAGE).min(PAGE),
                start_after: start_after.clone(),
                status_filter: filter.state.map(read::number).unwrap_or_default(),
            };
            let page = self.stub().list_executions(request).await?.into_inner();
            let lines = page.executions.into_iter().map(read::execution_line);
            executions.extend(lines.collect::<Result<Vec<_>, _>>()?);
            if !page.has_more {
                break;
            }
            start_after = next(&start_after, page.next_start_after)?;
        }
        Ok(executions)
    }
}

/// Where the next page begins: further on, or the listing would never end.
pub(crate) fn next(before: &str, after: String) -> Result<String, ClientError> {
    if after.as_str() > before {
        return Ok(after);
    }
    Err(ClientError::Answer(format!("the page after {before:?} begins at {after:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_must_go_forward() {
        assert_eq!(next("a", "b".into()).ok().as_deref(), Some("b"));
        assert!(next("b", "b".into()).is_err());
        assert!(next("b", String::new()).is_err());
    }
}
