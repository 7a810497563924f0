//! Where accepted asynchronous executions are kept.
//!
//! [`Store`] is written so that a replicated log can stand behind it: no
//! operation spans two executions, and what a worker does carries the
//! [`Fence`] of its claim, so that a worker which lost its lease cannot
//! overwrite what its successor did.

mod board;
#[cfg(test)]
mod conformance;
mod machine;
mod memory;
#[cfg(test)]
mod model;
#[cfg(test)]
pub(crate) mod no_store;
mod queue;
mod record;
mod sqlite;

pub use memory::MemoryStore;
pub use sqlite::{OpenError, SqliteConfig, SqliteStore};

use crate::{Clock, Execution, Submission, Summary, Task};
use pilum_types::{ExecutionId, Failure, InstanceId, Outcome, State, TaskId, TenantId};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How many workers an execution may take down with it. The third time it ends
/// FAILED with WORKER_LOST, whatever retries it has left: an execution that kills
/// its process must not do so for ever.
pub const LOST_WORKERS_MAX: u32 = 3;

/// Under which conditions a submission is accepted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Admission {
    /// How many executions may wait; a repeat needs no room.
    pub max_pending: usize,
    /// How long a run is expected to take, which decides until when an
    /// execution with a deadline may start.
    pub expected: Duration,
    /// Whether the client brought the id. Such an id is known for 24 hours,
    /// whatever the retention of results.
    pub brought: bool,
}

/// What became of a submission.
#[derive(Debug, Clone)]
pub enum Accepted {
    /// It is kept; `ahead` executions start before it does.
    New {
        /// About how many start before.
        ahead: usize,
    },
    /// The same submission was accepted before.
    Existing(Box<Execution>),
    /// The id belongs to another submission.
    Conflict,
    /// As many wait as may. Nothing is kept.
    Full,
    /// What is kept has reached its bound in bytes. Nothing more is kept.
    OutOfSpace {
        /// The bound.
        max_bytes: u64,
    },
}

/// What a host finds when it asks for work.
#[derive(Debug, Default)]
pub struct Claimed {
    /// Work, which is now this host's until each lease ends.
    pub leases: Vec<Lease>,
    /// What changed on the way: executions that were taken back from a lost
    /// worker, or ended because they cannot be done in time or were lost too often.
    pub changed: Vec<Arc<Execution>>,
    /// When there may be more to do, if nothing new comes in before.
    pub next_due: Option<SystemTime>,
}

/// An execution that a worker holds. The attempt is already recorded.
#[derive(Debug, Clone)]
pub struct Lease {
    /// What to run.
    pub submission: Submission,
    /// As it stands, this attempt included.
    pub execution: Arc<Execution>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
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
    /// The store's own number of it.
    pub number: u64,
    /// The claim's token.
    pub token: u64,
}

/// How an attempt ended after which another follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    /// What went wrong.
    pub failure: Failure,
    /// The instance that ran it, if one did.
    pub instance: Option<InstanceId>,
}

impl From<Failure> for AttemptEnd {
    /// One without an instance.
    fn from(failure: Failure) -> Self {
        Self { failure, instance: None }
    }
}

/// What a cancellation found.
#[derive(Debug, Clone)]
pub enum CancelFound {
    /// It was pending and is now CANCELLED.
    Pending(Arc<Execution>),
    /// It is running; only its worker can stop it.
    Running,
    /// It has ended in this state.
    Ended(State),
    /// There is none.
    Unknown,
}

/// A terminal status that somebody wants to be told.
#[derive(Debug, Clone)]
pub struct Callback {
    /// The store's own number of the execution.
    pub number: u64,
    /// The execution, which has ended.
    pub execution: Arc<Execution>,
    /// Where to.
    pub url: Arc<str>,
    /// How often it was tried before.
    pub tries: u32,
}

/// What is asked for the due callbacks.
#[derive(Debug, Default)]
pub struct DueCallbacks {
    /// To be delivered now, by who asked.
    pub callbacks: Vec<Callback>,
    /// When the next one is due.
    pub next_due: Option<SystemTime>,
}

/// Which executions to list, in ascending order of id.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only this task's.
    pub task_id: Option<TaskId>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only dead letters.
    pub dead_letters: bool,
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
    /// There is no room on the disk. What was asked is not done.
    #[error("the disk is full: {0}")]
    NoSpace(String),
    /// The storage failed. What was asked is not done.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// Keeps tasks, and accepted executions until they have ended and their results
