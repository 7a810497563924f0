//! The rules of a store whose queue belongs to one process: how a record changes, and which
//! worker may change it. [`StoreLogic`] has the rules and the order of the queue; a
//! [`RecordTable`] stores the records. The memory store and the embedded store differ
//! only in their table.

mod queue;
mod record;
mod scheduler;

pub use record::{CLIENT_SUPPLIED_ID_RETENTION, Record};
pub use scheduler::{LeaseClaim, Scheduler};

use crate::{
    Admission, AttemptEnd, Callback, CancelPendingResult, ClaimBatch, DueCallbacks, Execution, Expiry, Fence,
    StoreError, StoreStats, Submission, SubmitResult,
};
use pilum_types::{ExecutionId, Outcome, TaskId, TenantId};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The most executions that one claim ends because they are late, so that a claim never
/// takes long. The next claim ends the others.
const LATE_MAX: usize = 256;

/// Stores records.
pub trait RecordTable {
    /// The record with this id, even if it has expired.
    ///
    /// # Errors
    /// When the table cannot be read.
    fn find(&mut self, tenant: &TenantId, id: &ExecutionId) -> Result<Option<Record>, StoreError>;
    /// The record with this number.
    ///
    /// # Errors
    /// When the table cannot be read.
    fn load(&mut self, number: u64) -> Result<Option<Record>, StoreError>;
    /// Adds a new record.
    ///
    /// # Errors
    /// When the table cannot be written.
    fn insert(&mut self, record: &Record) -> Result<(), StoreError>;
    /// Replaces a record with its changed form. The submission never changes.
    ///
    /// # Errors
    /// When the table cannot be written.
    fn update(&mut self, record: &Record) -> Result<(), StoreError>;
    /// Stores that the callback of an execution is due at `at`.
    ///
    /// # Errors
    /// When the table cannot be written.
    fn put_callback(&mut self, number: u64, tries: u32, at: SystemTime) -> Result<(), StoreError>;
    /// Removes the callback of an execution.
    ///
    /// # Errors
    /// When the table cannot be written.
    fn remove_callback(&mut self, number: u64) -> Result<(), StoreError>;
    /// Removes up to `batch` executions whose retention is over, with their callbacks.
    ///
    /// # Errors
    /// When the table cannot be written.
    fn expire(&mut self, expiry: Expiry, now: SystemTime, batch: usize) -> Result<RemovedCounts, StoreError>;
    /// Removes up to `batch` ended executions of a task, with their callbacks.
    ///
    /// # Errors
    /// When the table cannot be written.
    fn remove_ended(
        &mut self,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> Result<RemovedCounts, StoreError>;
    /// The stored bytes, and their bound.
    fn bytes(&self) -> (u64, u64);
}

/// How many records were removed.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemovedCounts {
    /// All of them.
    pub executions: usize,
    /// Those that were dead letters.
    pub dead_letters: usize,
}

/// The part of a store that lives in memory. Each process rebuilds it from the records.
#[derive(Debug, Default)]
pub struct StoreLogic {
    /// The queue and the leases.
    pub scheduler: Scheduler,
    /// The number of the latest submission.
    pub last_number: u64,
    /// How many dead letters there are.
    pub dead_letters: usize,
    /// Callbacks by due time and number, with how often they were tried. Callbacks under
    /// delivery are not here.
    pub callbacks: BTreeMap<(SystemTime, u64), u32>,
    /// The numbers of the callbacks under delivery.
    pub delivering: HashSet<u64>,
}

impl StoreLogic {
    /// The logic of a store whose latest submission has the number `last_number`.
    pub fn after(last_number: u64) -> Self {
        Self { last_number, ..Self::default() }
    }

    /// See [`crate::ExecutionStore::submit`].
    ///
    /// # Errors
    /// When the table fails.
    pub fn submit(
        &mut self,
        table: &mut impl RecordTable,
        submission: Submission,
        admission: &Admission,
        now: SystemTime,
    ) -> Result<SubmitResult, StoreError> {
        // A generated id cannot be in use already.
        if admission.client_supplied_id
            && let Some(known) = table.find(&submission.tenant, &submission.id)?
        {
            return Ok(if known.submission == submission {
                let queue_position = self.scheduler.queue_position(known.number);
                SubmitResult::Existing(Box::new(Execution { queue_position, ..known.execution }))
            } else {
                SubmitResult::Conflict
            });
        }
        if self.scheduler.pending() >= admission.max_pending {
            return Ok(SubmitResult::QueueFull);
        }
        let (bytes, max_bytes) = table.bytes();
        if bytes >= max_bytes {
            return Ok(SubmitResult::StoreFull { max_bytes });
        }
        self.last_number += 1;
        let record = Record::new(submission, admission, now, self.last_number);
        table.insert(&record)?;
        self.scheduler.enqueue(&record, now);
        // A delayed execution has no position yet; it could be the next when it is due.
        let queue_position = self.scheduler.queue_position(record.number).or(Some(1));
        Ok(SubmitResult::New(Box::new(Execution { queue_position, ..record.execution })))
    }

