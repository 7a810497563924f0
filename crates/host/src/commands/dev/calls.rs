//! Shows the calls of the project's task as they end.

use crate::terminal::print;
use anyhow::Result;
use pilum_client::{Client, ExecutionFilter};
use pilum_types::{ExecutionId, TaskId};
use std::collections::BTreeMap;

/// The most executions that are listed at one look. The rest is listed at the next look.
const LISTED_MAX: usize = 100;

/// What was shown of a task's executions so far.
#[derive(Debug, Default)]
pub(super) struct ShownCalls {
    /// The execution that was listed last.
    last: Option<ExecutionId>,
    /// The called functions of executions that have not ended, by execution id.
    under_way: BTreeMap<String, String>,
}

impl ShownCalls {
    /// Skips the executions that there are already.
    pub(super) async fn skip_earlier(&mut self, client: &Client, task: &TaskId) -> Result<()> {
        let filter = ExecutionFilter { task_id: Some(task.clone()), ..ExecutionFilter::default() };
        self.last = client.list_executions(&filter).await?.pop().map(|line| line.id);
        Ok(())
    }

    /// Prints the executions that have ended since the last call of this function.
    pub(super) async fn show_new(&mut self, client: &Client, task: &TaskId) -> Result<()> {
        let filter = ExecutionFilter {
            task_id: Some(task.clone()),
            start_after: self.last.clone(),
            limit: Some(LISTED_MAX),
            ..ExecutionFilter::default()
        };
        for line in client.list_executions(&filter).await? {
            self.under_way.insert(line.id.as_str().to_owned(), line.function);
            self.last = Some(line.id);
        }
        for (id, function) in self.under_way.clone() {
            let id = ExecutionId::parse(&id)?;
            let Some(report) = client.status(&id, false, true).await? else {
                self.under_way.remove(id.as_str());
                continue;
            };
            let status = &report.status;
            if !status.state.is_terminal() {
                continue;
            }
            let code = status.error_code.as_ref().map(|code| format!(" {code}: {}", status.error_message));
            let code = code.unwrap_or_default();
            print::text(format!(
                "{function} {} in {} ms ({id}){code}",
                status.state,
                status.duration.as_millis()
            ));
            for line in &report.logs {
                print::text(format!("  {line}"));
            }
            self.under_way.remove(id.as_str());
        }
        Ok(())
    }
}
