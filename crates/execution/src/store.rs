//! Where accepted asynchronous executions are kept.
//!
//! [`Store`] is written so that a replicated log can stand behind it: no
//! operation spans two executions, and what a worker does carries the
//! [`Fence`] of its claim, so that a worker which lost its lease cannot
//! overwrite what its successor did.

#[cfg(test)]
mod conformance;
mod memory;
#[cfg(test)]
pub(crate) mod no_store;
mod record;

pub use memory::MemoryStore;

use crate::{Execution, Mode};
use pilum_types::{ExecutionId, Failure, FunctionName, Outcome, Parameter, State, TaskId, TenantId};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How many workers an execution may take down with it. The third time it ends
/// FAILED with WORKER_LOST, whatever retries it has left: an execution that kills
/// its process must not do so for ever.
pub const LOST_WORKERS_MAX: u32 = 3;

/// What was asked for, as it is kept to be run later and to recognise a repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The execution's id.
    pub id: ExecutionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The function.
    pub function: FunctionName,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Environment variables for the guest.
    pub environment: Arc<[(String, String)]>,
    /// The timeout of each attempt.
    pub timeout: Duration,
    /// How many attempts may follow the first.
    pub max_retries: u32,
    /// Whether an instance that served an earlier call must not be used.
    pub force_new_instance: bool,
}

impl Submission {
    /// The execution it becomes, as it stands when it is accepted at `now`.
    pub fn pending(&self, now: SystemTime) -> Execution {
        Execution {
            id: self.id.clone(),
            tenant: self.tenant.clone(),
            task_id: self.task_id.clone(),
            function: self.function.clone(),
            mode: Mode::Async,
            state: State::Pending,
            accepted_at: now,
            started_at: None,
            completed_at: None,
            attempts: Vec::new(),
            outcome: None,
        }
    }
}

/// What became of a submission.
#[derive(Debug, Clone)]
pub enum Accepted {
    /// It is kept; `ahead` executions wait in front of it.
    New {
        /// How many wait in front.
        ahead: usize,
    },
    /// The same submission was accepted before.
    Existing(Box<Execution>),
    /// The id belongs to another submission.
    Conflict,
    /// As many wait as may. Nothing is kept.
    Full,
}

/// What a worker finds when it asks for work.
#[derive(Debug)]
pub enum Claim {
    /// Work, which is now this worker's until the lease ends.
    Leased(Box<Lease>),
    /// Nothing to do before this time.
    NotBefore(SystemTime),
    /// Nothing waits.
    Empty,
}

/// An execution that a worker holds. The attempt is already recorded.
#[derive(Debug, Clone)]
pub struct Lease {
    /// What to run.
    pub submission: Submission,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// When the execution was accepted.
    pub accepted_at: SystemTime,
    /// What the worker must show to change it.
    pub fence: Fence,
}

/// Proof of a claim. Each claim of an execution has a higher token than the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Whose execution.
    pub tenant: TenantId,
    /// Which execution.
    pub id: ExecutionId,
    /// The claim's token.
    pub token: u64,
}

/// What a cancellation found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelFound {
    /// It was pending and is now CANCELLED.
    Pending,
    /// It is running; only its worker can stop it.
    Running,
    /// It has ended in this state.
    Ended(State),
    /// There is none.
    Unknown,
}

/// Which executions to list, in ascending order of id.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only this task's.
    pub task_id: Option<TaskId>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only ids greater than this.
    pub start_after: Option<ExecutionId>,
    /// At most this many.
    pub limit: usize,
}

impl ListQuery {
    /// Whether an execution is asked for, its state aside.
    pub(crate) fn admits(&self, id: &ExecutionId, task_id: &TaskId) -> bool {
        self.start_after.as_ref().is_none_or(|after| id > after)
            && self.task_id.as_ref().is_none_or(|wanted| wanted == task_id)
    }
}

/// A store that cannot do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The fence is not that of the latest claim; the worker must drop its work.
    #[error("the lease of {0} is no longer this worker's")]
    Stale(ExecutionId),
    /// The storage failed.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// Keeps accepted executions until they have ended and their results expired.
///
/// `now` is always the caller's [`crate::Clock`], so that a store has none.
pub trait Store: Send + Sync + 'static {
    /// Keeps a submission if its id is new and fewer than `max_pending` wait.
    /// Once this returns [`Accepted::New`] it is kept for good.
    fn accept(
        &self,
        submission: Submission,
        max_pending: usize,
        now: SystemTime,
    ) -> impl Future<Output = Result<Accepted, StoreError>> + Send;

    /// Takes the next execution that may run, records that an attempt begins,
    /// and gives it to the caller until `now + lease`. An execution whose lease
    /// ended goes back to those that wait with
    /// WORKER_LOST as its attempt's failure; or ends FAILED with it, if its
    /// attempts are spent or [`LOST_WORKERS_MAX`] workers were lost with it.
    /// Work that [`Store::retry_later`] put back is given out again however many
    /// attempts it has had.
    fn claim(
        &self,
        now: SystemTime,
        lease: Duration,
    ) -> impl Future<Output = Result<Claim, StoreError>> + Send;

    /// Lengthens a lease to `now + lease`.
    fn renew(
        &self,
        fence: &Fence,
        now: SystemTime,
        lease: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends the execution with this outcome.
    fn finish(
        &self,
        fence: &Fence,
        outcome: Outcome,
        now: SystemTime,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends the attempt with this failure and puts the execution back, to be
    /// claimed at `not_before` or later.
    fn retry_later(
        &self,
        fence: &Fence,
        failure: Failure,
        now: SystemTime,
        not_before: SystemTime,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends the execution as CANCELLED if it is pending.
    fn cancel(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        now: SystemTime,
    ) -> impl Future<Output = Result<CancelFound, StoreError>> + Send;

    /// The execution as it stands.
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
    ) -> impl Future<Output = Result<Vec<Execution>, StoreError>> + Send;

    /// Forgets up to `batch` executions that ended before `before`; returns how many.
    fn expire(
        &self,
        before: SystemTime,
        batch: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// Forgets a task's executions that have ended; returns how many.
    fn forget_task(
        &self,
        tenant: &TenantId,
        task_id: &TaskId,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// How many executions wait and how many are leased.
    fn depth(&self) -> impl Future<Output = Result<Depth, StoreError>> + Send;
}

/// How much work a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Executions that wait.
    pub pending: usize,
    /// Executions under way.
    pub running: usize,
}
