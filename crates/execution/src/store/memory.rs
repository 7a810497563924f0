//! A store in memory: for tests, and for hosts that may forget what they had
//! accepted when they stop.

use super::record::{Place, Record, Tenant};
use super::{
    Accepted, CancelFound, Claim, Depth, Fence, LOST_WORKERS_MAX, Lease, ListQuery, Store, StoreError,
    Submission,
};
use crate::core::{cancelled, failed};
use crate::lock::lock;
use crate::{Execution, weight};
use pilum_types::{Event, ExecutionId, Failure, FailureCode, Outcome, TaskId, TenantId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// Ended executions kept, of all tenants: a day at one a second.
const ENDED_MAX: usize = 100_000;
/// What ended executions may hold, in bytes, so that a host of 1 GiB bears it.
const ENDED_MAX_BYTES: usize = 256 << 20;

/// Keeps executions in memory. Those that ended are evicted before their time,
/// the oldest first, where more than 100,000 of them or 256 MiB are kept.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// Held for one operation, each of which is a few look-ups long.
    inner: Mutex<Inner>,
}

type Key = (TenantId, ExecutionId);

#[derive(Debug, Default)]
struct Inner {
    tenants: HashMap<TenantId, Tenant>,
    /// What waits, by when it may run and then by when it came.
    pending: BTreeMap<(SystemTime, u64), Key>,
    /// What runs, by when its lease ends and by token.
    leased: BTreeMap<(SystemTime, u64), Key>,
    /// What has ended, by when.
    ended: BTreeMap<(SystemTime, u64), Key>,
    ended_bytes: usize,
    /// The latest number given out: to a submission, a claim or an end.
    number: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    async fn accept(
        &self,
        submission: Submission,
        max_pending: usize,
        now: SystemTime,
    ) -> Result<Accepted, StoreError> {
        Ok(lock(&self.inner).accept(submission, max_pending, now))
    }

    async fn claim(&self, now: SystemTime, lease: Duration) -> Result<Claim, StoreError> {
        lock(&self.inner).claim(now, lease)
    }

    async fn renew(&self, fence: &Fence, now: SystemTime, lease: Duration) -> Result<(), StoreError> {
        let mut inner = lock(&self.inner);
        inner.leased(fence)?;
        inner.set_place(&fence.key(), Place::Leased(now + lease, fence.token));
        Ok(())
    }

    async fn finish(&self, fence: &Fence, outcome: Outcome, now: SystemTime) -> Result<(), StoreError> {
        let mut inner = lock(&self.inner);
        let record = inner.leased(fence)?;
        record.advance(Execution::end_event(&outcome))?;
        record.end_attempt(outcome.result.as_ref().err(), outcome.instance.as_ref(), now);
        inner.end(&fence.key(), outcome, now);
        Ok(())
    }

    async fn retry_later(
        &self,
        fence: &Fence,
        failure: Failure,
        now: SystemTime,
        not_before: SystemTime,
    ) -> Result<(), StoreError> {
        let mut inner = lock(&self.inner);
        let record = inner.leased(fence)?;
        record.advance(Event::Requeue)?;
        record.end_attempt(Some(&failure), None, now);
        let place = Place::Pending(not_before, record.number);
        inner.set_place(&fence.key(), place);
        Ok(())
    }

    async fn cancel(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        now: SystemTime,
    ) -> Result<CancelFound, StoreError> {
        let mut inner = lock(&self.inner);
        let key = (tenant.clone(), id.clone());
        let Some(record) = inner.record(&key) else { return Ok(CancelFound::Unknown) };
        match record.place {
            Place::Leased(..) => Ok(CancelFound::Running),
            Place::Ended(..) => Ok(CancelFound::Ended(record.execution.state)),
            Place::Pending(..) => {
                record.advance(Event::Cancel)?;
                inner.end(&key, cancelled(reason), now);
                Ok(CancelFound::Pending)
            }
        }
    }

    async fn get(&self, tenant: &TenantId, id: &ExecutionId) -> Result<Option<Execution>, StoreError> {
        let inner = lock(&self.inner);
        let record = inner.tenants.get(tenant).and_then(|of_tenant| of_tenant.get(id));
        Ok(record.map(|record| record.execution.clone()))
    }

    async fn list(&self, tenant: &TenantId, query: &ListQuery) -> Result<Vec<Execution>, StoreError> {
        let inner = lock(&self.inner);
        Ok(inner.tenants.get(tenant).map(|of_tenant| of_tenant.list(query)).unwrap_or_default())
    }

    async fn expire(&self, before: SystemTime, batch: usize) -> Result<usize, StoreError> {
        let mut inner = lock(&self.inner);
        let mut forgotten = 0;
        while forgotten < batch && inner.forget_oldest(Some(before)) {
            forgotten += 1;
        }
        Ok(forgotten)
    }

    async fn forget_task(&self, tenant: &TenantId, task_id: &TaskId) -> Result<usize, StoreError> {
        let mut inner = lock(&self.inner);
        let ids = inner.tenants.get(tenant).map(|of_tenant| of_tenant.ended_of(task_id)).unwrap_or_default();
        for id in &ids {
            inner.forget(&(tenant.clone(), id.clone()));
        }
        Ok(ids.len())
    }

    async fn depth(&self) -> Result<Depth, StoreError> {
        let inner = lock(&self.inner);
        Ok(Depth { pending: inner.pending.len(), running: inner.leased.len() })
    }
}

