//! A store in memory: for tests, and for hosts that may forget what they had
//! accepted when they stop.

mod rows;

use super::machine::Machine;
use super::{
    Accepted, Admission, AttemptEnd, CancelFound, Claimed, DueCallbacks, Expiry, Fence, ListQuery, Store,
    StoreError, StoreStats,
};
use crate::lock::lock;
use crate::{Execution, Submission, Summary, Task};
use pilum_types::{ExecutionId, Outcome, TaskId, TenantId};
use rows::MemoryRows;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// Keeps executions in memory. Those that ended are evicted before their time,
/// the oldest first, where more than 100,000 of them or 256 MiB are kept. Tasks
/// are not kept at all: they live as long as the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// Held for one operation, each of which is a few look-ups long.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    machine: Machine,
    rows: MemoryRows,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does one thing.
    fn with<T>(&self, work: impl FnOnce(&mut Machine, &mut MemoryRows) -> T) -> T {
        let mut inner = lock(&self.inner);
        let Inner { machine, rows } = &mut *inner;
        work(machine, rows)
    }
}

impl Store for MemoryStore {
    async fn put_task(&self, _: &Arc<Task>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remove_task(&self, _: &TenantId, _: &TaskId) -> Result<(), StoreError> {
        Ok(())
    }

    fn tasks(&self) -> Result<Vec<Task>, StoreError> {
        Ok(Vec::new())
    }

    async fn accept(
        &self,
        submission: Submission,
        admission: Admission,
        now: SystemTime,
    ) -> Result<Accepted, StoreError> {
        self.with(|machine, rows| machine.accept(rows, submission, &admission, now))
    }

    async fn claim(&self, now: SystemTime, lease: Duration, limit: usize) -> Result<Claimed, StoreError> {
        self.with(|machine, rows| machine.claim(rows, now, lease, limit))
    }

    async fn renew(&self, fence: &Fence, now: SystemTime, lease: Duration) -> Result<(), StoreError> {
        self.with(|machine, _| machine.renew(fence, now + lease))
    }

    async fn hand_back(&self, fence: &Fence, now: SystemTime) -> Result<Arc<Execution>, StoreError> {
        self.with(|machine, rows| machine.release(rows, fence, now, super::record::Record::hand_back))
    }

    async fn finish(
        &self,
        fence: &Fence,
        outcome: Arc<Outcome>,
        now: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        self.with(|machine, rows| machine.finish(rows, fence, outcome, now))
    }

    async fn retry_later(
        &self,
        fence: &Fence,
        ended: AttemptEnd,
        now: SystemTime,
        not_before: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        self.with(|machine, rows| machine.retry_later(rows, fence, &ended, now, not_before))
    }

    async fn cancel(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        now: SystemTime,
    ) -> Result<CancelFound, StoreError> {
        self.with(|machine, rows| machine.cancel(rows, tenant, id, reason, now))
    }

    async fn get(&self, tenant: &TenantId, id: &ExecutionId) -> Result<Option<Execution>, StoreError> {
        Ok(self.with(|machine, rows| {
            let record = rows.get(tenant, id)?;
            let ahead = machine.board.queue.ahead(record.number);
            Some(Execution { queue_position: ahead.map(|ahead| ahead + 1), ..record.execution.clone() })
        }))
    }

    async fn list(&self, tenant: &TenantId, query: &ListQuery) -> Result<Vec<Summary>, StoreError> {
        Ok(self.with(|_, rows| rows.list(tenant, query)))
    }

    async fn discard(&self, tenant: &TenantId, id: &ExecutionId) -> Result<bool, StoreError> {
        self.with(|machine, rows| machine.discard(rows, tenant, id))
    }

    async fn redrive(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        anew: &ExecutionId,
    ) -> Result<Option<Submission>, StoreError> {
        self.with(|machine, rows| machine.redrive(rows, tenant, id, anew))
    }

    async fn due_callbacks(&self, now: SystemTime, limit: usize) -> Result<DueCallbacks, StoreError> {
        self.with(|machine, rows| machine.due_callbacks(rows, now, limit))
    }

    async fn end_callback(&self, number: u64) -> Result<(), StoreError> {
        self.with(|machine, rows| machine.end_callback(rows, number))
    }

    async fn put_off_callback(&self, number: u64, tries: u32, at: SystemTime) -> Result<(), StoreError> {
        self.with(|machine, rows| machine.put_off_callback(rows, number, tries, at))
    }

    async fn expire(&self, expiry: Expiry, now: SystemTime, batch: usize) -> Result<usize, StoreError> {
        self.with(|machine, rows| machine.expire(rows, expiry, now, batch))
    }

    async fn forget_task(
        &self,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> Result<usize, StoreError> {
        self.with(|machine, rows| machine.forget_task(rows, tenant, task_id, batch))
    }

    async fn depth(&self) -> Result<StoreStats, StoreError> {
        Ok(self.with(|machine, rows| machine.depth(rows)))
    }
}

#[cfg(test)]
mod tests;