/// expired.
///
/// `now` is always the caller's [`Clock`], which begins at [`Store::clock`].
pub trait Store: Send + Sync + 'static {
    /// A clock that is not behind anything the store has recorded.
    fn clock(&self) -> Clock {
        Clock::start()
    }

    /// Waits for a failure after which nothing more can be promised, such as a
    /// failed fsync, and says which. The process must end then.
    fn broken(&self) -> impl Future<Output = String> + Send {
        std::future::pending()
    }

    /// Keeps a task for good, in place of what was kept under its id.
    fn put_task(&self, task: &Arc<Task>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets a task, for good.
    fn remove_task(
        &self,
        tenant: &TenantId,
        id: &TaskId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Every task that is kept. Asked once, before anything else, by a host that
    /// starts; so it may block.
    ///
    /// # Errors
    /// When they cannot be read.
    fn tasks(&self) -> Result<Vec<Task>, StoreError>;

    /// Keeps a submission if its id is new and there is room. Once this returns
    /// [`Accepted::New`] it is kept for good.
    fn accept(
        &self,
        submission: Submission,
        admission: Admission,
        now: SystemTime,
    ) -> impl Future<Output = Result<Accepted, StoreError>> + Send;

    /// Takes up to `limit` executions that may run (none at all is fine too), records that an attempt of
    /// each begins, and gives them to the caller until `now + lease`. Tenants
    /// and priorities take turns by their shares.
    ///
    /// An execution whose lease ended goes back to those that wait with
    /// WORKER_LOST as its attempt's failure; or ends FAILED with it, if its
    /// attempts are spent or [`LOST_WORKERS_MAX`] workers were lost with it.
    /// With one fewer lost it is a suspect, and given out only while no other
    /// suspect is. One that can no longer meet its deadline ends TIMEOUT.
    /// Work that [`Store::retry_later`] put back is given out again however many
    /// attempts it has had.
    fn claim(
        &self,
        now: SystemTime,
        lease: Duration,
        limit: usize,
    ) -> impl Future<Output = Result<Claimed, StoreError>> + Send;

    /// Lengthens a lease to `now + lease`.
    fn renew(
        &self,
        fence: &Fence,
        now: SystemTime,
        lease: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes that a claim's attempt begins now. Should the process end, it is
    /// the attempts that had begun which lost their worker; the rest are as if
    /// they had not been claimed. Does not wait for the disk. A store that cannot
    /// tell them apart has nothing to do.
    ///
    /// # Errors
    /// When it cannot be noted; the attempt must not begin then.
    fn begin(&self, _fence: &Fence) -> Result<(), StoreError> {
        Ok(())
    }

    /// Gives a claim back whose attempt has not begun, as if it had not been made.
    fn hand_back(
        &self,
        fence: &Fence,
        now: SystemTime,
    ) -> impl Future<Output = Result<Arc<Execution>, StoreError>> + Send;

    /// Ends the execution with this outcome. Where it asks for a callback, that
    /// is due from now on.
    fn finish(
        &self,
        fence: &Fence,
        outcome: Arc<Outcome>,
        now: SystemTime,
    ) -> impl Future<Output = Result<Arc<Execution>, StoreError>> + Send;

    /// Ends the attempt so and puts the execution back, to be
    /// claimed at `not_before` or later.
    fn retry_later(
        &self,
        fence: &Fence,
        ended: AttemptEnd,
        now: SystemTime,
        not_before: SystemTime,
    ) -> impl Future<Output = Result<Arc<Execution>, StoreError>> + Send;

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
    ) -> impl Future<Output = Result<Vec<Summary>, StoreError>> + Send;

    /// Takes a dead letter off the list of them; its execution stays as it is.
    /// False where there is no such dead letter.
    fn discard(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Notes that a dead letter is to be run anew under the id `anew`, or finds
    /// the id noted before; returns its submission under that id.
    fn redrive(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        anew: &ExecutionId,
    ) -> impl Future<Output = Result<Option<Submission>, StoreError>> + Send;

    /// Takes up to `limit` callbacks that are due, for the caller to deliver and
    /// to answer with one of the next two. One that is not answered comes again
    /// when the process does.
    fn due_callbacks(
        &self,
        now: SystemTime,
        limit: usize,
    ) -> impl Future<Output = Result<DueCallbacks, StoreError>> + Send;

    /// Forgets a callback: it was delivered, or given up.
    fn end_callback(&self, number: u64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Has a callback that was tried `tries` times come again at `at`.
    fn put_off_callback(
        &self,
        number: u64,
        tries: u32,
        at: SystemTime,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets up to `batch` executions whose time is over; returns how many.
    fn expire(
        &self,
        expiry: Expiry,
        now: SystemTime,
        batch: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// Forgets up to `batch` of a task's executions that have ended; returns how many.
    fn forget_task(
        &self,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// How much the store holds.
    fn depth(&self) -> impl Future<Output = Result<StoreStats, StoreError>> + Send;
}

/// Until when what has ended is kept.
#[derive(Debug, Clone, Copy)]
pub struct Expiry {
    /// Executions that ended before this time go.
    pub ended_before: SystemTime,
    /// Dead letters from before this time go too.
    pub dead_before: SystemTime,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Executions that wait.
    pub pending: usize,
    /// Executions under way.
    pub running: usize,
    /// Dead letters.
    pub dead_letters: usize,
    /// Callbacks that are not delivered yet.
    pub callbacks: usize,
    /// What is kept, in bytes; estimated where it is in memory.
    pub bytes: u64,
    /// The bound of `bytes`.
    pub max_bytes: u64,
    /// Groups of changes written to the disk since the start.
    pub commits: u64,
    /// Changes in them.
    pub changes: u64,
}
