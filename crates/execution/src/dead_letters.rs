//! Executions that failed with their retries spent: run anew, or given up.

use crate::core::Core;
use crate::{Accepted, RequestError, Runtime, Schedule, Store, Submission, ids};
use pilum_types::{ExecutionId, TenantId};

impl<R: Runtime, S: Store> Core<R, S> {
    /// Accepts a dead letter's call anew, under a new id, and takes it off the
    /// list. However often this is asked, and though the host may die in
    /// between, it is accepted once: the new id is noted first.
    pub(crate) async fn redrive(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<Option<ExecutionId>, RequestError> {
        if self.is_draining() {
            return Err(RequestError::Draining);
        }
        let now = self.clock.now();
        let Some(submission) = self.store.redrive(tenant, id, &ids::execution(now)).await? else {
            return Ok(None);
        };
        let entry = self.tasks.get(tenant, &submission.task_id);
        let entry =
            entry.ok_or_else(|| RequestError::TaskNotFound { id: submission.task_id.as_str().to_owned() })?;
        // Its times were those of the first call.
        let schedule = Schedule { priority: submission.schedule.priority, ..Schedule::default() };
        let submission = Submission { schedule, ..submission };
        let anew = submission.id.clone();
        let admission = self.admission(&entry, &submission.function, true);
        match self.store.accept(submission, admission, now).await? {
            Accepted::New { .. } => {
                entry.count_admitted();
                self.wake.notify_one();
            }
            Accepted::Existing(_) => {}
            Accepted::Conflict => return Err(RequestError::ExecutionExists { id: anew.as_str().to_owned() }),
            Accepted::Full => return Err(self.queue_full()),
            Accepted::OutOfSpace { max_bytes } => return Err(self.out_of_space(max_bytes)),
        }
        self.forget_dead(tenant, id).await?;
        Ok(Some(anew))
    }

    /// Takes a dead letter off the list; false if there is none.
    pub(crate) async fn discard(&self, tenant: &TenantId, id: &ExecutionId) -> Result<bool, RequestError> {
        self.forget_dead(tenant, id).await
    }

    async fn forget_dead(&self, tenant: &TenantId, id: &ExecutionId) -> Result<bool, RequestError> {
        let was_there = self.store.discard(tenant, id).await?;
        self.finished.forget(tenant, id);
        Ok(was_there)
    }
}

#[cfg(test)]
mod tests;
