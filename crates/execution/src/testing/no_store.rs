//! A store that must not be asked for an execution. It proves that something works without a
//! store. It accepts tasks, as every store does.

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

type Answer<T> = Result<T, StoreError>;

impl Store for NoStore {}

impl TaskStore for NoStore {
    async fn put_task(&self, _: &Arc<Task>) -> Answer<()> {
        Ok(())
    }
    async fn remove_task(&self, _: &TenantId, _: &TaskId) -> Answer<()> {
        Ok(())
    }
    fn tasks(&self) -> Answer<Vec<Task>> {
        Ok(Vec::new())
    }
}

impl ExecutionStore for NoStore {
    async fn submit(&self, _: Submission, _: Admission, _: SystemTime) -> Answer<SubmitResult> {
        unreachable!("submit")
    }
    async fn cancel_pending(
        &self,
        _: &TenantId,
        _: &ExecutionId,
        _: &str,
        _: SystemTime,
    ) -> Answer<CancelPendingResult> {
        unreachable!("cancel")
    }
    async fn get(&self, _: &TenantId, _: &ExecutionId) -> Answer<Option<Execution>> {
        unreachable!("get")
    }
    async fn list(&self, _: &TenantId, _: &ListQuery) -> Answer<Vec<Summary>> {
        unreachable!("list")
    }
    async fn expire(&self, _: Expiry, _: SystemTime, _: usize) -> Answer<usize> {
        unreachable!("expire")
    }
    async fn remove_ended(&self, _: &TenantId, _: &TaskId, _: usize) -> Answer<usize> {
        unreachable!("forget_task")
    }
    async fn stats(&self) -> Answer<StoreStats> {
        unreachable!("depth")
    }
}

impl WorkQueue for NoStore {
    async fn claim(&self, _: SystemTime, _: Duration, _: usize) -> Answer<ClaimBatch> {
        unreachable!("claim")
    }
    async fn renew(&self, _: &Fence, _: SystemTime, _: Duration) -> Answer<()> {
        unreachable!("renew")
    }
    async fn hand_back(&self, _: &Fence, _: SystemTime) -> Answer<Arc<Execution>> {
        unreachable!("hand_back")
    }
    async fn finish(&self, _: &Fence, _: Arc<Outcome>, _: SystemTime) -> Answer<Arc<Execution>> {
        unreachable!("finish")
    }
    async fn retry_later(
        &self,
        _: &Fence,
        _: AttemptEnd,
        _: SystemTime,
        _: SystemTime,
    ) -> Answer<Arc<Execution>> {
        unreachable!("retry_later")
    }
}

impl CallbackStore for NoStore {
    async fn due_callbacks(&self, _: SystemTime, _: usize) -> Answer<DueCallbacks> {
        unreachable!("due_callbacks")
    }
    async fn remove_callback(&self, _: u64) -> Answer<()> {
        unreachable!("end_callback")
    }
    async fn postpone_callback(&self, _: u64, _: u32, _: SystemTime) -> Answer<()> {
        unreachable!("put_off_callback")
    }
}

impl DeadLetterStore for NoStore {
    async fn discard_dead_letter(&self, _: &TenantId, _: &ExecutionId) -> Answer<bool> {
        unreachable!("discard")
    }
    async fn redrive_dead_letter(
        &self,
        _: &TenantId,
        _: &ExecutionId,
        _: &ExecutionId,
    ) -> Answer<Option<Submission>> {
        unreachable!("redrive")
    }
}
