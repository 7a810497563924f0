//! Asynchronous executions, from their submission until they are removed.

use crate::{Execution, StoreError, Submission, Summary};
use pilum_types::{ExecutionId, State, TaskId, TenantId};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Stores executions from their submission until their retention is over.
pub trait ExecutionStore: Send + Sync + 'static {
    /// Stores a submission if its id is new and there is room. Once this returns
    /// [`SubmitResult::New`] the submission is stored durably.
    fn submit(
        &self,
        submission: Submission,
        admission: Admission,
        now: SystemTime,
    ) -> impl Future<Output = Result<SubmitResult, StoreError>> + Send;

    /// Ends the execution as CANCELLED if it is pending.
    fn cancel_pending(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        now: SystemTime,
    ) -> impl Future<Output = Result<CancelPendingResult, StoreError>> + Send;

    /// The execution as it is now.
    fn get(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> impl Future<Output = Result<Option<Execution>, StoreError>> + Send;

    /// A tenant's executions in ascending order of id.
    fn list(
        &self,
        tenant: &TenantId,
        query: &ListQuery,
    ) -> impl Future<Output = Result<Vec<Summary>, StoreError>> + Send;

    /// Removes up to `batch` executions whose retention is over; returns how many.
    fn expire(
        &self,
        expiry: Expiry,
        now: SystemTime,
        batch: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// Removes up to `batch` ended executions of a task; returns how many.
    fn remove_ended(
        &self,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// How much the store holds.
    fn stats(&self) -> impl Future<Output = Result<StoreStats, StoreError>> + Send;
}

/// The conditions under which a submission is accepted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Admission {
    /// How many executions may wait. A repeated submission needs no room.
    pub max_pending: usize,
    /// How long a run is expected to take. It decides how late an execution with a deadline
    /// may start.
    pub expected: Duration,
    /// Whether the client supplied the id. Such an id stays known for 24 hours,
    /// whatever the retention of results is.
    pub client_supplied_id: bool,
}

/// The result of a submission.
#[derive(Debug, Clone)]
pub enum SubmitResult {
    /// It is stored; this is its pending execution, with its queue position.
    New(Box<Execution>),
    /// The same submission is stored already.
    Existing(Box<Execution>),
    /// The id belongs to another submission.
    Conflict,
    /// The queue is full. Nothing is stored.
    QueueFull,
    /// The stored executions have reached their bound in bytes. Nothing is stored.
    StoreFull {
        /// The bound.
        max_bytes: u64,
    },
}

/// The result of [`ExecutionStore::cancel_pending`].
#[derive(Debug, Clone)]
pub enum CancelPendingResult {
    /// The execution was pending and is now CANCELLED.
    Cancelled(Arc<Execution>),
    /// It is running; only its worker can stop it.
    Running,
    /// It has ended in this state.
    Ended(State),
    /// There is no such execution.
    Unknown,
}

/// Which executions to list, in ascending order of id.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only executions of this task.
    pub task_id: Option<TaskId>,
    /// Only executions in this state.
    pub state: Option<State>,
    /// Only dead letters.
    pub dead_letters: bool,
    /// Only ids greater than this one.
    pub start_after: Option<ExecutionId>,
    /// At most this many.
    pub limit: usize,
}

/// Which ended executions are removed.
#[derive(Debug, Clone, Copy)]
pub struct Expiry {
    /// Executions that ended before this time are removed.
    pub ended_before: SystemTime,
    /// Dead letters that ended before this time are removed too.
    pub dead_letters_before: SystemTime,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Executions that wait.
    pub pending: usize,
    /// Executions that workers hold.
    pub running: usize,
    /// Dead letters.
    pub dead_letters: usize,
    /// Callbacks that are not delivered yet.
    pub callbacks: usize,
    /// Stored bytes; an estimate if the store is in memory.
    pub bytes: u64,
    /// The bound of `bytes`.
    pub max_bytes: u64,
    /// Groups of changes that were committed since the start.
    pub commits: u64,
    /// Changes in these groups.
    pub changes: u64,
}

impl ListQuery {
    /// Whether an execution with this id and task belongs to the list. This does
    /// not check the state.
    pub fn admits(&self, id: &ExecutionId, task_id: &TaskId) -> bool {
        self.start_after.as_ref().is_none_or(|after| id > after)
            && self.task_id.as_ref().is_none_or(|wanted| wanted == task_id)
    }
}
