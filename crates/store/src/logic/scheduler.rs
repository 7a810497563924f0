//! The scheduler knows which execution runs next, and which executions are leased. It is in
//! memory: it is lost with the process and rebuilt from the records.

use super::queue::{Queue, Waiting};
use super::record::Record;
use pilum_types::{ExecutionId, TenantId};
use std::collections::{BTreeSet, HashMap};
use std::time::SystemTime;

/// The queue and the leases.
#[derive(Debug, Default)]
pub struct Scheduler {
    queue: Queue,
    leases: HashMap<u64, Leased>,
    /// Leases by their end.
    lease_ends: BTreeSet<(SystemTime, u64)>,
    /// The number of the poison execution that is leased, if one is.
    leased_poison: Option<u64>,
}

/// A lease as its holder describes it.
#[derive(Debug)]
pub struct LeaseClaim<'a> {
    /// The store's number of the execution.
    pub number: u64,
    /// The execution's tenant.
    pub tenant: &'a TenantId,
    /// The execution's id.
    pub id: &'a ExecutionId,
    /// The token of the claim.
    pub token: u64,
}

#[derive(Debug)]
struct Leased {
    /// The execution as it was when it was claimed; only its worker changes it.
    record: Record,
    until: SystemTime,
}

impl Scheduler {
    /// How many executions wait.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// How many executions are leased.
    pub fn running(&self) -> usize {
        self.leases.len()
    }

    /// The place of an execution among those that wait, from 1; an estimate. `None` if it
    /// does not wait, or may not run yet.
    pub fn queue_position(&self, number: u64) -> Option<usize> {
        self.queue.position(number)
    }

    /// Puts a pending execution into the queue.
    pub fn enqueue(&mut self, record: &Record, now: SystemTime) {
        self.queue.push(
            Waiting {
                number: record.number,
                tenant: record.submission.tenant.clone(),
                priority: record.submission.schedule.priority,
                not_before: record.not_before,
                latest_start: record.latest_start,
                to_front: !record.execution.attempts.is_empty(),
                poison: record.is_poison(),
            },
            now,
        );
    }

    /// Takes an execution out of the queue.
    pub fn remove(&mut self, number: u64) {
        self.queue.remove(number);
    }

    /// Takes the execution that runs next out of the queue.
    pub fn pop_next(&mut self, now: SystemTime) -> Option<u64> {
        self.queue.pop(now, self.leased_poison.is_none()).map(|waiting| waiting.number)
    }

    /// Takes an execution that can no longer end in time out of the queue.
    pub fn pop_late(&mut self, now: SystemTime) -> Option<u64> {
        self.queue.pop_late(now).map(|waiting| waiting.number)
    }

    /// Leases an execution that [`pop_next`](Self::pop_next) took out.
    pub fn lease(&mut self, record: Record, until: SystemTime) {
        if record.is_poison() {
            self.leased_poison = Some(record.number);
        }
        self.lease_ends.insert((until, record.number));
        self.leases.insert(record.number, Leased { record, until });
    }

    /// The leased execution, if the claim is the one that holds the lease.
    pub fn leased(&self, claim: &LeaseClaim<'_>) -> Option<&Record> {
        let record = &self.leases.get(&claim.number)?.record;
        let submission = &record.submission;
        let holds =
            record.token() == claim.token && submission.id == *claim.id && submission.tenant == *claim.tenant;
        holds.then_some(record)
    }

    /// Whether this execution is leased.
    pub fn is_leased(&self, number: u64) -> bool {
        self.leases.contains_key(&number)
    }

    /// Extends a lease.
    pub fn renew(&mut self, number: u64, until: SystemTime) {
        if let Some(leased) = self.leases.get_mut(&number) {
            self.lease_ends.remove(&(leased.until, number));
            leased.until = until;
            self.lease_ends.insert((until, number));
        }
    }

    /// Ends a lease.
    pub fn end_lease(&mut self, number: u64) -> Option<Record> {
        let leased = self.leases.remove(&number)?;
        self.lease_ends.remove(&(leased.until, number));
        if self.leased_poison == Some(number) {
            self.leased_poison = None;
        }
        Some(leased.record)
    }

    /// Ends a lease whose time is over.
    pub fn pop_lost(&mut self, now: SystemTime) -> Option<Record> {
        let (until, number) = *self.lease_ends.first()?;
        if until > now { None } else { self.end_lease(number) }
    }

    /// Whether a claim of at most `limit` executions finds something to do now.
    pub fn is_due(&self, now: SystemTime, limit: usize) -> bool {
        let has_lost = self.lease_ends.first().is_some_and(|(until, _)| *until <= now);
        let may_run_poison = self.leased_poison.is_none();
        has_lost || self.queue.has_late(now) || (limit > 0 && self.queue.has_next(now, may_run_poison))
    }

    /// When there is something to do again, if there is nothing now.
    pub fn next_due(&self, now: SystemTime) -> Option<SystemTime> {
        let lease = self.lease_ends.first().map(|(until, _)| *until);
        self.queue.next_due(now).into_iter().chain(lease).min()
    }
}
