//! Dead letters: executions that failed with their retries spent. They can be redriven or
//! discarded.

use super::Queue;
use crate::ctx::ids;
use crate::{RequestError, Runtime, Schedule, Store, Submission, SubmitResult};
use pilum_types::{ExecutionId, TenantId};
use std::sync::Arc;

/// Redrives and discards dead letters.
#[derive(Debug)]
pub struct DeadLetters<R: Runtime, S> {
    queue: Arc<Queue<R, S>>,
}

impl<R: Runtime, S: Store> DeadLetters<R, S> {
    pub(crate) fn new(queue: Arc<Queue<R, S>>) -> Self {
        Self { queue }
    }

    /// Submits a dead letter's call again under a new id, which is returned, and removes it
    /// from the list; `None` if there is no such dead letter. The new id is recorded first, so
    /// repeated requests submit the call once, even if the host dies in between.
    ///
    /// # Errors
    /// When the call is not accepted. The dead letter stays in the list then.
    pub async fn redrive(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<ExecutionId>, RequestError> {
        let queue = &self.queue;
        if queue.lifecycle.is_draining() {
            return Err(RequestError::Draining);
        }
        let (store, now) = (&queue.ctx.store, queue.ctx.clock.now());
        let Some(submission) = store.redrive_dead_letter(tenant, id, &ids::execution(now)).await? else {
            return Ok(None);
        };
        let entry = queue.tasks.entry(tenant, &submission.task_id);
        let entry =
            entry.ok_or_else(|| RequestError::TaskNotFound { id: submission.task_id.as_str().to_owned() })?;
        // The first call's times do not apply to the new one.
        let schedule = Schedule { priority: submission.schedule.priority, ..Schedule::default() };
        let submission = Submission { schedule, ..submission };
        let new_id = submission.id.clone();
        let admission = queue.admission(&entry, &submission.function, true);
        match store.submit(submission, admission, now).await? {
            SubmitResult::New(_) => {
                entry.count_admitted();
                queue.wake.notify_one();
            }
            SubmitResult::Existing(_) => {}
            SubmitResult::Conflict => {
                return Err(RequestError::ExecutionExists { id: new_id.as_str().to_owned() });
            }
            SubmitResult::QueueFull => return Err(queue.queue_full()),
            SubmitResult::StoreFull { max_bytes } => return Err(queue.store_full(max_bytes)),
        }
        self.discard(tenant, id).await?;
        Ok(Some(new_id))
    }

    /// Removes a dead letter from the list; false if there is no such dead letter.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn discard(&self, tenant: &TenantId, id: &ExecutionId) -> Result<bool, RequestError> {
        let existed = self.queue.ctx.store.discard_dead_letter(tenant, id).await?;
        self.queue.observer.finished.remove(tenant, id);
        Ok(existed)
    }
}

#[cfg(test)]
mod tests;
