//! Executions that failed for good.

use crate::answer::ExecutionLine;
use crate::client::Client;
use crate::pages::{PAGE, next};
use crate::{ClientError, read};
use pilum_proto::pilum::v1::{DiscardDeadLetterRequest, ListDeadLettersRequest, RedriveDeadLetterRequest};
use pilum_types::{ExecutionId, TaskId};

impl Client {
    /// All dead letters, or those of one task, in ascending order of id.
    ///
    /// # Errors
    /// When the host refuses or a page does not follow the one before.
    pub async fn dead_letters(&self, task_id: Option<&TaskId>) -> Result<Vec<ExecutionLine>, ClientError> {
        let mut letters = Vec::new();
        let mut start_after = String::new();
        loop {
            let request = ListDeadLettersRequest {
                task_id: task_id.map(ToString::to_string).unwrap_or_default(),
                limit: PAGE,
                start_after: start_after.clone(),
            };
            let page = self.host().list_dead_letters(request).await?.into_inner();
            let lines = page.executions.into_iter().map(read::execution_line);
            letters.extend(lines.collect::<Result<Vec<_>, _>>()?);
            if !page.has_more {
                return Ok(letters);
            }
            start_after = next(&start_after, page.next_start_after)?;
        }
    }

    /// Runs a dead letter's call anew; returns the new execution's id.
    ///
    /// # Errors
    /// When the host refuses; `NotFound` if there is no such dead letter.
    pub async fn redrive(&self, id: &ExecutionId) -> Result<ExecutionId, ClientError> {
        let request = RedriveDeadLetterRequest { execution_id: id.to_string() };
        read::execution_id(&self.host().redrive_dead_letter(request).await?.into_inner().execution_id)
    }

    /// Gives a dead letter up. Its execution stays as it ended.
    ///
    /// # Errors
    /// When the host refuses; `NotFound` if there is no such dead letter.
    pub async fn discard(&self, id: &ExecutionId) -> Result<(), ClientError> {
        let request = DiscardDeadLetterRequest { execution_id: id.to_string() };
        self.host().discard_dead_letter(request).await?;
        Ok(())
    }
}
