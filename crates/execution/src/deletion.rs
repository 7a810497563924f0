//! Deletes tasks and the executions that belong to them.

use crate::cancel::{CANCEL_WAIT, Cancellation};
use crate::ctx::Ctx;
use crate::observe::observer::Observer;
use crate::sync::execution::SyncExecution;
use crate::sync::executions::SyncExecutions;
use crate::tasks::{TaskEntry, Tasks};
use crate::{ListQuery, RequestError, Runtime, Store};
use futures::StreamExt as _;
use pilum_types::{ExecutionId, State, TaskId, TenantId};
use std::sync::Arc;

/// How many executions of a deleted task are cancelled at the same time.
const CANCELS_AT_ONCE: usize = 32;
/// How many executions are read or removed at a time, so that submissions never wait long for
/// the store.
const PAGE: usize = 500;
/// The reason with which the executions of a deleted task are cancelled.
const TASK_DELETED: &str = "the task was deleted";

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteResult {
    /// The task is deleted.
    Done {
        /// How many ended executions were removed.
        cleaned_executions: usize,
    },
    /// Executions wait or run. Only `force` deletes such a task.
    Busy {
        /// How many.
        active: usize,
    },
    /// There is no such task.
    Unknown,
}

/// Deletes tasks.
#[derive(Debug)]
pub struct Deletion<R: Runtime, S> {
    ctx: Arc<Ctx<R, S>>,
    tasks: Arc<Tasks<R, S>>,
    sync_executions: Arc<SyncExecutions>,
    observer: Arc<Observer>,
    cancellation: Arc<Cancellation<R, S>>,
}

impl<R: Runtime, S: Store> Deletion<R, S> {
    pub(crate) fn new(
        ctx: Arc<Ctx<R, S>>,
        tasks: Arc<Tasks<R, S>>,
        sync_executions: Arc<SyncExecutions>,
        observer: Arc<Observer>,
        cancellation: Arc<Cancellation<R, S>>,
    ) -> Self {
        Self { ctx, tasks, sync_executions, observer, cancellation }
    }

    /// Deletes a task. With `force`, its executions that wait or run are cancelled; with
    /// `cleanup_executions`, its ended executions are removed.
    ///
    /// # Errors
    /// When the store fails. The task may be deleted even then.
    pub async fn delete_task(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        force: bool,
        cleanup_executions: bool,
    ) -> Result<DeleteResult, RequestError> {
        let Some(entry) = self.tasks.entry(tenant, id) else { return Ok(DeleteResult::Unknown) };
        if !force {
            let active = self.running_sync(&entry).len() + self.active_async(&entry).await?.len();
            if active > 0 {
                return Ok(DeleteResult::Busy { active });
            }
        }
        // The registry removes the task first, so that no new call of it is admitted.
        if !self.tasks.unregister(&entry) {
            return Ok(DeleteResult::Unknown);
        }
        self.ctx.store.remove_task(tenant, id).await?;
        if force {
            self.cancel_all(&entry).await?;
        }
        self.ctx.runtime.forget(&entry.task).await;
        let mut cleaned_executions = 0;
        if cleanup_executions {
            cleaned_executions += self.sync_executions.remove_ended(tenant, id);
            cleaned_executions += self.remove_ended(tenant, id).await?;
            self.observer.finished.clear();
        }
        Ok(DeleteResult::Done { cleaned_executions })
    }

    /// Cancels all executions of a task that wait or run.
    async fn cancel_all(&self, entry: &TaskEntry<R::Prepared>) -> Result<(), RequestError> {
        let running = self.running_sync(entry);
        for execution in &running {
            execution.cancel_handle.cancel(TASK_DELETED);
        }
        let tenant = &entry.task.tenant;
        let ids = self.active_async(entry).await?;
        let mut cancels = futures::stream::iter(ids)
            .map(|id| async move { self.cancellation.cancel(tenant, &id, TASK_DELETED, true).await })
            .buffer_unordered(CANCELS_AT_ONCE);
        while let Some(cancelled) = cancels.next().await {
            // An execution that does not stop in time ends when its worker records the end.
            if let Err(error) = cancelled {
                tracing::warn!(%error, "an execution of a deleted task was not cancelled");
            }
        }
        let all_ended = async {
            for execution in &running {
                execution.cancel_handle.ended().await;
            }
        };
        if tokio::time::timeout(CANCEL_WAIT, all_ended).await.is_err() {
            tracing::warn!("a synchronous execution of a deleted task did not stop in time");
        }
        Ok(())
    }

    /// Removes the ended executions of a task in batches.
    async fn remove_ended(&self, tenant: &TenantId, id: &TaskId) -> Result<usize, RequestError> {
        let mut removed = 0;
        loop {
            let batch = self.ctx.store.remove_ended(tenant, id, PAGE).await?;
            removed += batch;
            if batch < PAGE {
                return Ok(removed);
            }
        }
    }

    fn running_sync(&self, entry: &TaskEntry<R::Prepared>) -> Vec<Arc<SyncExecution>> {
        let task = &entry.task;
        self.sync_executions
            .running(|execution| execution.key.tenant == task.tenant && execution.task_id == task.id)
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
                let page = self.ctx.store.list(&entry.task.tenant, &query).await?;
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

#[cfg(test)]
mod tests;
