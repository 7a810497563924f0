//! Cancelling executions, and deleting tasks with theirs.

use crate::core::Core;
use crate::sync_run::SyncRun;
use crate::task_entry::TaskEntry;
use crate::{CancelFound, CancelResult, DeleteResult, ListQuery, RequestError, Runtime, Store};
use futures::StreamExt as _;
use pilum_types::{ExecutionId, State, TaskId, TenantId};
use std::sync::Arc;
use std::time::Duration;

/// How long a cancellation waits for what it stopped to be over. A guest stops
/// within milliseconds; the rest is for a store that is slow to write it down.
const STOP_WAIT: Duration = Duration::from_secs(5);
/// How many executions of a deleted task are cancelled at the same time.
const CANCELS_AT_ONCE: usize = 32;
/// How many executions are read or forgotten at a time when a task's are looked
/// for, so that a store's one writer is never kept from accepting for long.
const PAGE: usize = 500;
/// Why the executions of a deleted task are cancelled.
const TASK_DELETED: &str = "the task was deleted";

impl<R: Runtime, S: Store> Core<R, S> {
    /// Cancels an execution, and waits until it has ended.
    pub(crate) async fn cancel(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        force: bool,
    ) -> Result<CancelResult, RequestError> {
        let stopped = async {
            match self.ledger.get(tenant, id).filter(|run| run.view().is_some()) {
                Some(run) => Ok(cancel_sync(&run, reason, force).await),
                None => self.cancel_async(tenant, id, reason, force).await,
            }
        };
        match tokio::time::timeout(STOP_WAIT, stopped).await {
            Ok(cancelled) => cancelled,
            Err(_elapsed) => Err(RequestError::Internal(format!("{id} did not stop within {STOP_WAIT:?}"))),
        }
    }

    /// Unregisters a task.
    pub(crate) async fn delete_task(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        force: bool,
        cleanup_executions: bool,
    ) -> Result<DeleteResult, RequestError> {
        let Some(entry) = self.tasks.get(tenant, id) else { return Ok(DeleteResult::Unknown) };
        if !force {
            let active = self.running_sync(&entry).len() + self.active_async(&entry).await?.len();
            if active > 0 {
                return Ok(DeleteResult::Busy { active });
            }
        }
        if !self.tasks.remove(&entry) {
            return Ok(DeleteResult::Unknown);
        }
        // Gone here first, so that no call of it is admitted any more.
        self.store.remove_task(tenant, id).await?;
        if force {
            self.cancel_all(&entry).await?;
        }
        self.runtime.forget(&entry.task).await;
        let mut cleaned_executions = 0;
        if cleanup_executions {
            cleaned_executions += self.ledger.forget_task(tenant, id);
            cleaned_executions += self.forget_ended(tenant, id).await?;
            self.finished.clear();
        }
        Ok(DeleteResult::Done { cleaned_executions })
    }

    async fn cancel_async(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        force: bool,
    ) -> Result<CancelResult, RequestError> {
        let mut asked = false;
        loop {
            match self.store.cancel(tenant, id, reason, self.clock.now()).await? {
                CancelFound::Unknown => return Ok(CancelResult::Unknown),
                CancelFound::Pending(execution) => {
                    self.changed(&execution);
                    return Ok(CancelResult::Done);
                }
                CancelFound::Ended(State::Cancelled) if asked => return Ok(CancelResult::Done),
                CancelFound::Ended(state) => return Ok(CancelResult::AlreadyEnded(state)),
                CancelFound::Running if !force => return Ok(CancelResult::NeedsForce),
                CancelFound::Running => {}
            }
            asked = true;
            let held = self.handles.hold(tenant, id);
            held.handle.cancel(reason);
            // Looked at once the worker can find the handle: if it still runs
            // now, its worker sees the cancellation and tells its end.
            let now = self.store.get(tenant, id).await?;
            if now.is_some_and(|execution| execution.state == State::Running) {
                held.handle.ended().await;
            }
            // It may have been put back to be tried again, and even be running
            // anew: let its worker get on, and look again.
            drop(held);
            tokio::task::yield_now().await;
        }
    }

    /// Cancels everything of a task that waits or runs.
    async fn cancel_all(&self, entry: &TaskEntry<R::Prepared>) -> Result<(), RequestError> {
        let runs = self.running_sync(entry);
        for run in &runs {
            run.handle.cancel(TASK_DELETED);
        }
        let tenant = &entry.task.tenant;
        let ids = self.active_async(entry).await?;
        let mut cancels = futures::stream::iter(ids)
            .map(|id| async move { self.cancel(tenant, &id, TASK_DELETED, true).await })
            .buffer_unordered(CANCELS_AT_ONCE);
        while let Some(cancelled) = cancels.next().await {
            // One that does not stop in time ends when its worker lets go of it.
            if let Err(error) = cancelled {
                tracing::warn!(%error, "an execution of a deleted task was not cancelled");
            }
        }
        let all_ended = async {
            for run in &runs {
                run.handle.ended().await;
            }
        };
        if tokio::time::timeout(STOP_WAIT, all_ended).await.is_err() {
            tracing::warn!("a synchronous execution of a deleted task did not stop in time");
        }
        Ok(())
    }

    /// Forgets a task's executions that have ended, batch after batch.
    async fn forget_ended(&self, tenant: &TenantId, id: &TaskId) -> Result<usize, RequestError> {
        let mut forgotten = 0;
        loop {
            let batch = self.store.forget_task(tenant, id, PAGE).await?;
            forgotten += batch;
            if batch < PAGE {
                return Ok(forgotten);
            }
        }
    }

    fn running_sync(&self, entry: &TaskEntry<R::Prepared>) -> Vec<Arc<SyncRun>> {
        let task = &entry.task;
        self.ledger.running(|run| run.key.tenant == task.tenant && run.task_id == task.id)
    }

    async fn active_async(&self, entry: &TaskEntry<R::Prepared>) -> Result<Vec<ExecutionId>, RequestError> {
        let mut ids = Vec::new();
        for state in [State::Running, State::Pending] {
            let mut query = ListQuery {
                task_id: Some(entry.task.id.clone()),
                state: Some(state),
                limit: PAGE,
                ..ListQuery::default()
            };
            loop {
                let page = self.store.list(&entry.task.tenant, &query).await?;
                let is_last = page.len() < PAGE;
                ids.extend(page.into_iter().map(|listed| listed.id));
                if is_last {
                    break;
                }
                query.start_after = ids.last().cloned();
            }
        }
        Ok(ids)
    }
}

async fn cancel_sync(run: &SyncRun, reason: &str, force: bool) -> CancelResult {
    if let Some(execution) = run.result() {
        return CancelResult::AlreadyEnded(execution.state);
    }
    if !force {
        return CancelResult::NeedsForce;
    }
    run.handle.cancel(reason);
    run.handle.ended().await;
    match run.result().map(|execution| execution.state) {
        Some(State::Cancelled) => CancelResult::Done,
        Some(state) => CancelResult::AlreadyEnded(state),
        // Its task was deleted in the moment it was admitted.
        None => CancelResult::Unknown,
    }
}

#[cfg(test)]
mod tests;
