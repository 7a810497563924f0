//! What a store on one machine does, over whatever keeps its [`Rows`].

use super::board::{Board, Holder};
use super::record::Record;
use super::{
    Accepted, Admission, AttemptEnd, Callback, CancelFound, Claimed, DueCallbacks, Expiry, Fence, StoreError,
    StoreStats,
};
use crate::{Execution, Submission};
use pilum_types::{ExecutionId, Outcome, TaskId, TenantId};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Executions that one claim finds late, at most, so that it keeps nobody waiting
/// for long. The next finds the rest.
const LATE_MAX: usize = 256;

/// Where records are kept.
pub(crate) trait Rows {
    /// By id, the expired included.
    fn find(&mut self, tenant: &TenantId, id: &ExecutionId) -> Result<Option<Record>, StoreError>;
    /// By number.
    fn load(&mut self, number: u64) -> Result<Option<Record>, StoreError>;
    /// Adds a new one.
    fn insert(&mut self, record: &Record) -> Result<(), StoreError>;
    /// Puts a changed one in place of the old. What was asked for never changes.
    fn update(&mut self, record: &Record) -> Result<(), StoreError>;
    /// Keeps that the terminal status of an execution is to be sent.
    fn put_callback(&mut self, number: u64, tries: u32, at: SystemTime) -> Result<(), StoreError>;
    /// Forgets that.
    fn remove_callback(&mut self, number: u64) -> Result<(), StoreError>;
    /// Forgets up to `batch` executions whose time is over, with their
    /// callbacks; returns how many, and how many were dead letters.
    fn expire(&mut self, expiry: Expiry, now: SystemTime, batch: usize) -> Result<Gone, StoreError>;
    /// Forgets up to `batch` of a task's executions that have ended, with their
    /// callbacks.
    fn forget_task(&mut self, tenant: &TenantId, task_id: &TaskId, batch: usize) -> Result<Gone, StoreError>;
    /// What is kept, in bytes, and the most that may be.
    fn bytes(&self) -> (u64, u64);
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gone {
    pub(crate) executions: usize,
    pub(crate) dead_letters: usize,
}

/// The part of a store that is made anew with each process.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    pub(crate) board: Board,
    /// The latest number given to a submission.
    pub(crate) number: u64,
    pub(crate) dead_letters: usize,
    /// Callbacks by when they are due, with how often they were tried. Those
    /// being delivered are not here.
    pub(crate) callbacks: BTreeMap<(SystemTime, u64), u32>,
    /// Those being delivered.
    pub(crate) delivering: HashSet<u64>,
}