    /// See [`crate::WorkQueue::claim`].
    ///
    /// # Errors
    /// When the table fails.
    pub fn claim(
        &mut self,
        table: &mut impl RecordTable,
        now: SystemTime,
        lease: Duration,
        limit: usize,
    ) -> Result<ClaimBatch, StoreError> {
        let mut batch = ClaimBatch::default();
        while let Some(mut record) = self.scheduler.pop_lost(now) {
            record.lose(now)?;
            batch.changed.push(self.put_back_or_end(table, record, now)?);
        }
        while batch.changed.len() < LATE_MAX
            && let Some(number) = self.scheduler.pop_late(now)
        {
            let mut record = queued_record(table, number)?;
            record.end_late(now)?;
            batch.changed.push(self.put_back_or_end(table, record, now)?);
        }
        while batch.leases.len() < limit
            && let Some(number) = self.scheduler.pop_next(now)
        {
            let mut record = queued_record(table, number)?;
            batch.leases.push(record.claim(now)?);
            table.update(&record)?;
            self.scheduler.lease(record, now + lease);
        }
        batch.next_due = self.scheduler.next_due(now);
        Ok(batch)
    }

    /// Extends a lease to `until`.
    ///
    /// # Errors
    /// When the lease is lost.
    pub fn renew(&mut self, fence: &Fence, until: SystemTime) -> Result<(), StoreError> {
        self.scheduler.leased(&lease_claim(fence)).ok_or_else(|| lease_lost(fence))?;
        self.scheduler.renew(fence.number, until);
        Ok(())
    }

    /// Changes the execution whose lease the fence proves, and ends the lease.
    ///
    /// # Errors
    /// When the lease is lost, or the table fails.
    pub fn release(
        &mut self,
        table: &mut impl RecordTable,
        fence: &Fence,
        now: SystemTime,
        change: impl FnOnce(&mut Record) -> Result<(), StoreError>,
    ) -> Result<Arc<Execution>, StoreError> {
        self.scheduler.leased(&lease_claim(fence)).ok_or_else(|| lease_lost(fence))?;
        let mut record = self.scheduler.end_lease(fence.number).ok_or_else(|| lease_lost(fence))?;
        change(&mut record)?;
        self.put_back_or_end(table, record, now)
    }

    /// See [`crate::WorkQueue::finish`].
    ///
    /// # Errors
    /// When the lease is lost, or the table fails.
    pub fn finish(
        &mut self,
        table: &mut impl RecordTable,
        fence: &Fence,
        outcome: Arc<Outcome>,
        now: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        self.release(table, fence, now, |record| record.finish(outcome, now))
    }

    /// See [`crate::WorkQueue::retry_later`].
    ///
    /// # Errors
    /// When the lease is lost, or the table fails.
    pub fn retry_later(
        &mut self,
        table: &mut impl RecordTable,
        fence: &Fence,
        ended: &AttemptEnd,
        now: SystemTime,
        not_before: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        self.release(table, fence, now, |record| record.retry_later(ended, now, not_before))
    }

    /// See [`crate::ExecutionStore::cancel_pending`].
    ///
    /// # Errors
    /// When the table fails.
    pub fn cancel_pending(
        &mut self,
        table: &mut impl RecordTable,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        now: SystemTime,
    ) -> Result<CancelPendingResult, StoreError> {
        let Some(mut record) = table.find(tenant, id)?.filter(|record| !record.expired) else {
            return Ok(CancelPendingResult::Unknown);
        };
        if record.execution.state.is_terminal() {
            return Ok(CancelPendingResult::Ended(record.execution.state));
        }
        if self.scheduler.is_leased(record.number) {
            return Ok(CancelPendingResult::Running);
        }
        self.scheduler.remove(record.number);
        record.cancel(reason, now)?;
        self.put_back_or_end(table, record, now).map(CancelPendingResult::Cancelled)
    }

