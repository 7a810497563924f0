//! A record table in maps.

use crate::logic::{Record, RecordTable, RemovedCounts};
use crate::{Expiry, ListQuery, StoreError, Summary, size_estimate};
use pilum_types::{ExecutionId, TaskId, TenantId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::time::SystemTime;

/// The most ended executions that are stored, of all tenants: about one per second for a day.
const ENDED_MAX: usize = 100_000;
/// The most bytes that ended executions hold, so that a host with 1 GiB has room for them.
pub(super) const ENDED_MAX_BYTES: usize = 256 << 20;

/// All records, with indexes.
#[derive(Debug, Default)]
pub(super) struct MemoryTable {
    records: HashMap<u64, Record>,
    tenants: HashMap<TenantId, Tenant>,
    /// Ended executions by end time and number, each with its size in bytes.
    pub(super) ended: BTreeMap<(SystemTime, u64), usize>,
    pub(super) ended_bytes: usize,
}

/// One tenant's executions, by id and by task.
#[derive(Debug, Default)]
struct Tenant {
    by_id: BTreeMap<ExecutionId, u64>,
    by_task: HashMap<TaskId, BTreeSet<ExecutionId>>,
}

impl MemoryTable {
    /// An execution; `None` if it has expired and only its id is still known.
    pub(super) fn get(&self, tenant: &TenantId, id: &ExecutionId) -> Option<&Record> {
        self.known(tenant, id).filter(|record| !record.expired)
    }

    pub(super) fn list(&self, tenant: &TenantId, query: &ListQuery) -> Vec<Summary> {
        let Some(of_tenant) = self.tenants.get(tenant) else { return Vec::new() };
        let from = query.start_after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = (from, Bound::Unbounded);
        let ids: Box<dyn Iterator<Item = &ExecutionId>> = match &query.task_id {
            None => Box::new(of_tenant.by_id.range::<ExecutionId, _>(range).map(|(id, _)| id)),
            Some(task_id) => Box::new(
                of_tenant
                    .by_task
                    .get(task_id)
                    .into_iter()
                    .flat_map(move |ids| ids.range::<ExecutionId, _>(range)),
            ),
        };
        ids.filter_map(|id| self.get(tenant, id))
            .map(|record| &record.execution)
            .filter(|execution| query.state.is_none_or(|state| execution.state == state))
            .filter(|execution| !query.dead_letters || execution.is_dead_letter)
            .take(query.limit)
            .map(|execution| execution.summary())
            .collect()
    }

    fn known(&self, tenant: &TenantId, id: &ExecutionId) -> Option<&Record> {
        self.records.get(self.tenants.get(tenant)?.by_id.get(id)?)
    }

    fn remove(&mut self, number: u64) -> Option<Record> {
        let record = self.records.remove(&number)?;
        let (tenant, id) = (&record.submission.tenant, &record.submission.id);
        if let Some(of_tenant) = self.tenants.get_mut(tenant) {
            of_tenant.remove(id, &record.submission.task_id);
            if of_tenant.by_id.is_empty() {
                self.tenants.remove(tenant);
            }
        }
        self.remove_from_ended(&record);
        Some(record)
    }

    fn remove_from_ended(&mut self, record: &Record) {
        let at = record.execution.completed_at.map(|at| (at, record.number));
        let bytes = at.and_then(|key| self.ended.remove(&key));
        self.ended_bytes -= bytes.unwrap_or(0);
    }

    fn evict(&mut self) {
        while self.ended.len() > ENDED_MAX || self.ended_bytes > ENDED_MAX_BYTES {
            let Some((&(_, number), _)) = self.ended.first_key_value() else { return };
            self.remove(number);
        }
    }
}

impl RecordTable for MemoryTable {
    fn find(&mut self, tenant: &TenantId, id: &ExecutionId) -> Result<Option<Record>, StoreError> {
        Ok(self.known(tenant, id).cloned())
    }

    fn load(&mut self, number: u64) -> Result<Option<Record>, StoreError> {
        Ok(self.records.get(&number).cloned())
    }

    fn insert(&mut self, record: &Record) -> Result<(), StoreError> {
        let submission = &record.submission;
        let of_tenant = self.tenants.entry(submission.tenant.clone()).or_default();
        of_tenant.by_id.insert(submission.id.clone(), record.number);
        of_tenant.by_task.entry(submission.task_id.clone()).or_default().insert(submission.id.clone());
        self.records.insert(record.number, record.clone());
        Ok(())
    }

    fn update(&mut self, record: &Record) -> Result<(), StoreError> {
        self.records.insert(record.number, record.clone());
        if let Some(at) = record.execution.completed_at
            && !self.ended.contains_key(&(at, record.number))
        {
            let bytes = size_estimate(record.execution.outcome.as_deref(), Some(&record.submission));
            self.ended.insert((at, record.number), bytes);
            self.ended_bytes += bytes;
            self.evict();
        }
        Ok(())
    }

    fn put_callback(&mut self, _: u64, _: u32, _: SystemTime) -> Result<(), StoreError> {
        Ok(())
    }

    fn remove_callback(&mut self, _: u64) -> Result<(), StoreError> {
        Ok(())
    }

    fn expire(&mut self, expiry: Expiry, now: SystemTime, batch: usize) -> Result<RemovedCounts, StoreError> {
        let is_expired = |record: &Record| match record.execution.completed_at {
            _ if record.expired => !record.is_id_kept(now),
            Some(at) if record.execution.is_dead_letter => at < expiry.dead_letters_before,
            Some(at) => at < expiry.ended_before,
            None => false,
        };
        let ended = self.ended.keys().take_while(|(at, _)| *at < expiry.ended_before);
        let expired = ended.filter(|(_, number)| self.records.get(number).is_some_and(is_expired));
        let expired: Vec<u64> = expired.take(batch).map(|(_, number)| *number).collect();
        let mut removed = RemovedCounts::default();
        for number in expired {
            let Some(record) = self.records.get_mut(&number) else { continue };
            removed.dead_letters += usize::from(record.execution.is_dead_letter);
            if record.is_id_kept(now) {
                record.expire();
            } else {
                self.remove(number);
            }
            removed.executions += 1;
        }
        Ok(removed)
    }

    fn remove_ended(
        &mut self,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> Result<RemovedCounts, StoreError> {
        let ids = self.tenants.get(tenant).and_then(|of_tenant| of_tenant.by_task.get(task_id));
        let records = ids.into_iter().flatten().filter_map(|id| self.get(tenant, id));
        let ended = records.filter(|record| record.execution.state.is_terminal());
        let numbers: Vec<u64> = ended.take(batch).map(|record| record.number).collect();
        let mut removed = RemovedCounts::default();
        for number in numbers {
            if let Some(record) = self.remove(number) {
                removed.executions += 1;
                removed.dead_letters += usize::from(record.execution.is_dead_letter);
            }
        }
        Ok(removed)
    }

    fn bytes(&self) -> (u64, u64) {
        // This table evicts at its bound, so it never refuses a record for its size.
        (self.ended_bytes as u64, u64::MAX)
    }
}

impl Tenant {
    fn remove(&mut self, id: &ExecutionId, task_id: &TaskId) {
        self.by_id.remove(id);
        if let Some(of_task) = self.by_task.get_mut(task_id) {
            of_task.remove(id);
            if of_task.is_empty() {
                self.by_task.remove(task_id);
            }
        }
    }
}