impl Inner {
    fn accept(&mut self, submission: Submission, max_pending: usize, now: SystemTime) -> Accepted {
        let key = (submission.tenant.clone(), submission.id.clone());
        if let Some(record) = self.record(&key) {
            return if record.submission == submission {
                Accepted::Existing(Box::new(record.execution.clone()))
            } else {
                Accepted::Conflict
            };
        }
        let ahead = self.pending.len();
        if ahead >= max_pending {
            return Accepted::Full;
        }
        let record = Record::new(submission, now, self.next_number());
        let place = record.place;
        self.tenants.entry(key.0.clone()).or_default().insert(record);
        self.set_place(&key, place);
        Accepted::New { ahead }
    }

    fn claim(&mut self, now: SystemTime, lease: Duration) -> Result<Claim, StoreError> {
        self.take_back_lost(now)?;
        let Some((&(not_before, _), key)) = self.pending.first_key_value() else {
            return Ok(self.next_due());
        };
        if not_before > now {
            return Ok(self.next_due());
        }
        let key = key.clone();
        let token = self.next_number();
        let Some(record) = self.record(&key) else {
            return Err(StoreError::Failed(format!("{} waits without a record", key.1)));
        };
        record.advance(Event::Start)?;
        let attempt = record.begin_attempt(now);
        let lent = Lease {
            submission: record.submission.clone(),
            attempt,
            accepted_at: record.execution.accepted_at,
            fence: Fence { tenant: key.0.clone(), id: key.1.clone(), token },
        };
        self.set_place(&key, Place::Leased(now + lease, token));
        Ok(Claim::Leased(Box::new(lent)))
    }

    /// Puts back what was leased and not heard of since, or ends it if it has
    /// no attempts left.
    fn take_back_lost(&mut self, now: SystemTime) -> Result<(), StoreError> {
        while let Some((&(until, _), key)) = self.leased.first_key_value() {
            if until > now {
                break;
            }
            let key = key.clone();
            let failure = Failure::new(FailureCode::WorkerLost, "the worker was not heard of again");
            let Some(record) = self.record(&key) else { break };
            record.end_attempt(Some(&failure), None, now);
            record.lost_workers += 1;
            let spent = record.attempts() > record.submission.max_retries;
            if spent || record.lost_workers >= LOST_WORKERS_MAX {
                record.advance(Event::Fail)?;
                self.end(&key, failed(failure), now);
            } else {
                record.advance(Event::Requeue)?;
                let place = Place::Pending(now, record.number);
                self.set_place(&key, place);
            }
        }
        Ok(())
    }

    /// When there is something to do again.
    fn next_due(&self) -> Claim {
        let pending = self.pending.first_key_value().map(|((at, _), _)| *at);
        let leased = self.leased.first_key_value().map(|((at, _), _)| *at);
        match pending.into_iter().chain(leased).min() {
            Some(at) => Claim::NotBefore(at),
            None => Claim::Empty,
        }
    }

    /// The record a fence gives a right to.
    fn leased(&mut self, fence: &Fence) -> Result<&mut Record, StoreError> {
        let stale = || StoreError::Stale(fence.id.clone());
        let record = self.record(&fence.key()).ok_or_else(stale)?;
        match record.place {
            Place::Leased(_, token) if token == fence.token => Ok(record),
            Place::Leased(..) | Place::Pending(..) | Place::Ended(..) => Err(stale()),
        }
    }

    fn record(&mut self, key: &Key) -> Option<&mut Record> {
        self.tenants.get_mut(&key.0)?.get_mut(&key.1)
    }

    /// Gives an execution that has reached a terminal state its outcome.
    fn end(&mut self, key: &Key, outcome: Outcome, now: SystemTime) {
        let place = Place::Ended(now, self.next_number());
        let Some(record) = self.record(key) else { return };
        let bytes = weight::record(Some(&outcome), Some(&record.submission));
        record.bytes = bytes;
        record.execution.completed_at = Some(now);
        record.execution.outcome = Some(outcome);
        self.ended_bytes += bytes;
        self.set_place(key, place);
        while self.ended.len() > ENDED_MAX || self.ended_bytes > ENDED_MAX_BYTES {
            if !self.forget_oldest(None) {
                break;
            }
        }
    }

    /// Moves an execution from one of the three orders to another.
    fn set_place(&mut self, key: &Key, place: Place) {
        let Some(record) = self.record(key) else { return };
        let old = std::mem::replace(&mut record.place, place);
        self.order(old).remove(&old.position());
        self.order(place).insert(place.position(), key.clone());
    }

    fn order(&mut self, place: Place) -> &mut BTreeMap<(SystemTime, u64), Key> {
        match place {
            Place::Pending(..) => &mut self.pending,
            Place::Leased(..) => &mut self.leased,
            Place::Ended(..) => &mut self.ended,
        }
    }

    /// Forgets what ended first, if that was before `before`.
    fn forget_oldest(&mut self, before: Option<SystemTime>) -> bool {
        let Some((&(at, _), key)) = self.ended.first_key_value() else { return false };
        if before.is_some_and(|before| at >= before) {
            return false;
        }
        let key = key.clone();
        self.forget(&key);
        true
    }

    fn forget(&mut self, key: &Key) {
        let Some(of_tenant) = self.tenants.get_mut(&key.0) else { return };
        let Some(record) = of_tenant.remove(&key.1) else { return };
        if of_tenant.is_empty() {
            self.tenants.remove(&key.0);
        }
        self.ended_bytes = self.ended_bytes.saturating_sub(record.bytes);
        self.order(record.place).remove(&record.place.position());
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

#[cfg(test)]
mod tests;
