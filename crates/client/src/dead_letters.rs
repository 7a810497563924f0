//! Dead letters: asynchronous executions that failed and have no retries left.

use crate::answer::ExecutionLine;
use crate::client::Client;
use crate::error::{ClientError, answer};
use crate::pages::{PAGE_ENTRIES, next_page};
use crate::read;
use pilum_proto::pilum::v1::{DiscardDeadLetterRequest, ListDeadLettersRequest, RedriveDeadLetterRequest};
use pilum_types::{ExecutionId, TaskId};

impl Client {
    /// All dead letters, or the dead letters of one task, in ascending order of id.
    ///
    /// # Errors
    /// When the host answers with an error or a page does not follow the one before.
    pub async fn dead_letters(&self, task_id: Option<&TaskId>) -> Result<Vec<ExecutionLine>, ClientError> {
        let mut letters = Vec::new();
        let mut start_after = String::new();
        loop {
            let request = ListDeadLettersRequest {
                task_id: task_id.map(ToString::to_string).unwrap_or_default(),
                limit: PAGE_ENTRIES,
                start_after: start_after.clone(),
            };
            let page = answer(self.host_service().list_dead_letters(request).await)?;
            let lines = page.executions.into_iter().map(read::execution_line);
            letters.extend(lines.collect::<Result<Vec<_>, _>>()?);
            if !page.has_more {
                return Ok(letters);
            }
            start_after = next_page(&start_after, page.next_start_after)?;
        }
    }

    /// Calls the function of a dead letter again; returns the id of the new execution.
    ///
    /// # Errors
    /// When the host answers with an error; `NotFound` if there is no such dead letter.
    pub async fn redrive(&self, id: &ExecutionId) -> Result<ExecutionId, ClientError> {
        let request = RedriveDeadLetterRequest { execution_id: id.to_string() };
        read::execution_id(&answer(self.host_service().redrive_dead_letter(request).await)?.execution_id)
    }

    /// Takes a dead letter off the list. Its execution stays as it ended.
    ///
    /// # Errors
    /// When the host answers with an error; `NotFound` if there is no such dead letter.
    pub async fn discard(&self, id: &ExecutionId) -> Result<(), ClientError> {
        let request = DiscardDeadLetterRequest { execution_id: id.to_string() };
        answer(self.host_service().discard_dead_letter(request).await)?;
        Ok(())
    }
}
