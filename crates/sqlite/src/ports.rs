//! The ports of `pilum-store`, over the writer and the readers.

use crate::store::SqliteStore;
use crate::table::{self, SqlTable};
use pilum_store::lock::lock;
use pilum_store::logic::{Record, StoreLogic};
use pilum_store::{
    Admission, AttemptEnd, CallbackStore, CancelPendingResult, ClaimBatch, Clock, DeadLetterStore,
    DueCallbacks, Execution, ExecutionStore, Expiry, Fence, ListQuery, Store, StoreError, StoreStats,
    Submission, SubmitResult, Summary, Task, TaskStore, WorkQueue,
};
use pilum_types::{ExecutionId, Outcome, State, TaskId, TenantId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

impl Store for SqliteStore {
    fn clock(&self) -> Clock {
        self.clock
    }

    async fn fatal_failure(&self) -> String {
        let mut failure = self.shared.fatal_failure.subscribe();
        loop {
            let text = failure.borrow_and_update().clone();
            if let Some(text) = text {
                return text;
            }
            if failure.changed().await.is_err() {
                // The sender lives as long as this store.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl TaskStore for SqliteStore {
    async fn put_task(&self, task: &Arc<Task>) -> Result<(), StoreError> {
        let task = Arc::clone(task);
        self.write(move |_, table| table.put_task(&task)).await
    }

    async fn remove_task(&self, tenant: &TenantId, id: &TaskId) -> Result<(), StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.write(move |_, table| table.remove_task(&tenant, &id)).await
    }

    fn tasks(&self) -> Result<Vec<Task>, StoreError> {
        let readers = lock(&self.readers);
        let reader = readers.last().ok_or_else(|| StoreError::Failed("no reader is left".to_owned()))?;
        table::tasks(reader)
    }
}

impl ExecutionStore for SqliteStore {
    async fn submit(
        &self,
        submission: Submission,
        admission: Admission,
        now: SystemTime,
    ) -> Result<SubmitResult, StoreError> {
        self.write(move |logic, table| logic.submit(table, submission, &admission, now)).await
    }

    async fn cancel_pending(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        now: SystemTime,
    ) -> Result<CancelPendingResult, StoreError> {
        let (tenant, id, reason) = (tenant.clone(), id.clone(), reason.to_owned());
        self.write(move |logic, table| logic.cancel_pending(table, &tenant, &id, &reason, now)).await
    }

    async fn get(&self, tenant: &TenantId, id: &ExecutionId) -> Result<Option<Execution>, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        let found = self.read(move |reader| table::find(reader, &tenant, &id)).await?;
        let Some(Record { number, execution, .. }) = found.filter(|record| !record.expired) else {
            return Ok(None);
        };
        let queue_position = match execution.state {
            State::Pending => lock(&self.shared.logic).scheduler.queue_position(number),
            _ => None,
        };
        Ok(Some(Execution { queue_position, ..execution }))
    }

    async fn list(&self, tenant: &TenantId, query: &ListQuery) -> Result<Vec<Summary>, StoreError> {
        let (tenant, query) = (tenant.clone(), query.clone());
        self.read(move |reader| table::list(reader, &tenant, &query)).await
    }

    async fn expire(&self, expiry: Expiry, now: SystemTime, batch: usize) -> Result<usize, StoreError> {
        self.write(move |logic, table| logic.expire(table, expiry, now, batch)).await
    }

    async fn remove_ended(
        &self,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> Result<usize, StoreError> {
        let (tenant, task_id) = (tenant.clone(), task_id.clone());
        self.write(move |logic, table| logic.remove_ended(table, &tenant, &task_id, batch)).await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let logic = lock(&self.shared.logic);
        Ok(StoreStats {
            pending: logic.scheduler.pending(),
            running: logic.scheduler.running(),
            dead_letters: logic.dead_letters,
            callbacks: logic.undelivered_callbacks(),
            bytes: count(&self.shared.bytes),
            max_bytes: self.shared.max_bytes,
            commits: count(&self.shared.commits),
            changes: count(&self.shared.changes),
        })
    }
}

impl WorkQueue for SqliteStore {
    async fn claim(&self, now: SystemTime, lease: Duration, limit: usize) -> Result<ClaimBatch, StoreError> {
        {
            let logic = lock(&self.shared.logic);
            if !logic.scheduler.is_due(now, limit) {
                return Ok(ClaimBatch { next_due: logic.scheduler.next_due(now), ..ClaimBatch::default() });
            }
        }
        self.write(move |logic, table| logic.claim(table, now, lease, limit)).await
    }

    async fn renew(&self, fence: &Fence, now: SystemTime, lease: Duration) -> Result<(), StoreError> {
        // Leases end with the process, so nothing is written.
        lock(&self.shared.logic).renew(fence, now + lease)
    }

    fn begin(&self, fence: &Fence) -> Result<(), StoreError> {
        self.journal.begin((fence.number, fence.token))
    }

    async fn hand_back(&self, fence: &Fence, now: SystemTime) -> Result<Arc<Execution>, StoreError> {
        self.end_lease(fence, move |logic, table, fence| logic.release(table, fence, now, Record::hand_back))
            .await
    }

    async fn finish(
        &self,
        fence: &Fence,
        outcome: Arc<Outcome>,
        now: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        self.end_lease(fence, move |logic, table, fence| logic.finish(table, fence, outcome, now)).await
    }

    async fn retry_later(
        &self,
        fence: &Fence,
        ended: AttemptEnd,
        now: SystemTime,
        not_before: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        let retry = move |logic: &mut StoreLogic, table: &mut SqlTable<'_>, fence: &Fence| {
            logic.retry_later(table, fence, &ended, now, not_before)
        };
        self.end_lease(fence, retry).await
    }
}

impl DeadLetterStore for SqliteStore {
    async fn discard_dead_letter(&self, tenant: &TenantId, id: &ExecutionId) -> Result<bool, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.write(move |logic, table| logic.discard_dead_letter(table, &tenant, &id)).await
    }

    async fn redrive_dead_letter(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        new_id: &ExecutionId,
    ) -> Result<Option<Submission>, StoreError> {
        let (tenant, id, new_id) = (tenant.clone(), id.clone(), new_id.clone());
        self.write(move |logic, table| logic.redrive_dead_letter(table, &tenant, &id, &new_id)).await
    }
}

impl CallbackStore for SqliteStore {
    async fn due_callbacks(&self, now: SystemTime, limit: usize) -> Result<DueCallbacks, StoreError> {
        {
            let logic = lock(&self.shared.logic);
            let next_due = logic.next_callback_due();
            if next_due.is_none_or(|at| at > now) {
                return Ok(DueCallbacks { next_due, ..DueCallbacks::default() });
            }
        }
        self.write(move |logic, table| logic.due_callbacks(table, now, limit)).await
    }

    async fn remove_callback(&self, number: u64) -> Result<(), StoreError> {
        self.write(move |logic, table| logic.remove_callback(table, number)).await
    }

    async fn postpone_callback(&self, number: u64, tries: u32, at: SystemTime) -> Result<(), StoreError> {
        self.write(move |logic, table| logic.postpone_callback(table, number, tries, at)).await
    }
}