impl Machine {
    /// One for which the latest number given is `number`.
    pub(crate) fn after(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    pub(crate) fn accept(
        &mut self,
        rows: &mut impl Rows,
        submission: Submission,
        admission: &Admission,
        now: SystemTime,
    ) -> Result<Accepted, StoreError> {
        // An id that was just made is nobody else's.
        if admission.brought
            && let Some(known) = rows.find(&submission.tenant, &submission.id)?
        {
            return Ok(if known.submission == submission {
                let ahead = self.board.queue.ahead(known.number);
                Accepted::Existing(Box::new(Execution {
                    queue_position: ahead.map(|ahead| ahead + 1),
                    ..known.execution
                }))
            } else {
                Accepted::Conflict
            });
        }
        if self.board.queue.len() >= admission.max_pending {
            return Ok(Accepted::Full);
        }
        let (bytes, max_bytes) = rows.bytes();
        if bytes >= max_bytes {
            return Ok(Accepted::OutOfSpace { max_bytes });
        }
        self.number += 1;
        let record = Record::new(submission, admission, now, self.number);
        rows.insert(&record)?;
        self.board.wait(&record, now);
        Ok(Accepted::New { ahead: self.board.queue.ahead(record.number).unwrap_or_default() })
    }

    pub(crate) fn claim(
        &mut self,
        rows: &mut impl Rows,
        now: SystemTime,
        lease: Duration,
        limit: usize,
    ) -> Result<Claimed, StoreError> {
        let mut claimed = Claimed::default();
        while let Some(mut record) = self.board.next_lost(now) {
            record.lose(now)?;
            claimed.changed.push(self.settle(rows, record, now)?);
        }
        while claimed.changed.len() < LATE_MAX
            && let Some(waiting) = self.board.queue.pop_late(now)
        {
            let mut record = known(rows, waiting.number)?;
            record.be_late(now)?;
            claimed.changed.push(self.settle(rows, record, now)?);
        }
        while claimed.leases.len() < limit
            && let Some(number) = self.board.next(now)
        {
            let mut record = known(rows, number)?;
            claimed.leases.push(record.claim(now)?);
            rows.update(&record)?;
            self.board.lease(record, now + lease);
        }
        claimed.next_due = self.board.next_due(now);
        Ok(claimed)
    }

    pub(crate) fn renew(&mut self, fence: &Fence, until: SystemTime) -> Result<(), StoreError> {
        self.board.leased(&holder(fence)).ok_or_else(|| stale(fence))?;
        self.board.renew(fence.number, until);
        Ok(())
    }

    /// Changes the execution that a fence gives a right to, and ends the lease.
    pub(crate) fn release(
        &mut self,
        rows: &mut impl Rows,
        fence: &Fence,
        now: SystemTime,
        change: impl FnOnce(&mut Record) -> Result<(), StoreError>,
    ) -> Result<Arc<Execution>, StoreError> {
        self.board.leased(&holder(fence)).ok_or_else(|| stale(fence))?;
        let mut record = self.board.unlease(fence.number).ok_or_else(|| stale(fence))?;
        change(&mut record)?;
        self.settle(rows, record, now)
    }

    pub(crate) fn finish(
        &mut self,
        rows: &mut impl Rows,
        fence: &Fence,
        outcome: Arc<Outcome>,
        now: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        self.release(rows, fence, now, |record| record.finish(outcome, now))
    }

    pub(crate) fn retry_later(
        &mut self,
        rows: &mut impl Rows,
        fence: &Fence,
        ended: &AttemptEnd,
        now: SystemTime,
        not_before: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        self.release(rows, fence, now, |record| record.retry_later(ended, now, not_before))
    }

    pub(crate) fn cancel(
        &mut self,
        rows: &mut impl Rows,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        now: SystemTime,
    ) -> Result<CancelFound, StoreError> {
        let Some(mut record) = rows.find(tenant, id)?.filter(|record| !record.expired) else {
            return Ok(CancelFound::Unknown);
        };
        if record.execution.state.is_terminal() {
            return Ok(CancelFound::Ended(record.execution.state));
        }
        if self.board.is_leased(record.number) {
            return Ok(CancelFound::Running);
        }
        self.board.queue.remove(record.number);
        record.cancel(reason, now)?;
        self.settle(rows, record, now).map(CancelFound::Pending)
    }

    pub(crate) fn discard(
        &mut self,
        rows: &mut impl Rows,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> Result<bool, StoreError> {
        let dead = rows.find(tenant, id)?.filter(|record| record.execution.is_dead_letter);
        let Some(mut record) = dead else { return Ok(false) };
        record.execution.is_dead_letter = false;
        rows.update(&record)?;
        self.dead_letters = self.dead_letters.saturating_sub(1);
        Ok(true)
    }

    pub(crate) fn redrive(
        &mut self,
        rows: &mut impl Rows,
        tenant: &TenantId,
        id: &ExecutionId,
        anew: &ExecutionId,
    ) -> Result<Option<Submission>, StoreError> {
        let dead = rows.find(tenant, id)?.filter(|record| record.execution.is_dead_letter);
        let Some(mut record) = dead else { return Ok(None) };
        let anew = match &record.redriven_as {
            Some(noted) => noted.clone(),
            None => {
                record.redriven_as = Some(anew.clone());
                rows.update(&record)?;
                anew.clone()
            }
        };
        Ok(Some(Submission { id: anew, ..record.submission }))
    }

    pub(crate) fn due_callbacks(
        &mut self,
        rows: &mut impl Rows,
        now: SystemTime,
        limit: usize,
    ) -> Result<DueCallbacks, StoreError> {
        let mut due = DueCallbacks::default();
        while due.callbacks.len() < limit
            && let Some(entry) = self.callbacks.first_entry().filter(|entry| entry.key().0 <= now)
        {
            let ((_, number), tries) = entry.remove_entry();
            let Some(record) = rows.load(number)? else { continue };
            if let Some(url) = record.submission.callback {
                self.delivering.insert(number);
                due.callbacks.push(Callback { number, execution: Arc::new(record.execution), url, tries });
            }
        }
        due.next_due = self.next_callback();
        Ok(due)
    }

    pub(crate) fn end_callback(&mut self, rows: &mut impl Rows, number: u64) -> Result<(), StoreError> {
        self.delivering.remove(&number);
        rows.remove_callback(number)
    }

    pub(crate) fn put_off_callback(
        &mut self,
        rows: &mut impl Rows,
        number: u64,
        tries: u32,
        at: SystemTime,
    ) -> Result<(), StoreError> {
        self.delivering.remove(&number);
        // It may have expired meanwhile.
        if rows.load(number)?.is_some_and(|record| !record.expired) {
            rows.put_callback(number, tries, at)?;
            self.callbacks.insert((at, number), tries);
        }
        Ok(())
    }

    pub(crate) fn expire(
        &mut self,
        rows: &mut impl Rows,
        expiry: Expiry,
        now: SystemTime,
        batch: usize,
    ) -> Result<usize, StoreError> {
        let gone = rows.expire(expiry, now, batch)?;
        Ok(self.count_gone(gone))
    }

    pub(crate) fn forget_task(
        &mut self,
        rows: &mut impl Rows,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> Result<usize, StoreError> {
        let gone = rows.forget_task(tenant, task_id, batch)?;
        Ok(self.count_gone(gone))
    }

    pub(crate) fn depth(&self, rows: &impl Rows) -> StoreStats {
        let (bytes, max_bytes) = rows.bytes();
        StoreStats {
            pending: self.board.queue.len(),
            running: self.board.running(),
            dead_letters: self.dead_letters,
            callbacks: self.callbacks_left(),
            bytes,
            max_bytes,
            ..StoreStats::default()
        }
    }

    /// When the next callback is due.
    pub(crate) fn next_callback(&self) -> Option<SystemTime> {
        self.callbacks.keys().next().map(|(at, _)| *at)
    }

    /// How many callbacks are not delivered yet.
    pub(crate) fn callbacks_left(&self) -> usize {
        self.callbacks.len() + self.delivering.len()
    }

    /// Keeps a record that no worker holds, and has it wait or has its end told.
    pub(crate) fn settle(
        &mut self,
        rows: &mut impl Rows,
        record: Record,
        now: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        rows.update(&record)?;
        if record.execution.state.is_terminal() {
            self.dead_letters += usize::from(record.execution.is_dead_letter);
            if record.submission.callback.is_some() {
                rows.put_callback(record.number, 0, now)?;
                self.callbacks.insert((now, record.number), 0);
            }
        } else {
            self.board.wait(&record, now);
        }
        Ok(Arc::new(record.execution))
    }

    fn count_gone(&mut self, gone: Gone) -> usize {
        self.dead_letters = self.dead_letters.saturating_sub(gone.dead_letters);
        gone.executions
    }
}

fn known(rows: &mut impl Rows, number: u64) -> Result<Record, StoreError> {
    let gone =
        || StoreError::Failed(format!("the execution with the number {number} waits without a record"));
    rows.load(number)?.ok_or_else(gone)
}

fn holder(fence: &Fence) -> Holder<'_> {
    Holder { number: fence.number, tenant: &fence.tenant, id: &fence.id, token: fence.token }
}

fn stale(fence: &Fence) -> StoreError {
    StoreError::Stale(fence.id.clone())
}
