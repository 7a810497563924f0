//! A store in memory: for tests, and for hosts that may lose accepted executions when they
//! stop.

mod table;

use crate::lock::lock;
use crate::logic::{Record, StoreLogic};
use crate::{
    Admission, AttemptEnd, CallbackStore, CancelPendingResult, ClaimBatch, DeadLetterStore, DueCallbacks,
    Execution, ExecutionStore, Expiry, Fence, ListQuery, Store, StoreError, StoreStats, Submission,
    SubmitResult, Summary, Task, TaskStore, WorkQueue,
};
use pilum_types::{ExecutionId, Outcome, TaskId, TenantId};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use table::MemoryTable;

/// Stores executions in memory. It evicts the oldest ended executions before their time if
/// there are more than 100,000 or if they hold more than 256 MiB. It does not store
/// tasks: they are lost with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// Held for one operation, which is a few look-ups long.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    logic: StoreLogic,
    table: MemoryTable,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs one operation.
    fn with<T>(&self, operation: impl FnOnce(&mut StoreLogic, &mut MemoryTable) -> T) -> T {
        let mut inner = lock(&self.inner);
        let Inner { logic, table } = &mut *inner;
        operation(logic, table)
    }
}

impl Store for MemoryStore {}

impl TaskStore for MemoryStore {
    async fn put_task(&self, _: &Arc<Task>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remove_task(&self, _: &TenantId, _: &TaskId) -> Result<(), StoreError> {
        Ok(())
    }

    fn tasks(&self) -> Result<Vec<Task>, StoreError> {
        Ok(Vec::new())
    }
}

impl ExecutionStore for MemoryStore {
    async fn submit(
        &self,
        submission: Submission,
        admission: Admission,
        now: SystemTime,
    ) -> Result<SubmitResult, StoreError> {
        self.with(|logic, table| logic.submit(table, submission, &admission, now))
    }

    async fn cancel_pending(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        now: SystemTime,
    ) -> Result<CancelPendingResult, StoreError> {
        self.with(|logic, table| logic.cancel_pending(table, tenant, id, reason, now))
    }

    async fn get(&self, tenant: &TenantId, id: &ExecutionId) -> Result<Option<Execution>, StoreError> {
        Ok(self.with(|logic, table| {
            let record = table.get(tenant, id)?;
            let queue_position = logic.scheduler.queue_position(record.number);
            Some(Execution { queue_position, ..record.execution.clone() })
        }))
    }

    async fn list(&self, tenant: &TenantId, query: &ListQuery) -> Result<Vec<Summary>, StoreError> {
        Ok(self.with(|_, table| table.list(tenant, query)))
    }

    async fn expire(&self, expiry: Expiry, now: SystemTime, batch: usize) -> Result<usize, StoreError> {
        self.with(|logic, table| logic.expire(table, expiry, now, batch))
    }

    async fn remove_ended(
        &self,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> Result<usize, StoreError> {
        self.with(|logic, table| logic.remove_ended(table, tenant, task_id, batch))
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        Ok(self.with(|logic, table| logic.stats(table)))
    }
}

impl WorkQueue for MemoryStore {
    async fn claim(&self, now: SystemTime, lease: Duration, limit: usize) -> Result<ClaimBatch, StoreError> {
        self.with(|logic, table| logic.claim(table, now, lease, limit))
    }

    async fn renew(&self, fence: &Fence, now: SystemTime, lease: Duration) -> Result<(), StoreError> {
        self.with(|logic, _| logic.renew(fence, now + lease))
    }

    async fn hand_back(&self, fence: &Fence, now: SystemTime) -> Result<Arc<Execution>, StoreError> {
        self.with(|logic, table| logic.release(table, fence, now, Record::hand_back))
    }

    async fn finish(
        &self,
        fence: &Fence,
        outcome: Arc<Outcome>,
        now: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        self.with(|logic, table| logic.finish(table, fence, outcome, now))
    }

    async fn retry_later(
        &self,
        fence: &Fence,
        ended: AttemptEnd,
        now: SystemTime,
        not_before: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        self.with(|logic, table| logic.retry_later(table, fence, &ended, now, not_before))
    }
}

impl DeadLetterStore for MemoryStore {
    async fn discard_dead_letter(&self, tenant: &TenantId, id: &ExecutionId) -> Result<bool, StoreError> {
        self.with(|logic, table| logic.discard_dead_letter(table, tenant, id))
    }

    async fn redrive_dead_letter(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        new_id: &ExecutionId,
    ) -> Result<Option<Submission>, StoreError> {
        self.with(|logic, table| logic.redrive_dead_letter(table, tenant, id, new_id))
    }
}

impl CallbackStore for MemoryStore {
    async fn due_callbacks(&self, now: SystemTime, limit: usize) -> Result<DueCallbacks, StoreError> {
        self.with(|logic, table| logic.due_callbacks(table, now, limit))
    }

    async fn remove_callback(&self, number: u64) -> Result<(), StoreError> {
        self.with(|logic, table| logic.remove_callback(table, number))
    }

    async fn postpone_callback(&self, number: u64, tries: u32, at: SystemTime) -> Result<(), StoreError> {
        self.with(|logic, table| logic.postpone_callback(table, number, tries, at))
    }
}

#[cfg(test)]
mod tests;
