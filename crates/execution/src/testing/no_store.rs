//! A store whose executions must not be used. It shows that synchronous calls work without them.
//! It accepts tasks, as every store does.

use pilum_store::{
    Admission, AttemptEnd, CallbackStore, CancelPendingResult, ClaimBatch, DeadLetterStore, DueCallbacks,
    Execution, ExecutionStore, Expiry, Fence, ListQuery, Store, StoreError, StoreStats, Submission,
    SubmitResult, Summary, Task, TaskStore, WorkQueue,
};
use pilum_types::{ExecutionId, Outcome, TaskId, TenantId};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[derive(Debug)]
pub(crate) struct NoStore;

type StoreResult<T> = Result<T, StoreError>;

impl Store for NoStore {}

impl TaskStore for NoStore {
    async fn put_task(&self, _: &Arc<Task>) -> StoreResult<()> {
        Ok(())
    }
    async fn remove_task(&self, _: &TenantId, _: &TaskId) -> StoreResult<()> {
        Ok(())
    }
    fn tasks(&self) -> StoreResult<Vec<Task>> {
        Ok(Vec::new())
    }
}

impl ExecutionStore for NoStore {
    async fn submit(&self, _: Submission, _: Admission, _: SystemTime) -> StoreResult<SubmitResult> {
        unreachable!("submit")
    }
    async fn cancel_pending(
        &self,
        _: &TenantId,
        _: &ExecutionId,
        _: &str,
        _: SystemTime,
    ) -> StoreResult<CancelPendingResult> {
        unreachable!("cancel_pending")
    }
    async fn get(&self, _: &TenantId, _: &ExecutionId) -> StoreResult<Option<Execution>> {
        unreachable!("get")
    }
    async fn list(&self, _: &TenantId, _: &ListQuery) -> StoreResult<Vec<Summary>> {
        unreachable!("list")
    }
    async fn expire(&self, _: Expiry, _: SystemTime, _: usize) -> StoreResult<usize> {
        unreachable!("expire")
    }
    async fn remove_ended(&self, _: &TenantId, _: &TaskId, _: usize) -> StoreResult<usize> {
        unreachable!("remove_ended")
    }
    async fn stats(&self) -> StoreResult<StoreStats> {
        unreachable!("stats")
    }
}

impl WorkQueue for NoStore {
    async fn claim(&self, _: SystemTime, _: Duration, _: usize) -> StoreResult<ClaimBatch> {
        unreachable!("claim")
    }
    async fn renew(&self, _: &Fence, _: SystemTime, _: Duration) -> StoreResult<()> {
        unreachable!("renew")
    }
    async fn hand_back(&self, _: &Fence, _: SystemTime) -> StoreResult<Arc<Execution>> {
        unreachable!("hand_back")
    }
    async fn finish(&self, _: &Fence, _: Arc<Outcome>, _: SystemTime) -> StoreResult<Arc<Execution>> {
        unreachable!("finish")
    }
    async fn retry_later(
        &self,
        _: &Fence,
        _: AttemptEnd,
        _: SystemTime,
        _: SystemTime,
    ) -> StoreResult<Arc<Execution>> {
        unreachable!("retry_later")
    }
}

impl CallbackStore for NoStore {
    async fn due_callbacks(&self, _: SystemTime, _: usize) -> StoreResult<DueCallbacks> {
        unreachable!("due_callbacks")
    }
    async fn remove_callback(&self, _: u64) -> StoreResult<()> {
        unreachable!("remove_callback")
    }
    async fn postpone_callback(&self, _: u64, _: u32, _: SystemTime) -> StoreResult<()> {
        unreachable!("postpone_callback")
    }
}

impl DeadLetterStore for NoStore {
    async fn discard_dead_letter(&self, _: &TenantId, _: &ExecutionId) -> StoreResult<bool> {
        unreachable!("discard_dead_letter")
    }
    async fn redrive_dead_letter(
        &self,
        _: &TenantId,
        _: &ExecutionId,
        _: &ExecutionId,
    ) -> StoreResult<Option<Submission>> {
        unreachable!("redrive_dead_letter")
    }
}
