//! What the memory store keeps of one execution, and of one tenant's.

use super::{Fence, ListQuery, StoreError, Submission};
use crate::{Attempt, Execution};
use pilum_types::{Event, ExecutionId, Failure, InstanceId, TaskId, TenantId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::SystemTime;

/// One tenant's executions, by id and by task.
#[derive(Debug, Default)]
pub(super) struct Tenant {
    records: BTreeMap<ExecutionId, Record>,
    by_task: BTreeMap<TaskId, BTreeSet<ExecutionId>>,
}

/// One execution.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) submission: Submission,
    pub(super) execution: Execution,
    pub(super) place: Place,
    /// Counts submissions: what came first goes first.
    pub(super) number: u64,
    /// How many workers were lost with it.
    pub(super) lost_workers: u32,
    /// What it is charged with once it has ended.
    pub(super) bytes: usize,
}

/// In which of the store's orders an execution is, and where there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Not before this time; with the submission's number.
    Pending(SystemTime, u64),
    /// Until this time; with the claim's token.
    Leased(SystemTime, u64),
    /// Since this time; with the end's number.
    Ended(SystemTime, u64),
}

impl Tenant {
    pub(super) fn get(&self, id: &ExecutionId) -> Option<&Record> {
        self.records.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &ExecutionId) -> Option<&mut Record> {
        self.records.get_mut(id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn insert(&mut self, record: Record) {
        let id = record.submission.id.clone();
        self.by_task.entry(record.submission.task_id.clone()).or_default().insert(id.clone());
        self.records.insert(id, record);
    }

    pub(super) fn remove(&mut self, id: &ExecutionId) -> Option<Record> {
        let record = self.records.remove(id)?;
        let task_id = &record.submission.task_id;
        if let Some(of_task) = self.by_task.get_mut(task_id) {
            of_task.remove(id);
            if of_task.is_empty() {
                self.by_task.remove(task_id);
            }
        }
        Some(record)
    }

    pub(super) fn list(&self, query: &ListQuery) -> Vec<Execution> {
        let from = query.start_after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = (from, Bound::Unbounded);
        let wanted = |execution: &&Execution| query.state.is_none_or(|state| execution.state == state);
        match &query.task_id {
            None => self
                .records
                .range::<ExecutionId, _>(range)
                .map(|(_, record)| &record.execution)
                .filter(wanted)
                .take(query.limit)
                .cloned()
                .collect(),
            Some(task_id) => self
                .by_task
                .get(task_id)
                .into_iter()
                .flat_map(|ids| ids.range::<ExecutionId, _>(range))
                .filter_map(|id| self.records.get(id).map(|record| &record.execution))
                .filter(wanted)
                .take(query.limit)
                .cloned()
                .collect(),
        }
    }

    /// The executions of a task that have ended.
    pub(super) fn ended_of(&self, task_id: &TaskId) -> Vec<ExecutionId> {
        let has_ended = |id: &&ExecutionId| self.get(id).is_some_and(|r| r.execution.state.is_terminal());
        self.by_task.get(task_id).into_iter().flatten().filter(has_ended).cloned().collect()
    }
}

impl Record {
    pub(super) fn new(submission: Submission, now: SystemTime, number: u64) -> Self {
        let execution = submission.pending(now);
        Self { submission, execution, place: Place::Pending(now, number), number, lost_workers: 0, bytes: 0 }
    }

    /// Makes a transition.
    pub(super) fn advance(&mut self, event: Event) -> Result<(), StoreError> {
        match self.execution.state.after(event) {
            Ok(state) => self.execution.state = state,
            Err(illegal) => return Err(StoreError::Failed(illegal.to_string())),
        }
        Ok(())
    }

    /// How many attempts have begun.
    pub(super) fn attempts(&self) -> u32 {
        self.execution.attempts.last().map_or(0, |attempt| attempt.number)
    }

    /// Records that an attempt begins; returns its number.
    pub(super) fn begin_attempt(&mut self, now: SystemTime) -> u32 {
        let number = self.attempts() + 1;
        self.execution.started_at.get_or_insert(now);
        let attempt = Attempt { number, started_at: now, took: None, failure: None, instance: None };
        self.execution.attempts.push(attempt);
        number
    }

    /// Records how the attempt under way ended.
    pub(super) fn end_attempt(
        &mut self,
        failure: Option<&Failure>,
        instance: Option<&InstanceId>,
        now: SystemTime,
    ) {
        if let Some(attempt) = self.execution.attempts.last_mut() {
            let took = now.duration_since(attempt.started_at).unwrap_or_default();
            attempt.end(failure, took);
            attempt.instance = instance.cloned();
        }
    }
}

impl Place {
    pub(super) fn position(self) -> (SystemTime, u64) {
        match self {
            Self::Pending(at, number) | Self::Leased(at, number) | Self::Ended(at, number) => (at, number),
        }
    }
}

impl Fence {
    pub(super) fn key(&self) -> (TenantId, ExecutionId) {
        (self.tenant.clone(), self.id.clone())
    }
}