    /// See [`crate::DeadLetterStore::discard_dead_letter`].
    ///
    /// # Errors
    /// When the table fails.
    pub fn discard_dead_letter(
        &mut self,
        table: &mut impl RecordTable,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<bool, StoreError> {
        let found = table.find(tenant, id)?.filter(|record| record.execution.is_dead_letter);
        let Some(mut record) = found else { return Ok(false) };
        record.execution.is_dead_letter = false;
        table.update(&record)?;
        self.dead_letters = self.dead_letters.saturating_sub(1);
        Ok(true)
    }

    /// See [`crate::DeadLetterStore::redrive_dead_letter`].
    ///
    /// # Errors
    /// When the table fails.
    pub fn redrive_dead_letter(
        &mut self,
        table: &mut impl RecordTable,
        tenant: &TenantId,
        id: &ExecutionId,
        new_id: &ExecutionId,
    ) -> Result<Option<Submission>, StoreError> {
        let found = table.find(tenant, id)?.filter(|record| record.execution.is_dead_letter);
        let Some(mut record) = found else { return Ok(None) };
        let new_id = match &record.redriven_as {
            Some(recorded) => recorded.clone(),
            None => {
                record.redriven_as = Some(new_id.clone());
                table.update(&record)?;
                new_id.clone()
            }
        };
        Ok(Some(Submission { id: new_id, ..record.submission }))
    }

    /// See [`crate::CallbackStore::due_callbacks`].
    ///
    /// # Errors
    /// When the table fails.
    pub fn due_callbacks(
        &mut self,
        table: &mut impl RecordTable,
        now: SystemTime,
        limit: usize,
    ) -> Result<DueCallbacks, StoreError> {
        let mut due = DueCallbacks::default();
        while due.callbacks.len() < limit
            && let Some(entry) = self.callbacks.first_entry().filter(|entry| entry.key().0 <= now)
        {
            let ((_, number), tries) = entry.remove_entry();
            let Some(record) = table.load(number)? else { continue };
            if let Some(url) = record.submission.callback {
                self.delivering.insert(number);
                due.callbacks.push(Callback { number, execution: Arc::new(record.execution), url, tries });
            }
        }
        due.next_due = self.next_callback_due();
        Ok(due)
    }

    /// See [`crate::CallbackStore::remove_callback`].
    ///
    /// # Errors
    /// When the table fails.
    pub fn remove_callback(&mut self, table: &mut impl RecordTable, number: u64) -> Result<(), StoreError> {
        self.delivering.remove(&number);
        table.remove_callback(number)
    }

    /// See [`crate::CallbackStore::postpone_callback`].
    ///
    /// # Errors
    /// When the table fails.
    pub fn postpone_callback(
        &mut self,
        table: &mut impl RecordTable,
        number: u64,
        tries: u32,
        at: SystemTime,
    ) -> Result<(), StoreError> {
        self.delivering.remove(&number);
        // The execution may have expired during the delivery.
        if table.load(number)?.is_some_and(|record| !record.expired) {
            table.put_callback(number, tries, at)?;
            self.callbacks.insert((at, number), tries);
        }
        Ok(())
    }

    /// See [`crate::ExecutionStore::expire`].
    ///
    /// # Errors
    /// When the table fails.
    pub fn expire(
        &mut self,
        table: &mut impl RecordTable,
        expiry: Expiry,
        now: SystemTime,
        batch: usize,
    ) -> Result<usize, StoreError> {
        let removed = table.expire(expiry, now, batch)?;
        Ok(self.count_removed(removed))
    }

    /// See [`crate::ExecutionStore::remove_ended`].
    ///
    /// # Errors
    /// When the table fails.
    pub fn remove_ended(
        &mut self,
        table: &mut impl RecordTable,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> Result<usize, StoreError> {
        let removed = table.remove_ended(tenant, task_id, batch)?;
        Ok(self.count_removed(removed))
    }

    /// How much the store holds. It does not count commits and changes.
    pub fn stats(&self, table: &impl RecordTable) -> StoreStats {
        let (bytes, max_bytes) = table.bytes();
        StoreStats {
            pending: self.scheduler.pending(),
            running: self.scheduler.running(),
            dead_letters: self.dead_letters,
            callbacks: self.undelivered_callbacks(),
            bytes,
            max_bytes,
            ..StoreStats::default()
        }
    }

    /// When the next callback becomes due.
    pub fn next_callback_due(&self) -> Option<SystemTime> {
        self.callbacks.keys().next().map(|(at, _)| *at)
    }

    /// How many callbacks are not delivered yet.
    pub fn undelivered_callbacks(&self) -> usize {
        self.callbacks.len() + self.delivering.len()
    }

    /// Stores a record that no worker holds. A pending execution goes back into the queue. If
    /// the execution has ended, its callback becomes due.
    ///
    /// # Errors
    /// When the table fails.
    pub fn put_back_or_end(
        &mut self,
        table: &mut impl RecordTable,
        record: Record,
        now: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        table.update(&record)?;
        if record.execution.state.is_terminal() {
            self.dead_letters += usize::from(record.execution.is_dead_letter);
            if record.submission.callback.is_some() {
                table.put_callback(record.number, 0, now)?;
                self.callbacks.insert((now, record.number), 0);
            }
        } else {
            self.scheduler.enqueue(&record, now);
        }
        Ok(Arc::new(record.execution))
    }

    fn count_removed(&mut self, removed: RemovedCounts) -> usize {
        self.dead_letters = self.dead_letters.saturating_sub(removed.dead_letters);
        removed.executions
    }
}

fn queued_record(table: &mut impl RecordTable, number: u64) -> Result<Record, StoreError> {
    let missing =
        || StoreError::Failed(format!("the execution with the number {number} is queued and has no record"));
    table.load(number)?.ok_or_else(missing)
}

fn lease_claim(fence: &Fence) -> LeaseClaim<'_> {
    LeaseClaim { number: fence.number, tenant: &fence.tenant, id: &fence.id, token: fence.token }
}

fn lease_lost(fence: &Fence) -> StoreError {
    StoreError::LeaseLost(fence.id.clone())
}
