//! What a store on one machine keeps in memory beside its records: the order of
//! what waits, and who holds what runs. Lost with the process, and made anew
//! from the records.

use super::queue::{Queue, Waiting};
use super::record::Record;
use pilum_types::{ExecutionId, TenantId};
use std::collections::{BTreeSet, HashMap};
use std::time::SystemTime;

/// What waits and what is leased.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) queue: Queue,
    leases: HashMap<u64, Leased>,
    /// Leases by their end.
    ends: BTreeSet<(SystemTime, u64)>,
    /// The suspect that runs, if one does.
    suspect: Option<u64>,
}

/// A lease that is out.
#[derive(Debug)]
pub(crate) struct Leased {
    /// The execution as it stood when it was claimed; only its worker changes it.
    pub(crate) record: Record,
    until: SystemTime,
}

impl Board {
    /// How many leases are out.
    pub(crate) fn running(&self) -> usize {
        self.leases.len()
    }

    /// Has a pending execution wait.
    pub(crate) fn wait(&mut self, record: &Record, now: SystemTime) {
        self.queue.push(
            Waiting {
                number: record.number,
                tenant: record.submission.tenant.clone(),
                priority: record.submission.schedule.priority,
                not_before: record.not_before,
                latest_start: record.latest_start,
                again: !record.execution.attempts.is_empty(),
                suspect: record.is_suspect(),
            },
            now,
        );
    }

    /// Takes out of the queue what may run now.
    pub(crate) fn next(&mut self, now: SystemTime) -> Option<u64> {
        self.queue.pop(now, self.suspect.is_none()).map(|waiting| waiting.number)
    }

    /// Leases what [`next`](Self::next) took out.
    pub(crate) fn lease(&mut self, record: Record, until: SystemTime) {
        if record.is_suspect() {
            self.suspect = Some(record.number);
        }
        self.ends.insert((until, record.number));
        self.leases.insert(record.number, Leased { record, until });
    }

    /// The leased execution with this token.
    pub(crate) fn leased(&self, id: &Holder<'_>) -> Option<&Record> {
        let record = &self.leases.get(&id.number)?.record;
        let submission = &record.submission;
        let ours = record.token() == id.token && submission.id == *id.id && submission.tenant == *id.tenant;
        ours.then_some(record)
    }

    /// Whether this execution is leased to anybody.
    pub(crate) fn is_leased(&self, number: u64) -> bool {
        self.leases.contains_key(&number)
    }

    /// Lengthens a lease.
    pub(crate) fn renew(&mut self, number: u64, until: SystemTime) {
        if let Some(leased) = self.leases.get_mut(&number) {
            self.ends.remove(&(leased.until, number));
            leased.until = until;
            self.ends.insert((until, number));
        }
    }

    /// Takes a lease back.
    pub(crate) fn unlease(&mut self, number: u64) -> Option<Record> {
        let leased = self.leases.remove(&number)?;
        self.ends.remove(&(leased.until, number));
        if self.suspect == Some(number) {
            self.suspect = None;
        }
        Some(leased.record)
    }

    /// Takes back a lease that has run out.
    pub(crate) fn next_lost(&mut self, now: SystemTime) -> Option<Record> {
        let (until, number) = *self.ends.first()?;
        if until > now { None } else { self.unlease(number) }
    }

    /// Whether a claim of at most `limit` finds something to do now.
    pub(crate) fn is_due(&self, now: SystemTime, limit: usize) -> bool {
        let is_lost = self.ends.first().is_some_and(|(until, _)| *until <= now);
        is_lost || self.queue.has_late(now) || (limit > 0 && self.queue.has_next(now, self.suspect.is_none()))
    }

    /// When there is something to do again, if there is nothing now.
    pub(crate) fn next_due(&self, now: SystemTime) -> Option<SystemTime> {
        let lease = self.ends.first().map(|(until, _)| *until);
        self.queue.next_due(now).into_iter().chain(lease).min()
    }
}

/// Whose lease is meant, as its holder says.
#[derive(Debug)]
pub(crate) struct Holder<'a> {
    pub(crate) number: u64,
    pub(crate) tenant: &'a TenantId,
    pub(crate) id: &'a ExecutionId,
    pub(crate) token: u64,
}
