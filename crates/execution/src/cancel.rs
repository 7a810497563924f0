//! Cancels executions.

pub(crate) mod handle;

use crate::ctx::Ctx;
use crate::queue::Queue;
use crate::sync::execution::SyncExecution;
use crate::sync::executions::SyncExecutions;
use crate::{CancelPendingResult, RequestError, Runtime, Store};
use pilum_types::{ExecutionId, State, TenantId};
use std::sync::Arc;
use std::time::Duration;

/// How long a cancellation waits for the end of the execution. A guest stops within
/// milliseconds; a slow store needs the rest to record the end.
pub(crate) const CANCEL_WAIT: Duration = Duration::from_secs(5);

/// The result of a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelResult {
    /// The execution is CANCELLED now.
    Done,
    /// The execution runs, and only `force` stops a running one.
    NeedsForce,
    /// The execution had ended in this state before.
    AlreadyEnded(State),
    /// There is no such execution.
    Unknown,
}

/// Cancels synchronous and asynchronous executions.
#[derive(Debug)]
pub struct Cancellation<R: Runtime, S> {
    ctx: Arc<Ctx<R, S>>,
    sync_executions: Arc<SyncExecutions>,
    queue: Arc<Queue<R, S>>,
}

impl<R: Runtime, S: Store> Cancellation<R, S> {
    pub(crate) fn new(
        ctx: Arc<Ctx<R, S>>,
        sync_executions: Arc<SyncExecutions>,
        queue: Arc<Queue<R, S>>,
    ) -> Self {
        Self { ctx, sync_executions, queue }
    }

    /// Cancels an execution. A running execution is cancelled only with `force`; it has ended
    /// when this returns. At most 1,024 bytes of `reason` are stored.
    ///
    /// # Errors
    /// When the store fails, or when the execution has not stopped within 5 seconds.
    pub async fn cancel(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        force: bool,
    ) -> Result<CancelResult, RequestError> {
        let stopped = async {
            match self.sync_executions.get(tenant, id).filter(|execution| execution.view().is_some()) {
                Some(execution) => Ok(cancel_sync(&execution, reason, force).await),
                None => self.cancel_async(tenant, id, reason, force).await,
            }
        };
        match tokio::time::timeout(CANCEL_WAIT, stopped).await {
            Ok(cancelled) => cancelled,
            Err(_elapsed) => Err(RequestError::Internal(format!("{id} did not stop within {CANCEL_WAIT:?}"))),
        }
    }

    async fn cancel_async(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        force: bool,
    ) -> Result<CancelResult, RequestError> {
        let mut has_cancelled = false;
        loop {
            match self.ctx.store.cancel_pending(tenant, id, reason, self.ctx.clock.now()).await? {
                CancelPendingResult::Unknown => return Ok(CancelResult::Unknown),
                CancelPendingResult::Cancelled(execution) => {
                    self.queue.changed(&execution);
                    return Ok(CancelResult::Done);
                }
                CancelPendingResult::Ended(State::Cancelled) if has_cancelled => {
                    return Ok(CancelResult::Done);
                }
                CancelPendingResult::Ended(state) => return Ok(CancelResult::AlreadyEnded(state)),
                CancelPendingResult::Running if !force => return Ok(CancelResult::NeedsForce),
                CancelPendingResult::Running => {}
            }
            has_cancelled = true;
            let guard = self.queue.cancel_handles.hold(tenant, id);
            guard.handle.cancel(reason);
            // Read after the worker can find the handle: if the execution still runs now, its
            // worker sees the cancellation and signals the end.
            let now = self.ctx.store.get(tenant, id).await?;
            if now.is_some_and(|execution| execution.state == State::Running) {
                guard.handle.ended().await;
            }
            // The execution may have been put back for a retry, and may even run again. Let its
            // worker continue, and try again.
            drop(guard);
            tokio::task::yield_now().await;
        }
    }
}

async fn cancel_sync(execution: &SyncExecution, reason: &str, force: bool) -> CancelResult {
    if let Some(ended) = execution.result() {
        return CancelResult::AlreadyEnded(ended.state);
    }
    if !force {
        return CancelResult::NeedsForce;
    }
    execution.cancel_handle.cancel(reason);
    execution.cancel_handle.ended().await;
    match execution.result().map(|ended| ended.state) {
        Some(State::Cancelled) => CancelResult::Done,
        Some(state) => CancelResult::AlreadyEnded(state),
        // Its task was deleted at the moment of its admission.
        None => CancelResult::Unknown,
    }
}

#[cfg(test)]
mod tests;
